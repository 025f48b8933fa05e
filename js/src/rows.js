// Minnow - SPDX-License-Identifier: Apache-2.0
// A flat batch as plain arrays of numbers, which is what LangChain and the AI SDK pass on.

/**
 * @param {{data: Float32Array | Int8Array | Uint8Array, dims: number[]}} batch [texts, dimensions]
 * @returns {number[][]}
 */
export function rowsOf({ data, dims: [texts, dimensions] }) {
  return Array.from({ length: texts }, (_, i) => Array.from(data.subarray(i * dimensions, (i + 1) * dimensions)));
}
