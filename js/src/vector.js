// Minnow - SPDX-License-Identifier: Apache-2.0
// Vectors after the encoder: pooling, length, precision, fewer dimensions, similarity. In: numbers that an encoder
// gave; out: new arrays. No function writes to its input. Each does the arithmetic of its C counterpart
// (src/run/engine/pool.c, minnow_similarity, cli/precision.c) in the same order, and so gives the same bits.

import { MinnowError } from './errors.js';

/**
 * @typedef {{data: Float32Array, dims: number[]}} Vectors row-major; the last of `dims` is the dimensions of a vector
 */
/** @typedef {'float32'|'int8'|'binary'|'ubinary'} Precision */

/** What a number of an `int8` vector is worth: v is about q * INT8_SCALE. The same for every vector and model. */
export const INT8_SCALE = 1 / 127;

/** @type {readonly Precision[]} */
export const PRECISIONS = ['float32', 'int8', 'binary', 'ubinary'];

/**
 * Means before they were rounded to float32, by the array that meanPool gave. The engine scales a mean to length 1
 * before it rounds, once; with this l2Normalize(meanPool(tokens)) does too. An array without an entry, such as a copy,
 * is scaled from its float32 numbers, and its last bit may differ.
 * @type {WeakMap<Float32Array, Float64Array>}
 */
const unrounded = new WeakMap();

/**
 * The mean of each text's token vectors, float64 sums in token order, as the engine pools.
 *
 * - `{data, dims: [tokens, dimensions]}` gives a Float32Array(dimensions)
 * - `{data, dims: [texts, tokens, dimensions]}`, a padded batch, gives `{data, dims: [texts, dimensions]}`
 * - a bare Float32Array of tokens * dimensions numbers gives a Float32Array(dimensions); the mask says how many tokens
 *
 * @overload
 * @param {Float32Array} tokens
 * @param {ArrayLike<number | bigint | boolean>} mask one for each token
 * @returns {Float32Array}
 */
/**
 * @overload
 * @param {{data: Float32Array, dims: [tokens: number, dimensions: number]}} tokens
 * @param {ArrayLike<number | bigint | boolean>} [mask] one for each token: 0 leaves it out; without a mask all count
 * @returns {Float32Array}
 */
/**
 * @overload
 * @param {{data: Float32Array, dims: [texts: number, tokens: number, dimensions: number]}} tokens
 * @param {ArrayLike<number | bigint | boolean>} [mask] row-major [texts, tokens]
 * @returns {{data: Float32Array, dims: [texts: number, dimensions: number]}}
 */
/**
 * @overload
 * @param {Vectors} tokens
 * @param {ArrayLike<number | bigint | boolean>} [mask]
 * @returns {Float32Array | {data: Float32Array, dims: [texts: number, dimensions: number]}}
 */
/**
 * @param {Float32Array | Vectors} tokens
 * @param {ArrayLike<number | bigint | boolean>} [mask]
 * @returns {any} see above
 */
export function meanPool(tokens, mask) {
  const { data, dims } = tokenShape(tokens, mask);
  const dimensions = dims[dims.length - 1];
  const nTokens = dims[dims.length - 2];
  const nTexts = dims.length === 3 ? dims[0] : 1;
  if (mask !== undefined && mask.length !== nTexts * nTokens) {
    throw new MinnowError('argument', `meanPool: the mask has ${mask.length} numbers for ${nTexts * nTokens} tokens`);
  }
  const means = new Float64Array(nTexts * dimensions);
  for (let text = 0; text < nTexts; text++) {
    meanOfText(data, mask, text, nTokens, means.subarray(text * dimensions, (text + 1) * dimensions));
  }
  const pooled = Float32Array.from(means);
  unrounded.set(pooled, means);
  return dims.length === 3 ? { data: pooled, dims: [nTexts, dimensions] } : pooled;
}

/**
 * @param {Float32Array} data [texts, tokens, dimensions]
 * @param {ArrayLike<number | bigint | boolean> | undefined} mask [texts, tokens]
 * @param {number} text
 * @param {number} nTokens
 * @param {Float64Array} mean [dimensions], zeros; written
 */
function meanOfText(data, mask, text, nTokens, mean) {
  const dimensions = mean.length;
  let count = 0;
  for (let token = text * nTokens; token < (text + 1) * nTokens; token++) {
    if (mask !== undefined && !mask[token]) continue;
    for (let d = 0; d < dimensions; d++) mean[d] += data[token * dimensions + d];
    count++;
  }
  if (count === 0) throw new MinnowError('argument', `meanPool: text ${text} has no token`);
  for (let d = 0; d < dimensions; d++) mean[d] /= count;
}

