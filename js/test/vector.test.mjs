// Minnow - SPDX-License-Identifier: Apache-2.0
// vector.js against what the native engine made of the same token vectors (golden/pooling.json), bit for bit; and bad
// input.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import {
  INT8_SCALE,
  l2Normalize,
  meanPool,
  quantizeVector,
  similarity,
  truncateVector,
} from '../src/vector.js';

const golden = JSON.parse(readFileSync(new URL('golden/pooling.json', import.meta.url), 'utf8'));
const DIMENSIONS = 80;

/** @param {string} base64 */
function floats(base64) {
  return new Float32Array(Uint8Array.from(Buffer.from(base64, 'base64')).buffer);
}

/** Bits, not values: -0 is not 0 here. @param {ArrayBufferView} got @param {string} wanted base64 */
function sameBytes(got, wanted) {
  assert.equal(Buffer.from(got.buffer, got.byteOffset, got.byteLength).toString('base64'), wanted);
}

const rows = golden.rows.map((/** @type {any} */ row) => ({
  ...row,
  tokens: { data: floats(row.token_vectors), dims: [row.tokens, DIMENSIONS] },
}));

test('int8: next to halves, the codes of `minnow embed --precision int8`', () => {
  const cases = readFileSync(new URL('../../tests/golden/int8_rounding.txt', import.meta.url),
    'utf8').trim().split('\n');
  for (const line of cases) {
    const [bits, wanted] = line.split(' ');
    const number = new Float32Array(Uint32Array.of(parseInt(bits, 16)).buffer);
    assert.equal(quantizeVector(number, 'int8')[0], Number(wanted), line);
  }
  assert.ok(cases.length > 100);
});

test('mean pooling and normalizing give the engine\'s bits', () => {
  for (const { tokens, no_normalize, float32 } of rows) {
    const pooled = meanPool(tokens);
    assert.ok(pooled instanceof Float32Array);
    sameBytes(pooled, no_normalize);
    sameBytes(l2Normalize(pooled), float32);
    sameBytes(l2Normalize(meanPool(tokens.data, new Uint8Array(tokens.dims[0]).fill(1))), float32);
  }
});

test('the golden vectors tell one rounding from two', () => {
  const twice = rows.some((/** @type {any} */ row) => {
    const copied = l2Normalize(Float32Array.from(floats(row.no_normalize)));
    return Buffer.from(copied.buffer).toString('base64') !== row.float32;
  });
  assert.ok(twice, 'a golden vector that changes when its mean is rounded first');
});

test('a mean that was changed is normalized as it is', () => {
  const pooled = meanPool(rows[0].tokens);
  pooled[7] = 100;
  assert.deepEqual(l2Normalize(pooled), l2Normalize(Float32Array.from(pooled)));
});

test('a padded batch gives each text what it gives alone', () => {
  const longest = Math.max(...rows.map((/** @type {any} */ row) => row.tokens.dims[0]));
  const data = new Float32Array(rows.length * longest * DIMENSIONS).fill(NaN);
  const mask = new BigInt64Array(rows.length * longest);
  rows.forEach((/** @type {any} */ row, /** @type {number} */ i) => {
    data.set(row.tokens.data, i * longest * DIMENSIONS);
    mask.fill(1n, i * longest, i * longest + row.tokens.dims[0]);
  });
  const batch = { data, dims: /** @type {[number, number, number]} */ ([rows.length, longest, DIMENSIONS]) };
  const vectors = l2Normalize(meanPool(batch, mask));
  assert.deepEqual(vectors.dims, [rows.length, DIMENSIONS]);
  rows.forEach((/** @type {any} */ row, /** @type {number} */ i) => {
    sameBytes(vectors.data.subarray(i * DIMENSIONS, (i + 1) * DIMENSIONS), row.float32);
  });
});

test('precisions and fewer dimensions are the native program\'s', () => {
  for (const row of rows) {
    const vector = floats(row.float32);
    sameBytes(quantizeVector(vector, 'int8'), row.int8);
    sameBytes(quantizeVector(vector, 'binary'), row.binary);
    sameBytes(quantizeVector(vector, 'ubinary'), row.ubinary);
    assert.equal(quantizeVector(vector, 'float32'), vector);
    const short = truncateVector(vector, 50);
    sameBytes(short, row.dimensions_50);
    sameBytes(quantizeVector(short, 'ubinary'), row.ubinary_50);
    assert.equal(truncateVector(vector, DIMENSIONS), vector);
    assert.deepEqual(truncateVector(vector, 3, false), vector.slice(0, 3));
  }
});

