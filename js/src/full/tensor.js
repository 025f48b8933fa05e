// Minnow - SPDX-License-Identifier: Apache-2.0
// What a caller gives as an input -> a shape and elements of the type that the model declares. Numbers may come in any
// array: a whole number is a whole number, whether it lies in a BigInt64Array, an Int32Array or nested arrays.
import { MinnowError } from '../errors.js';
import { TYPES } from './types.js';

/** As many as wasm/full.h allows. */
const MAX_RANK = 8;

/** @typedef {import('./types.js').Type} Type */
/** @typedef {import('./types.js').TensorData} TensorData */
/** @typedef {number | bigint | boolean} Scalar */
/** @typedef {readonly Scalar[]} Row */
/**
 * @typedef {Scalar | Row | readonly Row[] | readonly (readonly Row[])[] | readonly (readonly (readonly Row[])[])[]}
 *   Nested of one shape
 */
/**
 * What an onnxruntime-web Tensor has.
 * @typedef {object} TensorLike
 * @property {ArrayLike<number> | ArrayLike<bigint>} data row-major
 * @property {readonly number[]} dims
 * @property {string} [type] the model's declaration decides
 */
/** @typedef {TensorLike | Nested} Input */

/**
 * @param {string} name for messages
 * @param {Type} type
 * @param {unknown} given
 * @returns {{dims: number[], data: TensorData}} data may be the caller's own array
 */
export function toTensor(name, type, given) {
  const fail = (/** @type {string} */ what) => new MinnowError('argument', `input '${name}': ${what}`);
  if (isTensorLike(given)) {
    const dims = checkedDims(given.dims, fail);
    if (!ArrayBuffer.isView(given.data) && !Array.isArray(given.data))
      throw fail('data is no typed array and no array');
    const count = dims.reduce((product, dim) => product * dim, 1);
    if (given.data.length !== count)
      throw fail(`dims [${dims.join(', ')}] need ${count} elements, data has ${given.data.length}`);
    return { dims, data: toElements(type, given.data, fail) };
  }
  if (typeof given !== 'number' && typeof given !== 'bigint' && typeof given !== 'boolean' && !Array.isArray(given))
    throw fail(`neither {data, dims} nor nested arrays`);
  const dims = dimsOf(given, fail);
  /** @type {(number | bigint | boolean)[]} */
  const flat = [];
  flatten(given, dims, 0, flat, fail);
  return { dims, data: toElements(type, flat, fail) };
}

/**
 * @param {unknown} given
 * @returns {given is TensorLike}
 */
function isTensorLike(given) {
  return typeof given === 'object' && given !== null && !Array.isArray(given) && 'data' in given && 'dims' in given;
}

/** @typedef {(what: string) => MinnowError} Fail */

/**
 * @param {unknown} dims
 * @param {Fail} fail
 * @returns {number[]}
 */
function checkedDims(dims, fail) {
  if (!Array.isArray(dims)) throw fail('dims is no array');
  if (dims.length > MAX_RANK) throw fail(`rank ${dims.length} not supported (at most ${MAX_RANK})`);
  for (const dim of dims)
    if (!Number.isInteger(dim) || dim < 0 || dim >= 2 ** 31)
      throw fail(`dims [${dims.join(', ')}]: ${String(dim)} is no size`);
  return [...dims];
}

/**
 * @param {unknown} given nested arrays
 * @param {Fail} fail
 * @returns {number[]} their lengths, going down the first of each
 */
function dimsOf(given, fail) {
  const dims = [];
  for (let at = given; Array.isArray(at); at = at[0]) {
    dims.push(at.length);
    if (dims.length > MAX_RANK) throw fail(`arrays nest deeper than ${MAX_RANK}`);
  }
  return dims;
}

/**
 * @param {unknown} given
 * @param {number[]} dims
 * @param {number} depth
 * @param {(number | bigint | boolean)[]} out
 * @param {Fail} fail
 */
function flatten(given, dims, depth, out, fail) {
  if (depth === dims.length) {
    if (typeof given !== 'number' && typeof given !== 'bigint' && typeof given !== 'boolean')
      throw fail(Array.isArray(given) ? 'arrays nest unevenly' : `element ${out.length} is no number`);
    out.push(given);
    return;
  }
  if (!Array.isArray(given)) throw fail('arrays nest unevenly');
  if (given.length !== dims[depth]) throw fail(`rows of ${dims[depth]} and of ${given.length} elements`);
  for (const item of given) flatten(item, dims, depth + 1, out, fail);
}

/**
 * @param {Type} type
 * @param {any} data an array or typed array
 * @param {Fail} fail
 * @returns {TensorData}
 */
function toElements(type, data, fail) {
  const { Array: Elements, kind } = TYPES[type];
  if (kind === 'bits') return toBits(type, data, fail);
  if (data instanceof Elements && type !== 'bool') return /** @type {TensorData} */ (data);
  const out = new Elements(data.length);
  const convert = kind === 'float' ? toFloat : toInteger(type);
  for (let i = 0; i < data.length; i++) {
    const value = convert(data[i]);
    if (value === null) throw fail(`element ${i}: ${String(data[i])} is no ${type}`);
    out[i] = value;
  }
  return out;
}

/**
 * @param {unknown} value
 * @returns {number | null}
 */
function toFloat(value) {
  return typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean' ? Number(value) : null;
}

/**
 * @param {Type} type
 * @returns {(value: unknown) => number | bigint | null} null: not within the type's range, or no whole number
 */
function toInteger(type) {
  const { least, most } = /** @type {{least: number | bigint, most: number | bigint}} */ (TYPES[type]);
  const isBig = typeof least === 'bigint';
  return (value) => {
    if (typeof value === 'boolean') return isBig ? BigInt(value) : Number(value);
    // Beyond 2^53 a number is no longer the whole number that was meant.
    if (typeof value === 'number' ? !Number.isSafeInteger(value) : typeof value !== 'bigint') return null;
    const number = /** @type {number | bigint} */ (value);
    if (number < least || number > most) return null;
    return isBig ? BigInt(number) : Number(number);
  };
}

/**
 * @param {Type} type
 * @param {any} data
 * @param {Fail} fail
 * @returns {Uint16Array}
 */
function toBits(type, data, fail) {
  if (data instanceof Uint16Array) return data;
  // Float16Array, where there is one, has the bits of float16.
  if (type === 'float16' && ArrayBuffer.isView(data) &&
    Object.prototype.toString.call(data) === '[object Float16Array]')
    return new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2);
  throw fail(`${type} is given as its bits: {data: Uint16Array, dims}`);
}
