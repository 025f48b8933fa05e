// Minnow - SPDX-License-Identifier: Apache-2.0
// What fewer dimensions and coarser numbers cost: a Markdown table of the sets' scores.
// Usage: node precision_table.mjs MINNOW_PROGRAM MODEL SET... (sets: folders as docs/EVAL.md says)
// The native program makes the vectors and the scores, vector.js what lies between. Bits count as 1 and -1, so that the
// cosine orders vectors as the number of equal bits does; queries and documents are coarse alike.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { quantizeVector, truncateVector } from '../src/vector.js';

/** @typedef {import('../src/vector.js').Precision} Precision */

const [program, model, ...sets] = process.argv.slice(2);
if (sets.length === 0) throw new Error('usage: node precision_table.mjs MINNOW_PROGRAM MODEL SET...');

/** @type {{dimensions: number, precision: Precision}[]} */
const VARIANTS = [
  { dimensions: 384, precision: 'float32' },
  { dimensions: 256, precision: 'float32' },
  { dimensions: 192, precision: 'float32' },
  { dimensions: 128, precision: 'float32' },
  { dimensions: 64, precision: 'float32' },
  { dimensions: 384, precision: 'int8' },
  { dimensions: 128, precision: 'int8' },
  { dimensions: 384, precision: 'binary' },
];
const NPY_HEAD = 10;

/** @param {string} path @returns {{dimensions: number, data: Float32Array}} float32 of two dimensions */
function readNpy(path) {
  const bytes = readFileSync(path);
  const begin = NPY_HEAD + bytes.readUInt16LE(8);
  const shape = /'shape': \(\d+, (\d+)\)/.exec(bytes.toString('latin1', NPY_HEAD, begin));
  if (shape === null) throw new Error(`${path}: not [n, dimensions]`);
  return { dimensions: Number(shape[1]), data: new Float32Array(Uint8Array.from(bytes.subarray(begin)).buffer) };
}

/** @param {string} path @param {Float32Array} data @param {number} dimensions */
function writeNpy(path, data, dimensions) {
  const shape = `(${data.length / dimensions}, ${dimensions})`;
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': ${shape}, }`.padEnd(128 - NPY_HEAD - 1).concat('\n');
  const head = Buffer.concat(
    [Buffer.from('\x93NUMPY\x01\x00', 'latin1'), Buffer.of(text.length, 0), Buffer.from(text)]);
  writeFileSync(path, Buffer.concat([head, Buffer.from(data.buffer)]));
}

/** @param {Float32Array} vector @param {(typeof VARIANTS)[number]} variant @returns {Float32Array} */
function coarse(vector, { dimensions, precision }) {
  const coarser = quantizeVector(truncateVector(vector, dimensions), precision);
  if (precision === 'float32' || precision === 'int8') return Float32Array.from(coarser);
  return Float32Array.from({ length: dimensions }, (_, i) => (((coarser[i >> 3] + 128) >> (7 - (i & 7))) & 1 ? 1 : -1));
}

/** @param {string[]} args */
const evaluate = (args) => execFileSync(program, ['eval', ...args], { encoding: 'utf8', maxBuffer: 2 ** 26 });

const folder = mkdtempSync(join(tmpdir(), 'minnow-precision-'));
const full = join(folder, 'full');
evaluate(['--model', model, '--save-vectors', full, ...sets]);
VARIANTS.forEach((variant, row) => {
  const made = join(folder, String(row));
  mkdirSync(made);
  for (const name of readdirSync(full).filter((file) => file.endsWith('.npy'))) {
    const { dimensions, data } = readNpy(join(full, name));
    const rows = Array.from({ length: data.length / dimensions }, (_, i) =>
      coarse(data.subarray(i * dimensions, (i + 1) * dimensions), variant),
    );
    const out = new Float32Array(rows.length * variant.dimensions);
    rows.forEach((vector, i) => out.set(vector, i * variant.dimensions));
    writeNpy(join(made, name), out, variant.dimensions);
  }
  const { tasks } = JSON.parse(evaluate(['--json', '--model', made, '--reference', full, ...sets]));
  if (row === 0) {
    console.log(`| dimensions | precision | bytes | ${tasks.map((/** @type {any} */ t) => `${t.name},
      ${t.metric}`).join(' | ')} |`);
    console.log(`|---|---|---|${'---|'.repeat(tasks.length)}`);
  }
  const bytes = quantizeVector(new Float32Array(variant.dimensions), variant.precision).byteLength;
  const cells = tasks.map((/** @type {any} */ t) => `${t.candidate.toFixed(2)} (${t.change_percent.toFixed(1)} %)`);
  console.log(`| ${variant.dimensions} | ${variant.precision} | ${bytes} | ${cells.join(' | ')} |`);
});
rmSync(folder, { recursive: true });
