// Minnow - SPDX-License-Identifier: Apache-2.0
// What stays between page loads: the model in the Cache API, offline, damaged, evicted, replaced; and loads at the same
// time.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { ROOT, rateLimited, startSite } from '../../../bench/browser/server.mjs';
import { RANDOM } from '../tools.mjs';

const FILE = readFileSync(join(ROOT, RANDOM));
const INTEGRITY = `sha256-${createHash('sha256').update(FILE).digest('base64')}`;

/** In the page: loads, embeds and waits until the model is kept; tells where it came from and what the caches hold. */
async function visit({ Minnow, RANDOM, vectorsHash, recorder, wait }, { options = {}, kept = true, bytes }) {
  const { events, onProgress } = recorder();
  const minnow = await Minnow.load({ model: RANDOM, threads: 1, onProgress, ...options });
  const hash = await vectorsHash(await minnow.embed(['one', 'and two']));
  const models = async () => {
    const names = await caches.keys();
    const keys = await Promise.all(
      names.filter((name) => name !== 'app').map(async (name) => (await caches.open(name)).keys()));
    return keys.flat().map(({ url }) => url).filter((url) => url.includes('/sha256/'));
  };
  const whole = async () => {
    const entries = await Promise.all((await models()).map((url) => caches.match(url)));
    const sizes = await Promise.all(entries.map(async (entry) => (await entry?.blob())?.size));
    return sizes.includes(bytes);
  };
  while (kept && !(await whole())) await wait(20);
  await minnow.close();
  return { hash, fromCache: events.some(({ fromCache }) => fromCache), ready: events.at(-1), models: await models() };
}

/** In the page: loads twice at once; the first load may be aborted when some bytes of it have come. */
async function loadTwice({ Minnow, RANDOM, vectorsHash, recorder, rejection }, { options = {}, aborts = 0, abortAt = Infinity }) {
  const controller = new AbortController();
  const recorders = [recorder(), recorder()];
  const loads = recorders.map(({ onProgress }, i) => Minnow.load({ model: RANDOM, threads: 1, ...options,
    signal: i === aborts ? controller.signal : undefined,
    onProgress(event) {
      onProgress(event);
      if (i === aborts && event.phase === 'download' && event.loaded >= abortAt) controller.abort(new Error('enough'));
    } }));
  const hashes = await Promise.all(loads.map(async (load) => {
    const failed = await rejection(load);
    return failed === null ? vectorsHash(await (await load).embed(['one', 'and two'])) : failed.message;
  }));
  return { hashes, events: recorders.map(({ events }) => events) };
}

/** In the page: a load whose listener throws at its end, and whether others' turn comes. */
async function listenerThrows({ Minnow, RANDOM, rejection }) {
  const failed = await rejection(Minnow.load({ model: RANDOM, worker: false, onProgress({ phase }) {
    if (phase === 'ready') throw new Error('of the page');
  } }));
  await navigator.locks.request(`minnow ${new URL(RANDOM, location.href)}`, () => {});
  return failed.message;
}

/** In the page: a turn that never ends, of a page that has gone still, and one that waits for it. */
async function stuckTurn() {
  const { takeTurn } = await import(new URL('/js/src/load/turns.js', location.href).href);
  const options = { stallMs: 200, onBytes: () => {} };
  const first = await takeTurn('https://a.invalid/model', options);
  const second = await takeTurn('https://a.invalid/model', options);
  const other = await takeTurn('https://a.invalid/another', options);
  first.end();
  const third = await takeTurn('https://a.invalid/model', options);
  return { second, other: other !== null, third: third !== null };
}

/** In the page: nothing is cached any more. */
async function forgetAll() {
  for (const name of await caches.keys()) await caches.delete(name);
}

/** In the page: damages what is cached. */
async function damage(_, { how }) {
  let damaged = 0;
  for (const name of await caches.keys()) {
    const cache = await caches.open(name);
    for (const request of await cache.keys()) {
      const response = await cache.match(request);
      if (!request.url.includes('/sha256/') || response === undefined) continue;
      const bytes = new Uint8Array(await response.arrayBuffer());
      bytes[bytes.length >> 1] ^= 0x40;
      const body = { bits: bytes, cut: bytes.slice(0, 1000), empty: new Uint8Array(0), html: '<!doctype html>' }[how];
      await cache.put(request, new Response(body, { headers: how === 'bits' ? response.headers : {} }));
      damaged++;
    }
  }
  return damaged;
}

/** In the page: a service worker that answers with the application's files when the network does not. */
async function installApp() {
  await navigator.serviceWorker.register('/app-worker.js');
  await navigator.serviceWorker.ready;
}
const APP_WORKER = `
self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));
self.addEventListener('fetch', (event) => {
  if (event.request.url.endsWith('.minnow') || event.request.method !== 'GET') return;
  event.respondWith((async () => {
    const app = await caches.open('app');
    try {
      const response = await fetch(event.request);
      await app.put(event.request, response.clone());
      return response;
    } catch (error) {
      const kept = await app.match(event.request);
      if (kept === undefined) throw error;
      return kept;
    }
  })());
});`;

/**
 * @param {string} name
 * @param {(context: import('../harness.mjs').Context, site: import('../../../bench/browser/server.mjs').Site) =>
 *   Promise<string | void>} test
 * @returns {import('../run.mjs').Scenario}
 */
function scenario(name, test) {
  return {
    name: `cache: ${name}`,
    run: async (browser) => {
      const site = await startSite();
      const context = await browser.context();
      try {
        return await test(context, site);
      } finally {
        await context.close();
        await site.close();
      }
    },
  };
}

