// Minnow - SPDX-License-Identifier: Apache-2.0
// Runs the browser tests: every export `scenarios` of scenarios/*.mjs, a line each.
//   node tests/browser/run.mjs [WORD...]     those whose names have one of the words
// CHROMIUM and FIREFOX name the programs. Without a browser, its tests are skipped.
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Chromium, Firefox, Skip, chromiumPath, firefoxPath } from './harness.mjs';

/**
 * @typedef {object} Scenario
 * @property {string} name
 * @property {'firefox'} [in] default: Chromium
 * @property {(browser: any) => Promise<string | void>} run gets a Chromium, or a Firefox; may give a figure to print;
 *   throws Skip when something is not here
 */

const TIME_LIMIT_MS = 120000;

/** @returns {Promise<Scenario[]>} */
async function scenarios() {
  const folder = join(dirname(fileURLToPath(import.meta.url)), 'scenarios');
  const files = (await readdir(folder)).filter((name) => name.endsWith('.mjs')).sort();
  const modules = await Promise.all(files.map((name) => import(pathToFileURL(join(folder, name)).href)));
  const words = process.argv.slice(2);
  return modules.flatMap((module) => module.scenarios)
    .filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)));
}

/**
 * @param {Scenario} scenario
 * @param {any} browser
 */
async function limited({ run }, browser) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no result after ${TIME_LIMIT_MS} ms`)), TIME_LIMIT_MS);
  });
  try {
    return await Promise.race([run(browser), late]);
  } finally {
    clearTimeout(timer);
  }
}

async function main() {
  const chromium = chromiumPath() === null ? null : await Chromium.start();
  const firefox = firefoxPath() === null ? null : new Firefox();
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const scenario of await scenarios()) {
    const started = performance.now();
    const browser = scenario.in === 'firefox' ? firefox : chromium;
    try {
      if (browser === null) throw new Skip(`no ${scenario.in ?? 'Chromium'} here`);
      const figure = await limited(scenario, browser);
      counts.passed++;
      const took = `${Math.round(performance.now() - started)} ms`;
      console.log(`ok       ${scenario.name} (${took})${figure ? `: ${figure}` : ''}`);
    } catch (error) {
      if (error instanceof Skip) {
        counts.skipped++;
        console.log(`skipped  ${scenario.name}: ${error.message}`);
      } else {
        counts.failed++;
        console.log(`FAILED   ${scenario.name}\n${/** @type {Error} */ (error).stack}`);
      }
    }
  }
  await chromium?.close();
  console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  process.exitCode = counts.failed > 0 ? 1 : 0;
}

await main();
