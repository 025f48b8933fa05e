// Minnow - SPDX-License-Identifier: Apache-2.0
// `minnow-embed/inline`: the same Minnow in the calling thread. No worker, no import(): for service workers, extension
// pages, and code that runs in a worker of its own already.
import { loadInline } from './inline-session.js';
import { BaseMinnow, prepare } from './minnow.js';

export { MinnowError } from './errors.js';
export { l2Normalize, meanPool } from './vector.js';

export class Minnow extends BaseMinnow {
  /**
   * @param {import('./options.js').LoadOptions} options `worker`, `workerUrl` and `threads` have no effect
   * @returns {Promise<Minnow>}
   */
  static async load(options) {
    const wanted = prepare(options);
    wanted.options.signal?.throwIfAborted();
    return new Minnow(await loadInline(wanted, ''), wanted.options);
  }
}
