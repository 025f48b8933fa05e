// Minnow - SPDX-License-Identifier: Apache-2.0
// Element types of tensors: ONNX's numbers, the names that onnxruntime-web uses, the arrays that hold them.

/**
 * @typedef {'float32'|'uint8'|'int8'|'uint16'|'int16'|'int32'|'int64'|'bool'|'float16'|
 *   'float64'|'uint32'|'uint64'|'bfloat16'} Type
 */
/**
 * float16 and bfloat16 are their 16 bits, bool is 0 or 1.
 * @typedef {Float32Array | Float64Array | Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array
 *   | BigInt64Array | BigUint64Array} TensorData
 */
/**
 * @typedef {object} TypeInfo
 * @property {number} number TensorProto.DataType
 * @property {any} Array its constructor
 * @property {'float' | 'integer' | 'bits'} kind of elements; bits: taken and given as they are
 * @property {number | bigint} [least] of integers
 * @property {number | bigint} [most]
 */

/** @type {Record<Type, TypeInfo>} */
export const TYPES = {
  float32: { number: 1, Array: Float32Array, kind: 'float' },
  uint8: { number: 2, Array: Uint8Array, kind: 'integer', least: 0, most: 255 },
  int8: { number: 3, Array: Int8Array, kind: 'integer', least: -128, most: 127 },
  uint16: { number: 4, Array: Uint16Array, kind: 'integer', least: 0, most: 65535 },
  int16: { number: 5, Array: Int16Array, kind: 'integer', least: -32768, most: 32767 },
  int32: { number: 6, Array: Int32Array, kind: 'integer', least: -(2 ** 31), most: 2 ** 31 - 1 },
  int64: { number: 7, Array: BigInt64Array, kind: 'integer', least: -(2n ** 63n), most: 2n ** 63n - 1n },
  bool: { number: 9, Array: Uint8Array, kind: 'integer', least: 0, most: 1 },
  float16: { number: 10, Array: Uint16Array, kind: 'bits' },
  float64: { number: 11, Array: Float64Array, kind: 'float' },
  uint32: { number: 12, Array: Uint32Array, kind: 'integer', least: 0, most: 2 ** 32 - 1 },
  uint64: { number: 13, Array: BigUint64Array, kind: 'integer', least: 0n, most: 2n ** 64n - 1n },
  bfloat16: { number: 16, Array: Uint16Array, kind: 'bits' },
};

/**
 * @param {number} number TensorProto.DataType
 * @returns {Type | null} null: none that can be held here
 */
export function typeOf(number) {
  for (const [name, info] of Object.entries(TYPES)) if (info.number === number) return /** @type {Type} */ (name);
  return null;
}