test('int8 rounds, clamps and scales back', () => {
  const vector = Float32Array.of(0, 0.5, -0.5, 1, -1, 7, -7, NaN, 0.0039, 0.004, -0.004, 0.0118, 0.0119);
  assert.deepEqual([...quantizeVector(vector, 'int8')], [0, 64, -64, 127, -127, 127, -127, -127, 0, 1, -1, 1, 2]);
  const unit = l2Normalize(Float32Array.from({ length: 64 }, (_, i) => Math.sin(i)));
  quantizeVector(unit, 'int8').forEach((q, i) =>
    assert.ok(Math.abs(q * INT8_SCALE - unit[i]) <= INT8_SCALE / 2 + 1e-9));
});

test('bits: the first number is the highest bit, zeros fill up', () => {
  const vector = Float32Array.of(1, -1, 0, 1, NaN, 1, -0, 2, 3);
  assert.deepEqual(quantizeVector(vector, 'ubinary'), Uint8Array.of(0b10010101, 0b10000000));
  assert.deepEqual(quantizeVector(vector, 'binary'), Int8Array.of(0b10010101 - 128, 0));
});

test('similarity', () => {
  const [a, b] = rows.map((/** @type {any} */ row) => floats(row.float32));
  assert.equal(similarity(a, b), golden.cosine);
  assert.equal(similarity([3, 4], [6, 8]), 1);
  assert.equal(similarity([1, 0], [0, 1]), 0);
  assert.equal(similarity([0, 0], [1, 1]), 0);
  assert.ok(Math.abs(similarity(quantizeVector(a, 'int8'), quantizeVector(b, 'int8')) - golden.cosine) < 0.01);
});

test('a vector of zeros stays one, and an empty one is no error', () => {
  assert.deepEqual(l2Normalize(new Float32Array(5)), new Float32Array(5));
  assert.deepEqual(l2Normalize([3, 4]), Float32Array.of(0.6, 0.8));
  assert.deepEqual(l2Normalize({ data: new Float32Array(0), dims: [0, 384] }), {
    data: new Float32Array(0),
    dims: [0, 384],
  });
});

test('bad input is an error that names it', () => {
  const data = new Float32Array(6);
  /** @type {[() => unknown, RegExp][]} */
  const cases = [
    [() => meanPool(/** @type {any} */ (data)), /needs a mask/],
    [() => meanPool(/** @type {any} */ (null)), /tokens must be/],
    [() => meanPool(/** @type {any} */ ({ data: [1, 2], dims: [1, 2] })), /tokens must be/],
    [() => meanPool({ data, dims: [2, 4] }), /6 numbers are not \[2, 4\]/],
    [() => meanPool({ data, dims: [-2, -3] }), /6 numbers are not/],
    [() => meanPool({ data, dims: [0, 3] }), /6 numbers are not/],
    [() => meanPool(data, [1, 1, 1, 1]), /6 numbers are not \[4, 1.5\]/],
    [() => meanPool({ data, dims: [2, 3] }, [1]), /mask has 1 numbers for 2 tokens/],
    [() => meanPool({ data, dims: [2, 1, 3] }, [1, 0]), /text 1 has no token/],
    [() => l2Normalize(/** @type {any} */ ('text')), /must be an array of numbers/],
    [() => l2Normalize(/** @type {any} */ ({ data: [1], dims: [1] })), /must be an array of numbers/],
    [() => l2Normalize({ data, dims: [4] }), /6 numbers are not \[4\]/],
    [() => similarity([1], [1, 2]), /1 and 2 numbers/],
    [() => similarity(/** @type {any} */ (undefined), [1]), /must be an array of numbers/],
    [() => truncateVector(data, 0), /dimensions: 0 is not/],
    [() => truncateVector(data, 7), /from 1 to 6/],
    [() => truncateVector(data, 1.5), /dimensions: 1.5/],
    [() => truncateVector(data, /** @type {any} */ ('3')), /dimensions: 3 is not/],
    [() => quantizeVector(data, /** @type {any} */ ('int4')), /'int4' is not one of float32, int8, binary, ubinary/],
  ];
  for (const [call, message] of cases) assert.throws(call, { name: 'MinnowError', code: 'argument', message });
});