/**
 * @param {Float32Array | Vectors} tokens
 * @param {ArrayLike<unknown>} [mask]
 * @returns {Vectors}
 */
function tokenShape(tokens, mask) {
  if (tokens instanceof Float32Array) {
    if (mask === undefined) {
      throw new MinnowError('argument', 'meanPool: a bare Float32Array needs a mask; or pass {data, dims}');
    }
    return { data: tokens, dims: checkedDims('meanPool', tokens, [mask.length, tokens.length / mask.length]) };
  }
  if (!(tokens?.data instanceof Float32Array) || !(tokens.dims?.length === 2 || tokens.dims?.length === 3)) {
    throw new MinnowError('argument', 'meanPool: tokens must be {data: Float32Array, dims} of 2 or 3 dims');
  }
  return { data: tokens.data, dims: checkedDims('meanPool', tokens.data, tokens.dims) };
}

/**
 * @param {string} who
 * @param {ArrayLike<number>} data
 * @param {readonly number[]} dims
 * @returns {number[]}
 */
function checkedDims(who, data, dims) {
  const whole = dims.every((size) => Number.isSafeInteger(size) && size > 0);
  if (!whole || dims.reduce((product, size) => product * size, 1) !== data.length) {
    throw new MinnowError('argument', `${who}: ${data.length} numbers are not [${dims.join(', ')}]`);
  }
  return [...dims];
}

/**
 * Scaled to length 1, each vector for itself. A vector of zeros stays one.
 *
 * @overload
 * @param {ArrayLike<number>} vector
 * @returns {Float32Array}
 */
/**
 * @template {number[]} Dims
 * @overload
 * @param {{data: Float32Array, dims: Dims}} vectors a row each
 * @returns {{data: Float32Array, dims: Dims}}
 */
/**
 * @param {ArrayLike<number> | Vectors} vectors
 * @returns {any} see above
 */
export function l2Normalize(vectors) {
  if (!('data' in Object(vectors))) return normalizeRow(numbers('l2Normalize', vectors));
  const { data, dims } = /** @type {Vectors} */ (vectors);
  if (!(data instanceof Float32Array) || !Array.isArray(dims) || dims.length === 0) {
    throw new MinnowError('argument', 'l2Normalize: vectors must be an array of numbers or {data: Float32Array, dims}');
  }
  if (data.length > 0) checkedDims('l2Normalize', data, dims);
  const dimensions = dims[dims.length - 1];
  const exact = exactNumbers(data);
  const out = new Float32Array(data.length);
  for (let start = 0; start < data.length; start += dimensions) {
    scaleToLength1(exact.subarray(start, start + dimensions), out.subarray(start, start + dimensions));
  }
  return { data: out, dims: [...dims] };
}

/** @param {ArrayLike<number>} vector */
function normalizeRow(vector) {
  const out = new Float32Array(vector.length);
  scaleToLength1(vector instanceof Float32Array ? exactNumbers(vector) : vector, out);
  return out;
}

/**
 * pool_finish of src/run/engine/pool.c: eight partial sums, number d to sum d % 8, and a fixed tree.
 * @param {ArrayLike<number>} vector
 * @param {Float32Array} out of the same length
 */
function scaleToLength1(vector, out) {
  const p = new Float64Array(8);
  for (let d = 0; d < vector.length; d++) p[d % 8] += vector[d] * vector[d];
  const norm = Math.sqrt(p[0] + p[4] + (p[2] + p[6]) + (p[1] + p[5] + (p[3] + p[7])));
  const divisor = norm > 1e-12 ? norm : 1e-12;
  for (let d = 0; d < vector.length; d++) out[d] = vector[d] / divisor;
}

/**
 * What meanPool remembers of an array that it gave, unless a caller has changed a number since.
 * @param {Float32Array} rounded
 * @returns {Float32Array | Float64Array}
 */
function exactNumbers(rounded) {
  const exact = unrounded.get(rounded);
  if (exact === undefined) return rounded;
  return rounded.every((number, i) => Object.is(number, Math.fround(exact[i]))) ? exact : rounded;
}

/**
 * Cosine similarity, from -1 to 1, in float64; 0 if a vector is all zeros. `int8` vectors too: their scale cancels out.
 * @param {ArrayLike<number>} a
 * @param {ArrayLike<number>} b of the same length
 * @returns {number}
 */
