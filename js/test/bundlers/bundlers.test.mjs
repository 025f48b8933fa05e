// Minnow - SPDX-License-Identifier: Apache-2.0
// The package as npm packs it, in a page that each bundler makes, in Chromium: every page must compute the golden
// vectors, in a worker, without a line of configuration for Minnow. Bundlers come from test/peers, the browser from
// CHROMIUM.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { missing, peer } from '../peers/index.mjs';

const here = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url));
const chromium = process.env.CHROMIUM ?? '/usr/bin/chromium';
const built = existsSync(here('../../wasm/minnow-simd.wasm')) && existsSync(here('../../dist/index.js'));
const skip = missing || (!existsSync(chromium) && `no ${chromium}`) ||
  (!built && 'not built: make wasm, npm run build');

const golden = JSON.parse(readFileSync(here('../../../tests/golden/same_bytes.json'), 'utf8'));
const wanted = golden.models.find((/** @type {any} */ model) => model.name === 'random').vectors['20'];
const TYPES = /** @type {Record<string, string>} */ ({
  '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript', '.wasm': 'application/wasm',
});

/** @type {string} */
let app;
/** @type {any} */
let browser;

before(async () => {
  if (skip) return;
  app = mkdtempSync(join(tmpdir(), 'minnow-bundlers-'));
  installPackage(app);
  cpSync(here('app'), app, { recursive: true });
  const { chromium: driver } = await peer('playwright-core');
  browser = await driver.launch({ executablePath: chromium, args: ['--no-sandbox'] });
});

after(async () => {
  await browser?.close();
  if (app) rmSync(app, { recursive: true, force: true });
});

/**
 * Puts what `npm pack` makes into a folder's node_modules.
 * @param {string} folder
 */
function installPackage(folder) {
  const options = { cwd: here('../..'), encoding: /** @type {const} */ ('utf8') };
  const listing = execFileSync('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], options);
  const [{ filename }] = JSON.parse(listing);
  const target = join(folder, 'node_modules', 'minnow-embed');
  mkdirSync(target, { recursive: true });
  execFileSync('tar', ['-xzf', join(folder, filename), '-C', target, '--strip-components=1']);
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'app', private: true, type: 'module' }));
}

/**
 * Files of a folder, and the golden ones under /golden/. What is not there is index.html with 200, as development
 * servers and many hosts answer.
 * @param {string} folder
 * @returns {Promise<{url: string, close: () => void}>}
 */
