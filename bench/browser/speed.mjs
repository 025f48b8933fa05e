// Minnow - SPDX-License-Identifier: Apache-2.0
//
// Speed of encoding one text: every engine in turns, in one Chromium. Engines of one thread share a page;
// onnxruntime-web has one number of threads a page, so each further number has its own. All pages are cross-origin
// isolated, where the clock counts in 5 us.

import { setTimeout as sleep } from 'node:timers/promises';
import { median, openPage, rounded } from './chromium.mjs';

const PAUSE_MS = 5; // between two engines' turns: the threads of the last may spin for a while
const RUNS = 20; // of each engine at each length, or more

const minnow = (config, threads, options) =>
  ({ name: 'minnow', config, threads, kind: 'minnow', options: { threads, ...options } });
const peer = (config, threads, file) =>
  ({ name: 'onnxruntime-web', config, threads, kind: 'onnxruntime', options: { threads, file } });

const ENGINES = [
  minnow('INT8', 1, { inline: true }),
  minnow('INT8, relaxed SIMD', 1, { inline: true, isa: 'relaxed' }),
  minnow('INT8, plain SIMD', 1, { inline: true, isa: 'simd' }),
  minnow('INT8, in a worker', 1, { inline: false }),
  minnow('INT8, in a worker', 2, { inline: false }),
  peer('INT8', 1, 'model_quantized.onnx'),
  peer('INT8', 2, 'model_quantized.onnx'),
  peer('FP32', 1, 'model.onnx'),
];
const PEER = 'onnxruntime-web INT8'; // whose speed the ratios are to, at as many threads

const label = (engine) => `${engine.name} ${engine.config}, ${engine.threads} thread${engine.threads > 1 ? 's' : ''}`;

/** The page of as many threads, opened when first wanted. */
async function pageOf(pages, browser, url, threads) {
  if (!pages.has(threads)) {
    const opened = await openPage(browser);
    await opened.page.goto(`${url}speed.html`);
    await opened.page.waitForFunction(() => 'bench' in window);
    pages.set(threads, opened);
  }
  return pages.get(threads).page;
}

/** Engines that could be set up, each with its page; the others are named on stderr. */
async function setUp(pages, browser, url) {
  const ready = [];
  for (const engine of ENGINES) {
    const page = await pageOf(pages, browser, url, engine.threads);
    try {
      const info = await page.evaluate((e) => window.bench.setUp(e.label, e.kind, e.options),
        { ...engine, label: label(engine) });
      ready.push({ ...engine, label: label(engine), page, info });
    } catch (error) {
      process.stderr.write(`bench.mjs: without ${label(engine)}: ${error.message.split('\n')[0]}\n`);
    }
  }
  return ready;
}

async function measureLength(engines, tokens, rounds) {
  const runs = Math.max(1, Math.ceil(RUNS / rounds), Math.min(8, Math.floor(256 / tokens)));
  const times = engines.map(() => []);
  for (const engine of engines) {
    await engine.page.evaluate(([name, n]) => window.bench.prepare(name, n), [engine.label, tokens]);
  }
  for (let round = -1; round < rounds; round++) {
    for (const [i, engine] of engines.entries()) {
      await sleep(PAUSE_MS);
      const some = await engine.page.evaluate(([name, n, r]) => window.bench.time(name, n, r),
        [engine.label, tokens, round < 0 ? 2 : runs]);
      if (round >= 0) times[i].push(...some);
    }
  }
  return times;
}

/** How alike minnow's vector is to the FP32 model's, or to whatever is there of the peer. */
async function likeness(engines, tokens) {
  const ours = engines.find((e) => e.name === 'minnow' && e.threads === 1);
  const theirs = engines.find((e) => e.config === 'FP32') ?? engines.find((e) => e.name !== 'minnow' &&
    e.threads === 1);
  if (!ours || !theirs) return {};
  const cosine = await ours.page.evaluate(([a, b, n]) => window.bench.likeness(a, b, n),
    [ours.label, theirs.label, tokens]);
  if (cosine < 0.95) throw new Error(`${ours.label} and ${theirs.label} do not compute the same: cosine ${cosine}`);
  return { cosine_to_peer: rounded(cosine, 4) };
}

/**
 * @param {import('playwright-core').Browser} browser
 * @param {string} url of the site, cross-origin isolated
 * @param {{tokens: number[], rounds: number}} options
 * @returns {Promise<object[]>} a row for each engine and length
 */
export async function measureSpeed(browser, url, { tokens, rounds }) {
  const pages = new Map();
  const rows = [];
  try {
    const engines = await setUp(pages, browser, url);
    for (const n of tokens) {
      const times = await measureLength(engines, n, rounds);
      const alike = await likeness(engines, n);
      const medians = times.map(median);
      for (const [i, engine] of engines.entries()) {
        const base = engines.findIndex((e) => `${e.name} ${e.config}` === PEER && e.threads === engine.threads);
        rows.push({
          measure: 'speed', engine: engine.name, config: engine.config, threads: engine.threads, tokens: n,
          median_ms: rounded(medians[i], 4), least_ms: rounded(Math.min(...times[i]), 4), runs: times[i].length,
          // Of the medians; and of the fastest calls, which a busy machine disturbs less.
          ...(base < 0 ? {} : {
            ratio_to_onnxruntime_int8: rounded(medians[base] / medians[i], 3),
            ratio_of_least: rounded(Math.min(...times[base]) / Math.min(...times[i]), 3),
          }),
          ...(i === 0 ? alike : {}), info: engine.info,
        });
      }
      process.stderr.write(`${n} tokens: ${engines.map((e, i) => `${e.label} ${medians[i].toFixed(2)}`).join('; ')}\n`);
    }
  } finally {
    for (const { close } of pages.values()) await close();
  }
  return rows;
}
