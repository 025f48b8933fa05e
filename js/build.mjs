// Minnow - SPDX-License-Identifier: Apache-2.0
// src/ -> dist/: each entry one file that any page, bundler or worker can load as it is. None needs another, but that
// index.js imports inline-session.js where there is no worker.
import { copyFileSync, existsSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const folder = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url));
const ENTRIES = ['index', 'inline-session', 'inline', 'full', 'transformers', 'langchain', 'ai-sdk', 'worker'];

/** What is imported at run time stays a file of its own, named as in src/. @type {import('esbuild').Plugin} */
const lazy = {
  name: 'lazy',
  setup({ onResolve }) {
    onResolve({ filter: /^\./ }, ({ kind, path }) => (kind === 'dynamic-import' ? { path, external: true } : null));
  },
};

rmSync(folder('dist'), { recursive: true, force: true });
await build({
  entryPoints: ENTRIES.map((name) => folder(`src/${name}.js`)).filter((path) => existsSync(path)),
  outdir: folder('dist'),
  bundle: true,
  format: 'esm',
  platform: 'neutral',
  target: 'es2022',
  minify: true,
  // Errors are told apart by the names of their classes.
  keepNames: true,
  banner: { js: '// Minnow, Apache-2.0' },
  packages: 'external',
  plugins: [lazy],
  logLevel: 'warning',
});
// npm packs what lies in this folder.
copyFileSync(folder('../LICENSE'), folder('LICENSE'));
