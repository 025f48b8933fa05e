// Minnow - SPDX-License-Identifier: Apache-2.0
// What `npm pack` makes: its files and sizes, its types as TypeScript programs see them, and imports of every entry in
// Node.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

import { missing } from '../peers/index.mjs';

const here = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url));
const built = ['../../dist/index.js', '../../types/index.d.ts', '../../wasm/minnow-simd.wasm'].every((name) =>
  existsSync(here(name)),
);
const skip = built ? false : 'not built: make wasm, npm run build, npm run types';
const manifest = JSON.parse(readFileSync(here('../../package.json'), 'utf8'));
/** Of dist/index.js and dist/worker.js together, gzip. */
const SCRIPT_BUDGET = 24_000;

/** @type {string} an app's folder, the package in its node_modules */
let app;
/** @type {{path: string, size: number}[]} */
let files;

/** @param {string} path in the package */
const installed = (path) => join(app, 'node_modules', 'minnow-embed', path);

before(() => {
  if (skip) return;
  app = mkdtempSync(join(tmpdir(), 'minnow-package-'));
  const options = { cwd: here('../..'), encoding: /** @type {const} */ ('utf8') };
  const [packed] = JSON.parse(
    execFileSync('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', app], options),
  );
  files = packed.files;
  const target = installed('.');
  mkdirSync(target, { recursive: true });
  execFileSync('tar', ['-xzf', join(app, packed.filename), '-C', target, '--strip-components=1']);
  writeFileSync(join(app, 'package.json'), JSON.stringify({ name: 'app', private: true, type: 'module' }));
});

after(() => {
  if (app) rmSync(app, { recursive: true, force: true });
});

/** Entries of `exports` that are JavaScript with types. */
const ENTRIES = Object.keys(manifest.exports).filter((name) => typeof manifest.exports[name] === 'object');

test('only what belongs', { skip }, (t) => {
  for (const { path, size } of files) t.diagnostic(`${String(size).padStart(8)}  ${path}`);
  const belongs = new RegExp('^(dist/[a-z-]+\\.js|src/([a-z]+/)?[a-z0-9-]+\\.js|types/([a-z]+/)?[a-z0-9-]+\\.d\\.ts|' +
    'wasm/minnow-[a-z-]+\\.wasm|README\\.md|LICENSE|package\\.json)$');
  assert.deepEqual(files.map(({ path }) => path).filter((path) => !belongs.test(path)), []);
  for (const path of ['README.md', 'LICENSE', 'dist/index.js', 'dist/worker.js', 'types/index.d.ts',
    'wasm/minnow-simd.wasm']) {
    assert.ok(files.some((file) => file.path === path), `${path} is not packed`);
  }
});

test('nothing in it names a machine or a folder of one', { skip }, () => {
  for (const { path } of files) {
    const text = readFileSync(installed(path), 'latin1');
    assert.doesNotMatch(text, /\/(work|home|root|tmp)\/[a-z]|file:\/\/\/[a-z]|localhost|127\.0\.0\.1/, path);
  }
});

test('scripts are within their budget', { skip }, (t) => {
  const sizes = ['dist/index.js', 'dist/worker.js'].map((path) => gzipSync(readFileSync(installed(path))).length);
  t.diagnostic(`index.js and worker.js: ${sizes.join(' + ')} bytes of gzip`);
  assert.ok(sizes[0] + sizes[1] <= SCRIPT_BUDGET, `${sizes[0] + sizes[1]} bytes of gzip, over ${SCRIPT_BUDGET}`);
});

test('every entry is there, types first', { skip }, () => {
  for (const name of ENTRIES) {
    const entry = manifest.exports[name];
    assert.equal(Object.keys(entry)[0], 'types', name);
    for (const path of Object.values(entry)) assert.ok(existsSync(installed(path)), `${name}: ${path}`);
  }
});

