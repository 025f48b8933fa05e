// Minnow - SPDX-License-Identifier: Apache-2.0
// Where the package may find itself: under a Content-Security-Policy, from another origin, in a service worker, in an
// extension, in a browser without SIMD.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Chromium, ENTRY, ENTRY_INLINE, chromiumPath, playwright } from '../harness.mjs';
import { ROOT, startSite } from '../../../bench/browser/server.mjs';
import { RANDOM } from '../tools.mjs';

/** In the page: loads the package from wherever it is told, and embeds. */
async function embeds({ RANDOM, rejection, vectorsHash }, { entry, options = {} }) {
  const { Minnow } = await import(entry);
  /** @type {any} */
  let minnow = null;
  const error = await rejection(Minnow.load({ model: RANDOM, threads: 1, ...options }).then((value) => {
    minnow = value;
  }));
  if (minnow === null) return { error };
  const hash = await vectorsHash([await minnow.embed('one text')]);
  await minnow.close();
  return { error, hash, picked: minnow.picked };
}

const HASH = {
  /** @type {string | null} of the same text, wherever it is embedded */
  first: null,
  /** @param {string} hash */
  check(hash) {
    this.first ??= hash;
    assert.equal(hash, this.first);
  },
};

/** @param {string} rest */
const csp = (rest) => ({ 'content-security-policy': `default-src 'self'; img-src data:; ${rest}` });

/**
 * @param {string} name
 * @param {Record<string, string>} headers of the page and, as the worker's own policy, of everything
 * @param {(result: any) => void} check
 * @param {object} [options]
 * @returns {import('../run.mjs').Scenario}
 */
function policy(name, headers, check, options) {
  return {
    name: `places: ${name}`,
    run: async (browser) => {
      const site = await startSite({ headers });
      try {
        check(await browser.run(site, embeds, { entry: null, headers, argument: { entry: ENTRY, options } }));
      } finally {
        await site.close();
      }
    },
  };
}

/**
 * The package from another origin than the page.
 * @param {string} name
 * @param {(origin: string) => Record<string, string>} headers of the page
 * @param {(result: any) => void} check
 * @returns {import('../run.mjs').Scenario}
 */
function abroad(name, headers, check) {
  return {
    name: `places: ${name}`,
    run: async (browser) => {
      const [home, other] = await Promise.all([startSite(), startSite({ cors: true })]);
      try {
        const argument = { entry: other.url(ENTRY) };
        check(await browser.run(home, embeds, { entry: null, headers: headers(other.origin), argument }));
        assert.ok(other.requests.some(({ path }) => path.endsWith('.wasm')),
          'the module comes from the package\'s origin');
        assert.ok(home.requests.some(({ path }) => path === RANDOM), 'the model from the page\'s');
      } finally {
        await Promise.all([home.close(), other.close()]);
      }
    },
  };
}

/** @param {'worker'|'blob'|'inline'} worker @param {RegExp} [reason] */
const runs = (worker, reason = /^/) => (/** @type {any} */ { error, hash, picked }) => {
  assert.equal(error, null, JSON.stringify(error));
  assert.equal(picked.worker, worker, JSON.stringify(picked));
  assert.match(picked.reason, reason);
  HASH.check(hash);
};

/** @param {any} result */
const forbidden = ({ error }) => {
  assert.equal(error?.code, 'csp', JSON.stringify(error));
  assert.match(error.message, /wasm-unsafe-eval/);
};

const SERVICE_WORKER = `
import { Minnow } from '${ENTRY_INLINE}';
self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));
self.addEventListener('message', (event) => event.waitUntil((async () => {
  try {
    const minnow = await Minnow.load({ model: '${RANDOM}' });
    const vector = await minnow.embed('one text');
    event.source.postMessage({ vector, picked: minnow.picked });
  } catch (error) {
    event.source.postMessage({ error: String(error) });
  }
})()));`;

/** In the page: asks a service worker for a vector. */
async function asksServiceWorker({ vectorsHash }) {
  await navigator.serviceWorker.register('/service-worker.js', { type: 'module' });
  const { active } = await navigator.serviceWorker.ready;
  const answer = new Promise((resolve) =>
    navigator.serviceWorker.addEventListener('message', ({ data }) => resolve(data)));
  active?.postMessage('embed');
  const { error = null, vector, picked } = await answer;
  return { error, hash: vector && (await vectorsHash([vector])), picked };
}

const MANIFEST = {
  manifest_version: 3, name: 'Test', version: '1',
  content_security_policy: { extension_pages: "script-src 'self' 'wasm-unsafe-eval'; object-src 'self'" },
};
const EXTENSION_PAGE = '<!doctype html><meta charset=utf-8><script type=module src=/page.mjs></script>';
const EXTENSION_SCRIPT = `
import * as tools from '/tools.mjs';
const script = ${embeds};
globalThis.result = tools.settled(() => script({ ...tools, RANDOM: '/random.minnow' }, { entry: '${ENTRY}' }));`;

