// Minnow - SPDX-License-Identifier: Apache-2.0
// A vector as the engine gives it, made shorter and coarser as a call asks, into its place in a batch.
import { quantizeVector, truncateVector } from './vector.js';

/** @typedef {import('./vector.js').Precision} Precision */
/** @typedef {Float32Array | Int8Array | Uint8Array} VectorData */

const ARRAYS = { float32: Float32Array, int8: Int8Array, binary: Int8Array, ubinary: Uint8Array };

/**
 * @param {Precision} precision
 * @param {number} length elements
 * @returns {VectorData}
 */
export function vectorArray(precision, length) {
  return new ARRAYS[precision](length);
}

/**
 * @param {number} dimensions
 * @param {Precision} precision
 * @returns {number} elements of a vector: bits are packed by eights
 */
export function vectorLength(dimensions, precision) {
  return precision === 'binary' || precision === 'ubinary' ? Math.ceil(dimensions / 8) : dimensions;
}

/**
 * @param {Float32Array} vector of all dimensions
 * @param {{dimensions: number, precision: Precision, normalize: boolean}} options
 * @param {VectorData} out
 * @param {number} at where it goes
 */
export function writeVector(vector, { dimensions, precision, normalize }, out, at) {
  out.set(quantizeVector(truncateVector(vector, dimensions, normalize), precision), at);
}