export function similarity(a, b) {
  numbers('similarity', a);
  numbers('similarity', b);
  if (a.length !== b.length) {
    throw new MinnowError('argument', `similarity: vectors of ${a.length} and ${b.length} numbers`);
  }
  let ab = 0;
  let aa = 0;
  let bb = 0;
  for (let i = 0; i < a.length; i++) {
    ab += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  const product = Math.sqrt(aa) * Math.sqrt(bb);
  return product > 0 ? ab / product : 0;
}

/**
 * The first `dimensions` numbers of a vector, scaled to length 1 again. A vector that has no more is returned as it is.
 * @param {Float32Array} vector
 * @param {number} dimensions from 1 to the vector's length
 * @param {boolean} [normalize] false: leave the length as it comes out
 * @returns {Float32Array}
 */
export function truncateVector(vector, dimensions, normalize = true) {
  checkDimensions(dimensions, vector.length);
  if (dimensions === vector.length) return vector;
  return normalize ? normalizeRow(vector.subarray(0, dimensions)) : vector.slice(0, dimensions);
}

/**
 * @param {unknown} dimensions the option as a caller gave it
 * @param {number} available what the model has
 */
export function checkDimensions(dimensions, available) {
  if (typeof dimensions === 'number' && Number.isInteger(dimensions) && dimensions >= 1 && dimensions <= available)
    return;
  throw new MinnowError('argument', `dimensions: ${String(dimensions)} is not a whole number from 1 to ${available}`);
}

/**
 * A vector in fewer bytes:
 * - `float32`: as it is, not copied
 * - `int8`: Int8Array, q = v * 127 rounded to the nearest, half to even, from -127 to 127; v is about q * INT8_SCALE.
 *   For vectors of length 1: numbers beyond 1 are cut.
 * - `ubinary`: Uint8Array, a bit for each number, 1 if it is above 0, number 0 in the highest bit of byte 0; the last
 *   byte is filled up with zeros
 * - `binary`: Int8Array, the bytes of `ubinary` less 128
 *
 * @template {Precision} P
 * @param {Float32Array} vector
 * @param {P} precision
 * @returns {VectorOf<P>}
 */
export function quantizeVector(vector, precision) {
  checkPrecision(precision);
  /** @type {Float32Array | Int8Array | Uint8Array} */
  let out = vector;
  if (precision === 'int8') out = toInt8(vector);
  else if (precision === 'ubinary') out = toBits(vector);
  else if (precision === 'binary') out = Int8Array.from(toBits(vector), (byte) => byte - 128);
  return /** @type {VectorOf<P>} */ (out);
}

/**
 * @template {Precision} P
 * @typedef {P extends 'float32' ? Float32Array : P extends 'ubinary' ? Uint8Array : Int8Array} VectorOf
 */

/**
 * @param {unknown} precision the option as a caller gave it
 * @returns {asserts precision is Precision}
 */
export function checkPrecision(precision) {
  if (/** @type {readonly unknown[]} */ (PRECISIONS).includes(precision)) return;
  throw new MinnowError('argument', `precision: '${String(precision)}' is not one of ${PRECISIONS.join(', ')}`);
}

/** @param {Float32Array} vector */
function toInt8(vector) {
  return Int8Array.from(vector, (number) => {
    // Exact in float64: 24 bits by 7. A tie needs a number of exactly 0.5, so which way ties go is told by two numbers.
    const scaled = number * 127;
    if (!(scaled > -127)) return -127; // NaN too
    return scaled > 127 ? 127 : roundHalfToEven(scaled);
  });
}

/** @param {number} x */
function roundHalfToEven(x) {
  const below = Math.floor(x);
  const rest = x - below;
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}

/** @param {Float32Array} vector */
function toBits(vector) {
  const bits = new Uint8Array(Math.ceil(vector.length / 8));
  vector.forEach((number, i) => {
    if (number > 0) bits[i >> 3] |= 0x80 >> (i & 7);
  });
  return bits;
}

/**
 * @param {string} who
 * @param {unknown} vector
 * @returns {ArrayLike<number>}
 */
function numbers(who, vector) {
  if (ArrayBuffer.isView(vector) && !(vector instanceof DataView)) {
    return /** @type {ArrayLike<number>} */ (/** @type {unknown} */ (vector));
  }
  if (Array.isArray(vector)) return vector;
  throw new MinnowError('argument', `${who}: a vector must be an array of numbers`);
}
