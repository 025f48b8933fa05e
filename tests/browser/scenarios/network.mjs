// Minnow - SPDX-License-Identifier: Apache-2.0
// Loading over networks and from servers as they are: slow, broken, stalled, without lengths, with the wrong file or
// type.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { ENTRY_INLINE } from '../harness.mjs';
import { ROOT, rateLimited, startSite } from '../../../bench/browser/server.mjs';
import { RANDOM } from '../tools.mjs';

const FILE = readFileSync(join(ROOT, RANDOM));
const INTEGRITY = `sha256-${createHash('sha256').update(FILE).digest('base64')}`;
const WRONG = `sha256-${createHash('sha256').update('another').digest('base64')}`;
const HTML = '<!doctype html><title>Not found</title><p>The page that you asked for is not here.'.padEnd(4000);

/** In the page: loads, and embeds if that works. */
async function loads({ Minnow, rejection, recorder }, { options, abortAfter = null }) {
  const { events, onProgress } = recorder();
  const controller = new AbortController();
  if (abortAfter !== null) setTimeout(() => controller.abort(new Error('patience is over')), abortAfter);
  /** @type {any} */
  let minnow = null;
  const error = await rejection(Minnow.load({ ...options, onProgress, signal: controller.signal }).then((value) => {
    minnow = value;
  }));
  const length = minnow === null ? 0 : (await minnow.embed('a text')).length;
  return { error, events, length, picked: minnow?.picked };
}

/** @param {any[]} events */
function assertProgress(events) {
  const downloads = events.filter(({ phase }) => phase === 'download');
  assert.ok(downloads.length > 0, 'no download events');
  downloads.forEach(({ loaded, total }, i) => {
    assert.equal(total, FILE.length);
    assert.ok(loaded <= total &&
      (i === 0 || loaded >= downloads[i - 1].loaded), `progress: ${JSON.stringify(downloads)}`);
  });
  assert.equal(downloads.at(-1).loaded, FILE.length);
  assert.equal(events.at(-1).phase, 'ready');
}

/**
 * A scenario that loads the random model from a server that behaves so.
 * @param {string} name
 * @param {import('../../../bench/browser/server.mjs').Behaviour} behaviour
 * @param {(result: {error: any, events: any[], length: number, picked: any}, site:
 *   import('../../../bench/browser/server.mjs').Site) => string | void} check
 * @param {{options?: object, path?: string, site?: object, abortAfter?: number, page?: object}} [more]
 * @returns {import('../run.mjs').Scenario}
 */
function loading(name, behaviour, check, { options = {}, path = RANDOM, site: siteOptions, abortAfter, page } = {}) {
  return {
    name: `network: ${name}`,
    run: async (browser) => {
      const site = await startSite(siteOptions);
      site.behave(path, behaviour);
      try {
        const argument = { options: { model: RANDOM, threads: 1, ...options }, abortAfter };
        return check(await browser.run(site, loads, { argument, ...page }), site);
      } finally {
        await site.close();
      }
    },
  };
}

/** @param {{error: any, events: any[], length: number}} result */
function works({ error, events, length }) {
  assert.equal(error, null, JSON.stringify(error));
  assert.equal(length, 80);
  assertProgress(events);
}

/** @param {string} code @param {RegExp} message */
const fails = (code, message) => (/** @type {{error: any}} */ { error }) => {
  assert.equal(error?.code, code, JSON.stringify(error));
  assert.match(error.message, message);
  assert.doesNotMatch(error.message, /\n/);
};

/**
 * @param {import('../../../bench/browser/server.mjs').Site} site
 * @returns {(string | null)[]} ranges that were asked for
 */
const ranges = (site) => site.requests.filter(({ path }) => path === RANDOM).map(({ range }) => range);