/**
 * @param {import('../harness.mjs').Context} context @param {import('../../../bench/browser/server.mjs').Site} site
 *   @param {object} [argument]
 * @returns {Promise<any>}
 */
const visited = (context, site, argument) =>
  context.run(site, visit, { argument: { bytes: FILE.length, ...argument } });

/** @param {import('../../../bench/browser/server.mjs').Site} site */
const downloads = (site) => site.requests.filter(({ path }) => path.endsWith('.minnow')).length;

/** @type {import('../run.mjs').Scenario[]} */
export const scenarios = [
  scenario('the second visit asks no server for the model', async (context, site) => {
    for (const options of [{}, { integrity: INTEGRITY }, { worker: false }]) {
      const first = await visited(context, site, { options });
      const asked = downloads(site);
      const second = await visited(context, site, { options });
      assert.equal(downloads(site), asked);
      assert.ok(second.fromCache && second.ready.fromCache);
      assert.equal(second.hash, first.hash);
      assert.equal(second.models.length, 1);
    }
    assert.equal(downloads(site), 1);
  }),
  scenario('cache: false keeps and takes nothing', async (context, site) => {
    for (let i = 1; i <= 2; i++) {
      const { models, fromCache } = await visited(context, site, { options: { cache: false }, kept: false });
      assert.deepEqual({ models, fromCache, asked: downloads(site) }, { models: [], fromCache: false, asked: i });
    }
  }),
  scenario('a reload without any server', async (context, site) => {
    site.answer('/app-worker.js', { type: 'text/javascript', body: APP_WORKER });
    await context.run(site, installApp);
    const page = await context.open(site, visit, { argument: { bytes: FILE.length } });
    const online = await page.result();
    await site.close();
    await page.reload();
    const offline = await page.result();
    await site.start();
    assert.equal(offline.hash, online.hash);
    assert.ok(offline.fromCache);
  }),
  ...['bits', 'cut', 'empty', 'html'].map((how) => scenario(`a damaged model heals: ${how}`, async (context, site) => {
    const first = await visited(context, site);
    assert.equal(await context.run(site, damage, { argument: { how } }), 1);
    const second = await visited(context, site);
    assert.equal(second.hash, first.hash);
    assert.equal(downloads(site), 2);
    const third = await visited(context, site);
    assert.equal(third.hash, first.hash);
    assert.equal(downloads(site), 2, 'it has not healed');
  })),
  scenario('another version takes the place of the one before', async (context, site) => {
    await visited(context, site);
    const model = (/** @type {string} */ url, /** @type {string} */ integrity) =>
      ({ options: { model: { url, integrity, name: 'random' } } });
    const named = await visited(context, site, model(`${RANDOM}?v=1`, INTEGRITY));
    assert.equal(downloads(site), 1, 'the same bytes under another URL');
    assert.equal(named.models.length, 1);
  }),
  scenario('two tabs that load at once', async (context, site) => {
    site.behave(RANDOM, { link: rateLimited({ bytesPerSecond: 1000000 }) });
    const pages = await Promise.all([0, 1].map(() => context.open(site, visit, { argument: { bytes: FILE.length } })));
    const [one, two] = await Promise.all(pages.map((page) => page.result()));
    assert.equal(one.hash, two.hash);
    assert.equal(one.models.length, 1);
    assert.equal(downloads(site), 1);
    assert.ok((await visited(context, site)).fromCache);
    assert.equal(downloads(site), 1);
  }),
  ...[{}, { worker: false }].map((options) => scenario(`two loads at once share a download, ${JSON.stringify(options)}`,
    async (context, site) => {
      site.behave(RANDOM, { link: rateLimited({ bytesPerSecond: 1000000 }) });
      const { hashes, events } = await context.run(site, loadTwice, { argument: { options } });
      assert.equal(downloads(site), 1);
      assert.equal(hashes[0], hashes[1]);
      for (const ofLoad of events) {
        const loaded = ofLoad.filter(({ phase }) => phase === 'download').map((event) => event.loaded);
        assert.ok(loaded.length >= 3, 'both are told how far it is');
        assert.deepEqual(loaded, [...loaded].sort((a, b) => a - b));
        assert.equal(loaded.at(-1), FILE.length);
        assert.equal(ofLoad.at(-1).phase, 'ready');
      }
    })),
  ...[{}, { worker: false }].map((options) =>
    scenario(`of two loads at once one is aborted, ${JSON.stringify(options)}`,
    async (context, site) => {
      site.behave(RANDOM, { link: rateLimited({ bytesPerSecond: 1000000 }) });
      for (const aborts of [0, 1]) {
        const { hashes } = await context.run(site, loadTwice, { argument: { options, aborts, abortAt: 50000 } });
        assert.equal(hashes[aborts], 'enough');
        assert.match(hashes[1 - aborts], /^[0-9a-f]{64}$/);
        await context.run(site, forgetAll);
      }
    })),
  scenario('a turn that does not end is not waited for', async (context, site) => {
    assert.deepEqual(await context.run(site, stuckTurn), { second: null, other: true, third: true });
  }),
  scenario('a listener that throws does not keep others waiting', async (context, site) =>
    assert.equal(await context.run(site, listenerThrows), 'of the page')),
  scenario('closed at once, the next visit still works', async (context, site) => {
    for (const options of [{ worker: false }, {}]) {
      await visited(context, site, { options, kept: false });
      const again = await visited(context, site, { options });
      assert.equal(again.models.length, 1);
    }
  }),
];
