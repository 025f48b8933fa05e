// Minnow - SPDX-License-Identifier: Apache-2.0
// dist/ as the package ships it (npm run build): what its files need and touch, and that package.json names what is
// there.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { goldenHashes, modelUrl, sha256, texts } from './fixtures.js';

const at = (/** @type {string} */ name) => new URL(`../${name}`, import.meta.url);
const manifest = JSON.parse(readFileSync(at('package.json'), 'utf8'));
const skip = !existsSync(at('dist/index.js')) && 'not built: npm run types, npm run build';
const built = skip ? [] : readdirSync(at('dist')).filter((name) => name.endsWith('.js'));

test('exports: types first, and every file is there', { skip }, () => {
  for (const [name, target] of Object.entries(manifest.exports)) {
    if (typeof target === 'string') continue;
    assert.equal(Object.keys(target)[0], 'types', name);
    // full.js and the adapters are built when their sources are there.
    const source = target.default.replace('./dist/', 'src/');
    if (existsSync(at(source))) for (const path of Object.values(target)) assert.ok(existsSync(at(path)), path);
  }
  for (const name of ['.', './inline', './worker.js', './wasm/*', './package.json']) assert.ok(name in manifest.exports,
    name);
  assert.equal(manifest.dependencies, undefined);
});

test('versions are exact, and the lock file names no host', () => {
  for (const version of Object.values(manifest.devDependencies)) assert.match(version, /^\d+\.\d+\.\d+$/);
  assert.ok(!/"resolved"/.test(readFileSync(at('package-lock.json'), 'utf8')));
});

test('each file of dist/ is whole: no imports, no top-level await', { skip }, () => {
  for (const name of built) {
    const code = readFileSync(at(`dist/${name}`), 'utf8');
    assert.ok(!/(^|[;}\s])import\s*["'{*]/.test(code), `${name} imports`);
    const lazy = [...code.matchAll(/\bimport\(([^)]*)\)/g)].map((match) => match[1]);
    // Of those that start workers; whatever a service worker may import has none.
    assert.deepEqual(lazy, ['index.js', 'transformers.js'].includes(name) ? ['"./inline-session.js"'] : [], name);
  }
  const inline = readFileSync(at('dist/inline.js'), 'utf8');
  assert.ok(!/new Worker\b|new URL\(["'`][^"'`]*worker/.test(inline), 'inline.js starts workers');
});

test('importing touches no browser global', { skip }, () => {
  const globals = ['window', 'document', 'navigator', 'location', 'self', 'Worker', 'caches', 'indexedDB', 'fetch',
    'crypto',
    'WebAssembly', 'Response', 'Blob', 'AbortSignal', 'crossOriginIsolated', 'performance', 'MessageChannel'];
  const entries = built.filter((name) => name !== 'worker.js').map((name) => at(`dist/${name}`).href);
  const program = `
    const names = ${JSON.stringify(globals)};
    const trap = (name) => ({ configurable: true, get() { throw new Error(name + ' was touched'); } });
    const before = names.map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)]);
    for (const name of names) Object.defineProperty(globalThis, name, trap(name));
    const trapped = Promise.all(${JSON.stringify(entries)}.map((url) => import(url)));
    trapped.then(() => process.exit(0), (error) => {
      for (const [name, own] of before) if (own) Object.defineProperty(globalThis, name, own);
      console.error(error);
      process.exit(1);
    });`;
  execFileSync(process.execPath, ['--input-type=module', '--eval', program], { stdio: 'pipe' });
});

test('require() of it, where Node has that', { skip: skip || (!process.features.require_module && 'this Node cannot') },
  () => {
  const index = JSON.stringify(fileURLToPath(at('dist/index.js')));
  const program = `const { Minnow } = require(${index}); process.exit(Minnow.load ? 0 : 1);`;
  execFileSync(process.execPath, ['--input-type=commonjs', '--eval', program], { stdio: 'pipe' });
});

for (const [name, options] of /** @type {[string, object][]} */ (
  [['index.js', {}], ['index.js', { threads: 2 }], ['inline.js', {}]])) {
  test(`dist/${name} ${JSON.stringify(options)}: the bytes of the native engine`, { skip }, async () => {
    const { Minnow } = await import(at(`dist/${name}`).href);
    const minnow = await Minnow.load({ model: modelUrl, ...options });
    assert.equal(minnow.picked.worker, name === 'index.js' ? 'worker' : 'inline');
    assert.equal(sha256((await minnow.embedBatch(texts.slice(0, 20))).data), goldenHashes[20]);
    await minnow.close();
  });
}

test('errors of what runs inline are of the class that index.js exports', { skip }, async () => {
  const { Minnow, MinnowError } = await import(at('dist/index.js').href);
  const isOurs = (/** @type {any} */ error) => error instanceof MinnowError;
  await assert.rejects(Minnow.load({ model: new Uint8Array(100), worker: false }), isOurs);
  const minnow = await Minnow.load({ model: modelUrl, worker: false, memoryLimit: 1 << 20 });
  await assert.rejects(minnow.embed(texts[0].repeat(20000)), isOurs);
  const pending = minnow.embed('a text');
  await Promise.all([assert.rejects(pending, isOurs), minnow.close()]);
});

test('a program that does not close its Minnow ends all the same', { skip }, () => {
  const program = `import { Minnow } from ${JSON.stringify(at('dist/index.js').href)};
    const minnow = await Minnow.load({ model: ${JSON.stringify(modelUrl.href)}, threads: 2 });
    console.log((await minnow.embed('text')).length);`;
  const out = execFileSync(process.execPath, ['--input-type=module', '--eval', program],
    { timeout: 60_000, encoding: 'utf8' });
  assert.equal(out.trim(), '80');
});
