// Minnow - SPDX-License-Identifier: Apache-2.0
// Calls: many of them without growth, aborted ones, memory that ends and memory that is given back, a main thread that
// is free.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Chromium } from '../harness.mjs';
import { ROOT, rateLimited, startSite } from '../../../bench/browser/server.mjs';
import { RANDOM, REAL } from '../tools.mjs';

const CALLS = 10000;
/** Models that are opened and closed; in a worker each takes longer, and more memory. */
const LOADS = { worker: 40, inline: 200 };
/** The real model where it is here. */
const BEST = existsSync(join(ROOT, REAL)) ? REAL : RANDOM;

/**
 * @param {(site: import('../../../bench/browser/server.mjs').Site) => Promise<string | void>} test
 * @param {import('../../../bench/browser/server.mjs').SiteOptions} [options]
 */
async function withSite(test, options) {
  const site = await startSite(options);
  try {
    return await test(site);
  } finally {
    await site.close();
  }
}

/**
 * In the page: makes many calls; their texts differ, and one in a hundred is long. The pause lets the test look at the
 * heap.
 */
async function manyCalls({ Minnow, RANDOM }, { worker, calls }) {
  const minnow = await Minnow.load({ model: RANDOM, worker, threads: 1 });
  const texts = Array.from({ length: 100 }, (_, i) => `query number ${i}${i === 0 ? ' and on'.repeat(200) : ''}`);
  for (const text of texts) await minnow.embed(text);
  const first = await minnow.embed(texts[1]);
  const before = await minnow.memoryBytes();
  globalThis.more = async () => {
    for (let i = 0; i < calls; i++) await minnow.embed(texts[i % texts.length]);
    const last = await minnow.embed(texts[1]);
    return { before, after: await minnow.memoryBytes(), same: first.every((value, i) => value === last[i]) };
  };
}

/** In the page: aborts one of two calls, then what was aborted before it began. */
async function abortedCalls({ Minnow, RANDOM, rejection, goldenTexts }, { worker }) {
  const texts = await goldenTexts(2000);
  const minnow = await Minnow.load({ model: RANDOM, worker, cache: false });
  const controller = new AbortController();
  const reason = new DOMException('enough', 'AbortError');
  const long = minnow.embed(texts, { signal: controller.signal });
  let longSettled = false;
  const longEnd = rejection(long).then((end) => {
    longSettled = true;
    return end;
  });
  const other = minnow.embed(texts.slice(0, 3));
  await minnow.embed(texts[0]); // takes its turn between those of the long one
  const overtook = !longSettled;
  controller.abort(reason);
  const isReason = await long.catch((error) => error === reason);
  const before = await rejection(minnow.embed('x', { signal: AbortSignal.abort(reason) }));
  const later = await minnow.embed(texts[0]);
  const others = await other;
  await minnow.close();
  return { overtook, isReason, end: await longEnd, before, others: others.length, later: later.length };
}

/** In the page: aborts one of two loads of the same model. */
async function abortedLoads({ Minnow, RANDOM, rejection }, { worker }) {
  const controller = new AbortController();
  const reason = new Error('not wanted any more');
  let seen = 0;
  const one = Minnow.load({ model: RANDOM, worker, signal: controller.signal, onProgress: ({ phase, loaded }) => {
    if (phase === 'download' && loaded > 0 && seen++ === 0) controller.abort(reason);
  } });
  const two = Minnow.load({ model: RANDOM, worker });
  const isReason = await one.then(() => false, (error) => error === reason);
  const atOnce = await rejection(
    Minnow.load({ model: RANDOM, worker, signal: AbortSignal.abort(new Error('before')) }));
  const minnow = await two;
  const vector = await minnow.embed('still here');
  await minnow.close();
  return { isReason, seen, atOnce, length: vector.length };
}

