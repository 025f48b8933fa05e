// Minnow - SPDX-License-Identifier: Apache-2.0
// src/ -> dist/: each entry one file that needs no other, so that any page, bundler or worker can load it as it is.
import { copyFileSync, existsSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const folder = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url));
const ENTRIES = ['index', 'inline', 'full', 'transformers', 'langchain', 'ai-sdk', 'worker'];

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
  logLevel: 'warning',
});
// npm packs what lies in this folder.
copyFileSync(folder('../LICENSE'), folder('LICENSE'));