async function serve(folder) {
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://host').pathname);
    if (sendGolden(path, response)) return;
    let file = join(folder, path);
    if (path.endsWith('/') || !existsSync(file)) file = join(folder, 'index.html');
    response.setHeader('Content-Type', TYPES[extname(file)] ?? 'application/octet-stream');
    response.end(readFileSync(file));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${port}/`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/**
 * @param {string} path
 * @param {import('node:http').ServerResponse} response
 * @returns {boolean} it was one of the golden files, and is answered
 */
function sendGolden(path, response) {
  if (!path.startsWith('/golden/')) return false;
  response.end(readFileSync(join(here('../../../tests'), path)));
  return true;
}

/** The golden files in Vite's development server. */
const goldenFiles = {
  name: 'golden',
  configureServer(/** @type {any} */ { middlewares }) {
    middlewares.use((/** @type {any} */ request, /** @type {any} */ response, /** @type {() => void} */ next) => {
      if (!sendGolden(request.url, response)) next();
    });
  },
};

/**
 * Opens the page, and looks at what main.js left.
 * @param {string} url
 */
async function computesGolden(url) {
  const page = await browser.newPage();
  /** @type {string[]} */
  const problems = [];
  page.on('pageerror', (/** @type {Error} */ error) => problems.push(String(error)));
  page.on('console', (/** @type {any} */ message) => problems.push(message.text()));
  try {
    await page.goto(url);
    const handle = await page.waitForFunction('window.result', null, { timeout: 30000 });
    const result = await handle.jsonValue();
    assert.equal(result.error, undefined);
    assert.equal(result.sha256, wanted);
    assert.equal(result.picked.worker, 'worker', result.picked.reason);
  } catch (error) {
    throw new Error(`${url}: ${/** @type {Error} */ (error).message}; console: ${problems.join(' | ')}`,
      { cause: error });
  } finally {
    await page.close();
  }
}

/** @param {string} folder */
async function pageOf(folder) {
  const server = await serve(folder);
  try {
    await computesGolden(server.url);
  } finally {
    server.close();
  }
}

test('a plain script of type module, with an import map', { skip }, async () => {
  const html = readFileSync(join(app, 'index.html'), 'utf8');
  const map = { imports: { 'minnow-embed': './node_modules/minnow-embed/dist/index.js' } };
  const plain = join(app, 'plain');
  mkdirSync(plain);
  for (const name of ['main.js', 'node_modules']) cpSync(join(app, name), join(plain, name), { recursive: true });
  writeFileSync(
    join(plain, 'index.html'),
    html.replace('<script', `<script type="importmap">${JSON.stringify(map)}</script>\n<script`),
  );
  await pageOf(plain);
});

/**
 * @param {string} out
 * @param {string} options of Minnow.load beside `model`
 */
async function esbuildInto(out, options) {
  const esbuild = await peer('esbuild');
  const main = readFileSync(join(app, 'main.js'), 'utf8');
  const contents = main.replace("{ model: '/golden/random.minnow' }", `{ model: '/golden/random.minnow', ${options} }`);
  const stdin = { contents, resolveDir: app };
  await esbuild.build({ stdin, bundle: true, format: 'esm', outfile: join(out, 'main.js'), logLevel: 'error' });
  cpSync(join(app, 'index.html'), join(out, 'index.html'));
}

test('esbuild, which copies no files: two options say where they are', { skip }, async () => {
  const out = join(app, 'out-esbuild');
  await esbuildInto(out, "wasmUrl: '/minnow/wasm/', workerUrl: '/minnow/dist/worker.js'");
  for (const folder of ['dist', 'wasm']) {
    cpSync(join(app, 'node_modules/minnow-embed', folder), join(out, 'minnow', folder), { recursive: true });
  }
  await pageOf(out);
});

test('esbuild without them: the error says what to do', { skip }, async () => {
  const out = join(app, 'out-esbuild-bare');
  await esbuildInto(out, '');
  await assert.rejects(pageOf(out), /\.wasm: a web page came instead of a WASM module .* pass wasmUrl and workerUrl/);
});

test('webpack', { skip }, async () => {
  const { default: webpack } = await peer('webpack');
  const out = join(app, 'out-webpack');
  const compiler = webpack({
    mode: 'production', context: app, entry: './main.js', output: { path: out, filename: 'main.js' },
  });
  const stats = await new Promise((resolve, reject) => {
    compiler.run((/** @type {Error | null} */ error, /** @type {any} */ done) =>
      (error ? reject(error) : resolve(done)));
  });
  await new Promise((resolve) => compiler.close(resolve));
  assert.equal(stats.hasErrors(), false, stats.toString());
  cpSync(join(app, 'index.html'), join(out, 'index.html'));
  await pageOf(out);
});

for (const version of ['vite']) {
  test(`${version}: build`, { skip }, async () => {
    const { build } = await peer(version);
    const outDir = join(app, `out-${version}`);
    await build({ root: app, configFile: false, logLevel: 'error', build: { outDir } });
    await pageOf(outDir);
  });

  test(`${version}: development server`, { skip }, async () => {
    const { createServer: createViteServer } = await peer(version);
    const cacheDir = join(app, 'node_modules/.vite');
    rmSync(cacheDir, { recursive: true, force: true });
    const server = await createViteServer({
      root: app, configFile: false, logLevel: 'error', plugins: [goldenFiles], server: { host: '127.0.0.1', port: 0 },
    });
    await server.listen();
    try {
      await computesGolden(`http://127.0.0.1:${server.httpServer.address().port}/`);
    } finally {
      await server.close();
    }
  });
}