test('no run-time dependencies', () => {
  for (const kind of ['dependencies', 'peerDependencies', 'optionalDependencies']) assert.equal(manifest[kind],
    undefined);
});

test('importing an entry in Node touches no global of browsers, and starts nothing', { skip }, () => {
  const names = ENTRIES.map((name) => `minnow-embed${name.slice(1)}`);
  const program = `
    const names = ['window', 'document', 'self', 'Worker', 'caches', 'navigator', 'location', 'indexedDB', 'fetch'];
    for (const name of names) {
      Object.defineProperty(globalThis, name, { configurable: true, get() { throw new Error('touched ' + name); } });
    }
    for (const name of ${JSON.stringify(names)}) await import(name);
    console.log('imported');`;
  const options = { cwd: app, encoding: /** @type {const} */ ('utf8'), timeout: 20000 };
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], options);
  assert.equal(stdout, 'imported\n', stderr);
});

const major = Number(process.versions.node.split('.')[0]);
test('require() of every entry', { skip: skip || (major < 22 && 'Node before 22 has no require() of modules') }, () => {
  const program = ENTRIES.map((name) => `require('minnow-embed${name.slice(1)}');`).join(' ');
  execFileSync(process.execPath, ['--input-type=commonjs', '-e', program], { cwd: app });
});

test('the README\'s files and options exist', { skip }, () => {
  const readme = readFileSync(installed('README.md'), 'utf8');
  for (const [, entry] of readme.matchAll(/'minnow-embed(\/[a-z/-]+)?'/g)) {
    if (entry !== undefined) assert.ok(`.${entry}` in manifest.exports, `README names minnow-embed${entry}`);
  }
});

for (const [resolution, module] of [['bundler', 'esnext'], ['node16', 'node16'], ['nodenext', 'nodenext']]) {
  test(`types under moduleResolution ${resolution}`, { skip: skip || missing }, () => {
    for (const name of ['types.ts', 'peers.ts']) cpSync(here(name), join(app, name));
    for (const name of ['ai', '@ai-sdk', '@langchain']) {
      const link = join(app, 'node_modules', name);
      if (!existsSync(link)) symlinkSync(here(`../peers/node_modules/${name}`), link, 'dir');
    }
    assert.equal(tsc('types.ts', { module, moduleResolution: resolution }), '');
    // What the others declare is theirs to check.
    assert.equal(tsc('peers.ts', { module, moduleResolution: resolution, skipLibCheck: true }), '');
  });
}

/**
 * @param {string} file
 * @param {object} options
 * @returns {string} what the compiler complains about
 */
function tsc(file, options) {
  const strict = { noEmit: true, strict: true, target: 'es2022', lib: ['es2022', 'dom', 'dom.iterable'], types: [] };
  writeFileSync(join(app, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: { ...strict, ...options }, files: [file] }));
  const program = here('../peers/node_modules/typescript/bin/tsc');
  return spawnSync(process.execPath, [program, '-p', app], { cwd: app, encoding: 'utf8' }).stdout;
}

test('publint finds nothing', { skip: skip || missing }, () => {
  const program = here('../peers/node_modules/publint/src/cli.js');
  const result = spawnSync(process.execPath, [program, installed('.'), '--strict', '--pack', 'false'],
    { encoding: 'utf8' });
  assert.equal(result.status, 0, result.stdout + result.stderr);
});

test('are the types wrong? No, for all who resolve modules as ES modules', { skip: skip || missing }, () => {
  const program = here('../peers/node_modules/@arethetypeswrong/cli/dist/index.js');
  const tarball = `minnow-embed-${manifest.version}.tgz`;
  const args = [program, join(app, tarball), '--profile', 'esm-only', '--format', 'ascii', '--no-emoji', '--no-color'];
  const asked = [...args, '--exclude-entrypoints', './wasm/*', './worker.js'];
  const result = spawnSync(process.execPath, asked, { encoding: 'utf8' });
  assert.equal(result.status, 0, result.stdout + result.stderr);
});