/** @returns {Promise<void>} an unpacked extension whose page embeds */
async function inExtension() {
  const folder = await mkdtemp(join(tmpdir(), 'minnow-extension-'));
  const profile = await mkdtemp(join(tmpdir(), 'minnow-profile-'));
  let context;
  try {
    for (const part of ['src', 'dist', 'wasm']) {
      await cp(join(ROOT, 'js', part), join(folder, 'js', part), { recursive: true }).catch((error) => {
        if (part !== 'dist') throw error; // not built
      });
    }
    await cp(join(ROOT, RANDOM), join(folder, 'random.minnow'));
    await cp(join(ROOT, 'tests/browser/tools.mjs'), join(folder, 'tools.mjs'));
    await writeFile(join(folder, 'manifest.json'), JSON.stringify(MANIFEST));
    await writeFile(join(folder, 'page.html'), EXTENSION_PAGE);
    await writeFile(join(folder, 'page.mjs'), EXTENSION_SCRIPT);
    const chromium = await playwright();
    context = await chromium.launchPersistentContext(profile, {
      executablePath: chromiumPath(), ignoreDefaultArgs: ['--disable-extensions'],
      args: ['--no-sandbox', '--disable-gpu', `--disable-extensions-except=${folder}`, `--load-extension=${folder}`,
        '--disable-features=DisableLoadExtensionCommandLineSwitch'],
    });
    const page = await context.newPage();
    await page.goto(`chrome-extension://${extensionId(folder)}/page.html`);
    const { value, error } = await page.evaluate('globalThis.result');
    assert.equal(error, undefined, JSON.stringify(error));
    runs('worker')(value);
  } finally {
    await context?.close();
    await Promise.all([folder, profile].map((path) =>
      rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })));
  }
}

/** An unpacked extension's name: SHA-256 of its path, 32 digits of it, in letters from a on. @param {string} folder */
function extensionId(folder) {
  const digits = createHash('sha256').update(folder).digest('hex').slice(0, 32);
  return [...digits].map((digit) => String.fromCharCode(97 + parseInt(digit, 16))).join('');
}

/** @type {import('../run.mjs').Scenario[]} */
export const scenarios = [
  policy('a strict policy', csp("script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'"), runs('worker')),
  policy('a strict policy, inline', csp("script-src 'self' 'wasm-unsafe-eval'; worker-src 'none'"), runs('inline'),
    { worker: false }),
  policy('a policy without workers: inline, with the reason',
    csp("script-src 'self' 'wasm-unsafe-eval'; worker-src 'none'"),
    runs('inline', /worker/)),
  policy('a policy without WebAssembly', csp("script-src 'self'; worker-src 'self'"), forbidden),
  policy('a policy without WebAssembly, inline', csp("script-src 'self'; worker-src 'self'"), forbidden,
    { worker: false }),
  abroad('the package from another origin: a blob worker', () => ({}), runs('blob')),
  abroad('another origin, blob: forbidden: inline, with the reason', (origin) => ({ 'content-security-policy':
    `default-src 'self' ${origin}; script-src 'self' ${origin} 'wasm-unsafe-eval'; worker-src 'self'` }),
  runs('inline', /blob/)),
  // What a worker's first script imports is the worker's too: worker-src names the origin, not only script-src.
  abroad('another origin, blob: allowed by a policy', (origin) => ({ 'content-security-policy': "default-src 'self' " +
    `${origin}; script-src 'self' ${origin} 'wasm-unsafe-eval'; worker-src 'self' blob: ${origin}` }),
  runs('blob')),
  {
    name: 'places: ./inline in a service worker',
    run: async (browser) => {
      const site = await startSite();
      site.answer('/service-worker.js', { type: 'text/javascript', body: SERVICE_WORKER });
      try {
        runs('inline')(await browser.run(site, asksServiceWorker, { entry: null }));
      } finally {
        await site.close();
      }
    },
  },
  { name: 'places: an extension page', run: inExtension },
  {
    name: 'places: a processor without SIMD',
    run: async () => {
      const site = await startSite();
      const old = await Chromium.start(
        ['--js-flags=--no-enable-sse4-1 --no-enable-ssse3 --no-enable-sse4-2 --no-enable-avx']);
      try {
        const { error } = await old.run(site, embeds, { entry: null, argument: { entry: ENTRY } });
        assert.equal(error?.code, 'no-simd', JSON.stringify(error));
      } finally {
        await old.close();
        await site.close();
      }
    },
  },
];
