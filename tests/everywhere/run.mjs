// Minnow - SPDX-License-Identifier: Apache-2.0
// One INT8 ONNX file, the same sentences, everywhere: C, C++, Python, JavaScript, WASM, in Node and in Chromium. Prints
// a table of cosines to what C gives; fails where they are too low. What is not installed is named as skipped.
//   node tests/everywhere/run.mjs BUILD FOLDER     FOLDER: what `minnow quantize --to onnx -o FOLDER/` wrote
// PYTHON names a Python with onnxruntime; js/test/peers has onnxruntime-web and transformers.js (`make test-js-peers`
// installs them); CHROMIUM names a browser.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { Chromium, Skip, chromiumPath } from '../browser/harness.mjs';
import { ROOT } from '../../bench/browser/server.mjs';
import { PEERS, inChromium, onnxruntimeOfNode, transformersOfNode } from './peers.mjs';
import { byMinnowFull, byOnnxruntime, compared } from './vectors.mjs';

const [build, folder] = process.argv.slice(2).map((path) => resolve(path));
const HERE = dirname(fileURLToPath(import.meta.url));
const MODEL = join(folder, 'onnx/model_quantized.onnx');
const FULL = join(build, 'wasm/minnow-full.wasm');
const LINES = readFileSync(join(HERE, 'texts.txt'), 'utf8');
const TEXTS = LINES.trimEnd().split('\n');

/** Ours have the same bits; others sum in other orders, which turns some codes over. */
const OURS = { mean: 0.99999, least: 0.99999 };
const OTHERS = { mean: 0.999, least: 0.996 };

/** @param {string} program @param {string[]} args @param {string} input */
function run(program, args, input) {
  const { status, stdout, stderr, error } = spawnSync(program, args, { input, maxBuffer: 1 << 28 });
  if (error !== undefined) throw new Skip(`${program} does not start`);
  if (status === 77) throw new Skip(`${program} lacks onnxruntime`);
  if (status !== 0) throw new Error(`${program}: ${stderr}`);
  return stdout;
}

/** @param {string} path @param {string} how to get it */
function need(path, how) {
  if (!existsSync(path)) throw new Skip(`no ${relative(ROOT, path)}: ${how}`);
  return path;
}
const peer = (/** @type {string} */ path) => need(join(PEERS, path), 'make test-js-peers installs it');

/** @param {Buffer} bytes float32 */
function rowsOf(bytes) {
  const floats = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  const dimensions = floats.length / TEXTS.length;
  return TEXTS.map((_, i) => floats.subarray(i * dimensions, (i + 1) * dimensions));
}

const ids = run(join(build, 'minnow'), ['tokenize', '--tokenizer', join(folder, 'vocab.txt'), '--max-tokens',
  String(JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')).max_position_embeddings)], LINES);
const rows = String(ids).trimEnd().split('\n').map((line) => JSON.parse(line));

/** transformers.js, as a folder of the Hub's. */
async function byTransformers() {
  need(join(folder, 'tokenizer.json'), 'the model has none');
  peer('@huggingface/transformers');
  const extract = await (await transformersOfNode(dirname(folder)))(basename(folder), 'q8');
  return (await extract(TEXTS, { pooling: 'mean', normalize: true })).tolist();
}

/** @type {Chromium | null} */
let chromium = null;

/** @param {'minnow' | 'onnxruntime'} way */
async function byChromium(way) {
  if (chromiumPath() === null) throw new Skip('no Chromium here');
  try {
    chromium ??= await Chromium.start();
  } catch (error) {
    throw new Skip(`Chromium does not start: ${/** @type {Error} */ (error).message.split('\n')[0]}`);
  }
  return inChromium(chromium, way, { model: readFileSync(MODEL), full: FULL, rows });
}

/** @type {{name: string, bounds: typeof OURS, vectors: () => any}[]} the first is the reference */
const WAYS = [
  { name: 'C, libminnow', bounds: OURS, vectors: () => rowsOf(run(join(build, 'everywhere/vectors'), [MODEL], LINES)) },
  { name: 'C++, libminnow', bounds: OURS,
    vectors: () => rowsOf(run(need(join(build, 'everywhere/vectors++'), 'no C++ compiler'), [MODEL], LINES)) },
  { name: 'WASM, minnow-full in Node', bounds: OURS, vectors: async () => {
    const bytes = readFileSync(need(FULL, 'make wasm'));
    const { Session } = await import(pathToFileURL(join(ROOT, 'js/src/full.js')).href);
    return byMinnowFull(Session, readFileSync(MODEL).buffer, rows, { wasmUrl: new WebAssembly.Module(bytes) });
  } },
  { name: 'WASM, minnow-full in Chromium', bounds: OURS, vectors: () => {
    need(FULL, 'make wasm');
    return byChromium('minnow');
  } },
  { name: 'Python, onnxruntime', bounds: OTHERS, vectors: () => {
    const printed = run(process.env.PYTHON ?? 'python3', [join(HERE, 'vectors.py'), MODEL], JSON.stringify(rows));
    return JSON.parse(String(printed)).vectors;
  } },
  { name: 'JavaScript, onnxruntime-web in Node', bounds: OTHERS,
    vectors: async () => {
      peer('onnxruntime-web/dist/ort.node.min.mjs');
      return byOnnxruntime(await onnxruntimeOfNode(), readFileSync(MODEL), rows);
    } },
  { name: 'JavaScript, onnxruntime-web in Chromium', bounds: OTHERS, vectors: () => {
    peer('onnxruntime-web/dist/ort.wasm.min.mjs');
    return byChromium('onnxruntime');
  } },
  { name: 'JavaScript, transformers.js (q8) in Node', bounds: OTHERS,
    vectors: byTransformers },
];

/**
 * @param {typeof WAYS[number]} way
 * @param {any} reference null: this is it
 * @returns {Promise<{line: string, got: any}>}
 */
async function tried({ name, bounds, vectors }, reference) {
  const got = await vectors();
  const { mean, least, difference } = compared(got, reference ?? got);
  const line = `${name.padEnd(44)}${mean.toFixed(6)}  ${least.toFixed(6)}  ${difference.toFixed(6)}`;
  if (!(mean >= bounds.mean && least >= bounds.least)) throw new Error(`${line}   too far`);
  return { line, got };
}

async function main() {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  let reference = null;
  const megabytes = (statSync(MODEL).size / 1e6).toFixed(2);
  console.log(`${relative(ROOT, MODEL)}, ${megabytes} MB, ${TEXTS.length} texts; beside C's vectors:`);
  console.log(`${''.padEnd(53)}cosine    least     largest difference`);
  for (const way of WAYS) {
    try {
      const { line, got } = await tried(way, reference);
      reference ??= got;
      counts.passed++;
      console.log(`ok       ${line}`);
    } catch (error) {
      const skips = error instanceof Skip;
      counts[skips ? 'skipped' : 'failed']++;
      const reason = skips ? error.message : /** @type {Error} */ (error).stack;
      console.log(`${skips ? 'skipped' : 'FAILED '}  ${way.name}: ${reason}`);
    }
  }
  await chromium?.close();
  console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  process.exitCode = counts.failed > 0 ? 1 : 0;
}

await main();
