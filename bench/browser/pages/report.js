// Minnow - SPDX-License-Identifier: Apache-2.0
//
// A page's result, to whoever measures it: in window.result, and through the binding that bench.mjs makes, which costs
// the page nothing while it works.

/** @param {object} result */
export function report(result) {
  window.result = result;
  window.reported?.(JSON.stringify(result));
}

/** @param {() => Promise<void>} main */
export function run(main) {
  main().catch((error) => report({ error: String(error?.stack ?? error) }));
}
