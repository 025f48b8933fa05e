// Minnow - SPDX-License-Identifier: Apache-2.0
//
// Makes the site that bench.mjs measures: one folder with the pages, each with one bundled script, Minnow, its peers
// and the models, and a brotli file beside each text, script and module. The folder can be carried to another machine.
//
// usage: node prepare.mjs --package JS_FOLDER --wasm WASM_FOLDER --minnow MODEL.minnow --model FOLDER
//            --onnx MODEL.onnx --quantized MODEL_QUANTIZED.onnx --out FOLDER
//
// --package: Minnow's npm package, js/. --model: the folder with the model's tokenizer.json and config.json.

import { build } from 'esbuild';
import { promises as fs } from 'node:fs';
import { createHash } from 'node:crypto';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import zlib from 'node:zlib';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const ORT = path.join(HERE, 'node_modules/onnxruntime-web/dist');
const TRANSFORMERS = path.join(HERE, 'node_modules/@huggingface/transformers');
const CODED = new Set(['.css', '.html', '.js', '.json', '.mjs', '.wasm']);

const { values: args } = parseArgs({
  options: Object.fromEntries(
    ['package', 'wasm', 'minnow', 'model', 'onnx', 'quantized', 'out'].map((name) => [name, { type: 'string' }]),
  ),
});

async function copy(from, to) {
  const target = path.join(args.out, to);
  await fs.mkdir(path.dirname(target), { recursive: true });
  await fs.copyFile(from, target);
}

/** Brotli at its best, of files that have changed: runtimes of 27 MB take it a minute. */
async function code(file) {
  const bytes = await fs.readFile(file);
  const mark = createHash('sha256').update(bytes).digest('hex');
  const note = file + '.br.of';
  if ((await fs.readFile(note, 'utf8').catch(() => '')) === mark) return;
  const coded = await promisify(zlib.brotliCompress)(bytes, {
    params: { [zlib.constants.BROTLI_PARAM_SIZE_HINT]: bytes.length, [zlib.constants.BROTLI_PARAM_LGWIN]: 24 },
  });
  await fs.writeFile(file + '.br', coded);
  await fs.writeFile(note, mark);
}

async function codeAll(folder) {
  for (const entry of await fs.readdir(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) await codeAll(file);
    else if (CODED.has(path.extname(entry.name))) await code(file);
  }
}

/** The entry of Minnow's package, as its own exports name it: source, for a bundle needs no other. */
const minnowSource = {
  name: 'minnow-source',
  setup(build) {
    build.onResolve({ filter: /^minnow-embed(\/.*)?$/ }, ({ path: name }) => ({
      path: path.resolve(args.package, 'src', (name.slice('minnow-embed/'.length) || 'index') + '.js'),
    }));
  },
};

async function bundle(entry, name) {
  await build({
    entryPoints: [entry], outfile: path.join(args.out, name), bundle: true, format: 'esm', minify: true,
    target: 'es2022',
    legalComments: 'none', logLevel: 'error', plugins: [minnowSource], nodePaths: [path.join(HERE, 'node_modules')],
    // Runtimes and models are fetched from where the page says, never found beside a script.
    loader: { '.wasm': 'empty' },
  });
}

async function main() {
  for (const name of ['package', 'wasm', 'minnow', 'model', 'onnx', 'quantized', 'out']) {
    if (!args[name]) throw new Error(`prepare.mjs: --${name} is missing`);
  }
  await fs.mkdir(args.out, { recursive: true });
  for (const name of await fs.readdir(path.join(HERE, 'pages'))) {
    const page = path.join(HERE, 'pages', name);
    if (name.endsWith('.js')) await bundle(page, name);
    else await copy(page, name);
  }
  await bundle(path.join(args.package, 'src/worker.js'), 'worker.js');
  for (const name of await fs.readdir(args.wasm)) { // the package's modules alone, not those that check kernels
    if (/^minnow-.*\.wasm$/.test(name)) await copy(path.join(args.wasm, name), `wasm/${name}`);
  }
  for (const name of ['ort.wasm.bundle.min.mjs', 'ort-wasm-simd-threaded.mjs', 'ort-wasm-simd-threaded.wasm']) {
    await copy(path.join(ORT, name), `ort/${name}`);
  }
  // transformers.js has an onnxruntime-web of its own; these two files are those that it loads by default.
  for (const name of ['ort-wasm-simd-threaded.asyncify.mjs', 'ort-wasm-simd-threaded.asyncify.wasm']) {
    await copy(path.join(TRANSFORMERS, 'node_modules/onnxruntime-web/dist', name), `ort-transformers/${name}`);
  }
  await copy(args.minnow, 'models/minnow/model.minnow');
  for (const name of ['config.json', 'tokenizer.json', 'tokenizer_config.json']) {
    await copy(path.join(args.model, name), `models/onnx/${name}`);
  }
  await copy(args.onnx, 'models/onnx/onnx/model.onnx');
  await copy(args.quantized, 'models/onnx/onnx/model_quantized.onnx');
  await codeAll(args.out);
}

main().catch((error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