/** In the page: a limit that the model does not fit under, and one that a text of 11 MB does not. */
async function limited({ Minnow, RANDOM, rejection }, { worker }) {
  const load = (memoryLimit) => Minnow.load({ model: RANDOM, worker, threads: 1, memoryLimit });
  const atLoad = await rejection(load(300000));
  const free = await Minnow.load({ model: RANDOM, worker, threads: 1 });
  const used = await free.memoryBytes();
  await free.close();
  const minnow = await load(used + (2 << 20));
  const atCall = await rejection(minnow.embed('many words '.repeat(1000000)));
  const vector = await minnow.embed('the page lives on');
  await minnow.close();
  return { atLoad, atCall, length: vector.length };
}

/** In the page: the browser itself gives no more memory. */
async function capped({ Minnow, RANDOM, rejection }, { worker }) {
  const minnow = await Minnow.load({ model: RANDOM, worker, threads: 1 });
  const end = await rejection(minnow.embed('many words '.repeat(1000000)));
  const vector = await minnow.embed('the page lives on');
  return { end, length: vector.length };
}

/**
 * In the page: loads and closes, many times, whenever it is told to. DevTools would keep what comes over the network.
 */
async function cycles({ Minnow, RANDOM }, { worker }) {
  const model = await (await fetch(RANDOM)).arrayBuffer();
  const simd = await WebAssembly.compileStreaming(fetch('/js/wasm/minnow-simd.wasm'));
  globalThis.cycle = async (/** @type {number} */ times) => {
    for (let i = 0; i < times; i++) {
      const minnow = await Minnow.load({ model, wasmUrl: { simd }, worker, threads: 1 });
      await minnow.embed('one text');
      await minnow.close();
    }
  };
}

/** In the page: the longest task of the main thread while it loads and embeds. */
async function longTasks({ Minnow, goldenTexts, wait }, { model }) {
  const texts = await goldenTexts(200);
  /** @type {number[]} */
  const tasks = [];
  await wait(500);
  const observer = new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration)));
  observer.observe({ type: 'longtask' });
  const started = performance.now();
  const minnow = await Minnow.load({ model, cache: false });
  await minnow.embed(texts);
  for (const text of texts.slice(0, 50)) await minnow.embed(text);
  await minnow.close();
  await wait(200);
  return { tasks, ms: performance.now() - started };
}

/** In the page: calls after close, calls that close cuts off, and what is no string. */
async function closed({ Minnow, MinnowError, RANDOM, rejection }, { worker }) {
  const minnow = await Minnow.load({ model: RANDOM, worker });
  const wrong = [
    await rejection(minnow.embed(['a', 'b', 3])), await rejection(minnow.embed(null)),
    await rejection(minnow.embed('a', { precison: 'int8' })), await rejection(Minnow.load()),
  ];
  const none = await minnow.embed([]);
  const pending = rejection(minnow.embed(Array(500).fill('a text of some words')));
  await minnow.close();
  await minnow.close();
  return { wrong, none, pending: await pending, after: await rejection(minnow.embed('a')),
    later: await rejection(minnow.memoryBytes()) };
}

const MODES = [{ worker: true }, { worker: false }];
/** @param {{worker: boolean}} mode */
const where = ({ worker }) => (worker ? 'in a worker' : 'inline');

