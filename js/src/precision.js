// Minnow - SPDX-License-Identifier: Apache-2.0
// A vector as the engine gives it, made shorter and coarser as a call asks, into its place in a batch.

/** @typedef {'float32'|'int8'|'binary'|'ubinary'} Precision */

/**
 * @param {number} dimensions
 * @param {Precision} precision
 * @returns {number} elements of a vector: bits are packed by eights
 */
export function vectorLength(dimensions, precision) {
  return precision === 'binary' || precision === 'ubinary' ? dimensions / 8 : dimensions;
}

/**
 * @param {Float32Array} vector
 * @param {number} dimensions
 * @param {Precision} precision
 * @param {Float32Array | Int8Array | Uint8Array} out
 * @param {number} at
 */
export function writeVector(vector, dimensions, precision, out, at) {
  out.set(vector, at);
}