/** @type {import('../run.mjs').Scenario[]} */
export const scenarios = [
  loading('throttled', { link: rateLimited({ bytesPerSecond: 300000, latencyMs: 50 }) }, (result) => {
    works(result);
    assert.ok(result.events.filter(({ phase }) => phase === 'download').length >= 5,
      'progress is not told as it comes');
  }),
  loading('without Content-Length', { length: false }, works),
  loading('without Content-Length, the length from the model package', { length: false }, works,
    { options: { model: { url: RANDOM, integrity: INTEGRITY, bytes: FILE.length, name: 'random' } } }),
  loading('compressed on its way', { type: 'text/plain' }, works, { site: { compress: true } }),
  loading('broken once, resumed by Range', { cutAfter: 100000, times: 1 }, (result, site) => {
    works(result);
    assert.deepEqual(ranges(site), [null, ranges(site)[1]]);
    assert.match(String(ranges(site)[1]), /^bytes=[1-9]\d*-$/);
  }),
  loading('broken once, a server without Range', { cutAfter: 100000, times: 1, ranges: false }, works,
    { options: { integrity: INTEGRITY } }),
  loading('broken for ever', { cutAfter: 1000, ranges: false }, fails('network', /random\.minnow/)),
  loading('not found', { status: 404, body: 'no', type: 'text/plain' }, fails('network', /random\.minnow.*404/)),
  loading('unavailable once', { status: 503, body: 'later', type: 'text/plain', times: 1 }, works),
  loading('stalled, then aborted', { stallAfter: 50000 }, ({ error }) => {
    assert.equal(error?.message, 'patience is over');
  }, { abortAfter: 500 }),
  loading('HTML with 200 in place of a model', { body: HTML, type: 'text/html' },
    fails('format', /http:.*random\.minnow: a web page/)),
  loading('HTML with 200 and no type in place of a model', { body: HTML, type: '' },
    fails('format', /http:.*random\.minnow/)),
  loading('another file in place of a model', { body: 'PK\x03\x04'.padEnd(5000, 'z') },
    fails('format', /random\.minnow/)),
  loading('a file that is cut', { body: FILE.subarray(0, 200000) }, fails('format', /random\.minnow/)),
  loading('wrong integrity', {}, fails('integrity', /random\.minnow.*SHA-256/), { options: { integrity: WRONG } }),
  loading('right integrity', {}, works, { options: { integrity: INTEGRITY } }),
  loading('no server', {}, fails('network', /localhost:1\b/),
    { options: { model: 'http://localhost:1/model.minnow' } }),
  ...['text/plain', 'application/octet-stream', ''].map((type) =>
    loading(`.wasm as '${type}'`, { type }, works, { path: '/js/wasm/minnow-relaxed.wasm' })),
  loading('HTML with 200 in place of .wasm', { body: HTML, type: 'text/html' },
    fails('format', /minnow-relaxed\.wasm: a web page/),
    { path: '/js/wasm/minnow-relaxed.wasm' }),
  loading('.wasm compressed', {}, works, { site: { compress: true } }),
  loading('.wasm not found', { status: 404, body: '' }, fails('network', /minnow-relaxed\.wasm/),
    { path: '/js/wasm/minnow-relaxed.wasm' }),
  loading('plain http: no caches, no crypto.subtle', {}, (result) => {
    works(result);
    assert.equal(result.picked.threads, 1);
  }, { options: { integrity: INTEGRITY }, page: { host: 'plain.test' } }),
  loading('plain http: wrong integrity', {}, fails('integrity', /SHA-256/),
    { options: { integrity: WRONG }, page: { host: 'plain.test' } }),
  loading('no worker script: inline, with the reason', { status: 404, body: '' }, (result) => {
    works(result);
    assert.equal(result.picked.worker, 'inline');
    assert.match(result.picked.reason, /worker/);
  }, { path: '/js/src/worker.js' }),
  loading('./inline', {}, works, { page: { entry: ENTRY_INLINE } }),
];

/** In the page: what a Response, a Blob and bytes give, against the URL. */
async function inputs({ Minnow, RANDOM, vectorsHash }) {
  const hashes = [];
  const fetched = () => fetch(RANDOM);
  const bytes = await (await fetched()).arrayBuffer();
  for (const model of [RANDOM, new URL(RANDOM, location.href), await fetched(), bytes, new Uint8Array(bytes),
    new Blob([bytes])]) {
    const minnow = await Minnow.load({ model });
    hashes.push(await vectorsHash(await minnow.embed(['one', 'and two'])));
    await minnow.close();
  }
  return { hashes, kept: bytes.byteLength };
}

scenarios.push({
  name: 'network: a model as URL, Response, bytes and Blob',
  run: async (browser) => {
    const site = await startSite();
    try {
      const { hashes, kept } = await browser.run(site, inputs);
      assert.equal(new Set(hashes).size, 1);
      assert.equal(kept, FILE.length);
    } finally {
      await site.close();
    }
  },
});