/** @type {import('../run.mjs').Scenario[]} */
export const scenarios = MODES.flatMap((mode) => [
  {
    name: `calls: ${CALLS} ${where(mode)} without growth`,
    run: (browser) => withSite(async (site) => {
      const page = await browser.open(site, manyCalls, { argument: { ...mode, calls: CALLS } });
      await page.result();
      const heapBefore = await page.heapBytes();
      const { before, after, same } = await page.page.evaluate('globalThis.more()');
      const heapAfter = await page.heapBytes();
      await page.close();
      assert.equal(after, before, 'WASM memory');
      assert.ok(same, 'the same text has other bytes at the end');
      assert.ok(heapAfter < heapBefore + (1 << 20), `JavaScript's heap went from ${heapBefore} to ${heapAfter} bytes`);
      return `${before} bytes of WASM memory, heap ${heapBefore} -> ${heapAfter}`;
    }),
  },
  {
    name: `calls: abort ${where(mode)} cancels one call and no other`,
    run: (browser) => withSite(async (site) => {
      const { overtook, isReason, end, before, others, later } =
        await browser.run(site, abortedCalls, { argument: mode });
      assert.deepEqual({ overtook, isReason, others, later }, { overtook: true, isReason: true, others: 3, later: 80 });
      assert.equal(end?.name, 'AbortError');
      assert.equal(before?.message, 'enough');
    }),
  },
  {
    name: `calls: abort of a load ${where(mode)} leaves another load of the same model alone`,
    run: (browser) => withSite(async (site) => {
      site.behave(RANDOM, { link: rateLimited({ bytesPerSecond: 500000 }) });
      const { isReason, seen, atOnce, length } = await browser.run(site, abortedLoads, { argument: mode });
      assert.ok(isReason, 'it does not reject with the signal\'s reason');
      assert.equal(seen, 1, 'progress is told after the abort');
      assert.equal(atOnce?.message, 'before');
      assert.equal(length, 80);
    }),
  },
  {
    name: `calls: memoryLimit ${where(mode)} gives code 'memory', and the page lives on`,
    run: (browser) => withSite(async (site) => {
      const { atLoad, atCall, length } = await browser.run(site, limited, { argument: mode });
      assert.equal(atLoad?.code, 'memory', JSON.stringify(atLoad));
      assert.equal(atCall?.code, 'memory', JSON.stringify(atCall));
      assert.equal(length, 80);
    }),
  },
  {
    name: `calls: close() ${where(mode)} gives memory back`,
    run: (browser) => withSite(async (site) => {
      const loads = LOADS[mode.worker ? 'worker' : 'inline'];
      const page = await browser.open(site, cycles, { argument: mode });
      await page.result();
      await page.page.evaluate('cycle(10)');
      const before = await page.residentBytes();
      await page.page.evaluate(`cycle(${loads})`);
      const after = await page.residentBytes();
      await page.close();
      // Each has a memory of 1 MB, and a worker has one or two of its own.
      assert.ok(after < before + (loads << 20) / 2, `${before} bytes, after ${loads} models ${after}`);
      return `${before >> 20} MB resident, after ${loads} models ${after >> 20} MB`;
    }),
  },
  {
    name: `calls: close() ${where(mode)} ends calls; wrong arguments are named`,
    run: (browser) => withSite(async (site) => {
      const { wrong, none, pending, after, later } = await browser.run(site, closed, { argument: mode });
      assert.deepEqual(wrong.map(({ code }) => code), Array(4).fill('argument'));
      assert.match(wrong[0].message, /\[2\]/);
      assert.match(wrong[3].message, /Minnow\.load\(\{ model/);
      assert.deepEqual(none, []);
      assert.deepEqual([pending, after, later].map((end) => end?.code), ['closed', 'closed', 'closed']);
    }),
  },
]);

scenarios.push({
  name: 'calls: a browser that gives no more memory',
  run: () => withSite(async (site) => {
    const small = await Chromium.start(['--js-flags=--wasm-max-mem-pages=128']);
    try {
      for (const mode of MODES) {
        const { end, length } = await small.run(site, capped, { argument: mode });
        assert.equal(end?.code, 'memory', JSON.stringify(end));
        assert.equal(length, 80);
      }
    } finally {
      await small.close();
    }
  }),
}, {
  name: 'calls: the longest task of the main thread, worker loading and embedding',
  run: (browser) => withSite(async (site) => {
    const { tasks, ms } = await browser.run(site, longTasks, { argument: { model: BEST } });
    return `${tasks.length === 0 ? 'none' : `${Math.max(...tasks)} ms`} over 50 ms, in ${Math.round(ms)} ms`;
  }),
});
