// Minnow - SPDX-License-Identifier: Apache-2.0
//
// From navigation to the first vector: cold, over a slow line on a slow processor, beside transformers.js; and warm,
// with the model in the page's cache. A page reports when it has a vector (pages/report.js); times count from
// navigation.

import { setTimeout as sleep } from 'node:timers/promises';

import { median, openPage, rounded } from './chromium.mjs';

export const LINE = { bytesPerSecond: 29.3e6 / 8, latencyMs: 100 }; // bytes a second, shared; before each answer
const STAY_MS = 2000; // on the first visit: what is kept is kept after the vector
const CPU_SLOWDOWN = 4; // by DevTools, which slows the main thread and leaves workers nearly alone

const COLD = [
  { name: 'minnow', page: 'cold-minnow.html' },
  { name: 'transformers.js', page: 'cold-transformers.html' },
];

/**
 * Nothing is run in the page to ask it: that would take its main thread for tens of milliseconds.
 * @param {{devtools: import('playwright-core').CDPSession}} opened
 * @returns {Promise<any>} what the page reports next
 */
function nextReport({ devtools }) {
  return new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error('the page reported nothing for two minutes')), 120000).unref();
    devtools.once('Runtime.bindingCalled', ({ payload }) => {
      const result = JSON.parse(payload);
      if (result.error) reject(new Error(result.error));
      else resolve(result);
    });
  });
}

/**
 * @param {Awaited<ReturnType<typeof openPage>>} opened
 * @param {string} url
 * @returns {Promise<any>} the page's report
 */
export async function visit(opened, url) {
  const report = nextReport(opened);
  await opened.page.goto(url, { waitUntil: 'commit' });
  return report;
}

/** What the page fetched: for each file when it was asked for, when it began and ended, and its bytes on the wire. */
function waterfallOf(page) {
  return page.evaluate(() =>
    /** @type {PerformanceResourceTiming[]} */ ([...performance.getEntriesByType('navigation'),
      ...performance.getEntriesByType('resource')]).map((e) => ({
      file: new URL(e.name).pathname.slice(1), start_ms: Math.round(e.startTime),
      first_byte_ms: Math.round(e.responseStart),
      end_ms: Math.round(e.responseEnd), wire_bytes: e.encodedBodySize, bytes: e.decodedBodySize,
    })));
}

async function coldStart(browser, url, file) {
  const opened = await openPage(browser);
  try {
    await opened.devtools.send('Emulation.setCPUThrottlingRate', { rate: CPU_SLOWDOWN });
    const result = await visit(opened, url + file);
    return { ...result, waterfall: await waterfallOf(opened.page) };
  } finally {
    await opened.close();
  }
}

/** Bytes on the wire by kind; what a file ends with is its kind. */
function bytesOf(waterfall) {
  const kinds = { script: /\.m?js$/, wasm: /\.wasm$/, model: /\.(minnow|onnx)$/, other: /./ };
  const bytes = Object.fromEntries(Object.keys(kinds).map((kind) => [`${kind}_bytes`, 0]));
  for (const { file, wire_bytes } of waterfall) {
    const kind = Object.keys(kinds).find((k) => kinds[k].test(file)) ?? 'other';
    bytes[`${kind}_bytes`] += wire_bytes;
  }
  return { ...bytes, total_bytes: waterfall.reduce((sum, each) => sum + each.wire_bytes, 0) };
}

/** The run in the middle by its time, whole: stages of different runs are not mixed. */
function middle(runs) {
  return [...runs].sort((a, b) => a.vector_ms - b.vector_ms)[runs.length >> 1];
}

/**
 * @param {import('playwright-core').Browser} browser
 * @param {string} url of the site behind the slow line
 * @param {number} runs
 */
export async function measureColdStart(browser, url, runs) {
  const results = COLD.map(() => []);
  for (let run = 0; run < runs; run++) {
    for (const [i, { name, page }] of COLD.entries()) {
      results[i].push(await coldStart(browser, url, page));
      process.stderr.write(
        `cold start ${run + 1}/${runs}: ${name} ${(results[i][run].vector_ms / 1000).toFixed(2)} s\n`);
    }
  }
  return COLD.map(({ name }, i) => {
    const { waterfall, script_ms, ready_ms, phases, picked } = middle(results[i]);
    return {
      measure: 'cold start', engine: name, runs, median_ms: rounded(median(results[i].map((r) => r.vector_ms)), 1),
      least_ms: rounded(Math.min(...results[i].map((r) => r.vector_ms)), 1),
      script_ms: rounded(script_ms, 1), ready_ms: rounded(ready_ms, 1), ...(phases ? { phases, picked } : {}),
      ...bytesOf(waterfall), waterfall,
    };
  });
}

/**
 * Reloads of a page whose model is in its cache, on the machine as it is. On the main thread the engine may find the
 * module of the page before, compiled; in a worker it compiles anew.
 * @param {import('playwright-core').Browser} browser
 * @param {string} url of the site, not slowed
 * @param {number} runs
 */
export async function measureWarmStart(browser, url, runs) {
  const rows = [];
  for (const [config, query] of [['main thread', '?cache'], ['in a worker', '?cache&worker']]) {
    const opened = await openPage(browser);
    try {
      const first = await visit(opened, `${url}cold-minnow.html${query}`);
      const results = [];
      for (let run = 0; run < runs; run++) {
        await sleep(run === 0 ? STAY_MS : 200);
        const report = nextReport(opened);
        await opened.devtools.send('Page.reload');
        results.push(await report);
      }
      const { script_ms, ready_ms, vector_ms, phases, picked } = middle(results);
      rows.push({
        measure: 'warm start', engine: 'minnow', config, runs,
        median_ms: rounded(median(results.map((r) => r.vector_ms)), 1),
        least_ms: rounded(Math.min(...results.map((r) => r.vector_ms)), 1), first_visit_ms: rounded(first.vector_ms, 1),
        middle: { script_ms, ready_ms, vector_ms, phases }, picked,
      });
    } finally {
      await opened.close();
    }
  }
  return rows;
}
