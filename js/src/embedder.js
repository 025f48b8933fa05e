// Minnow - SPDX-License-Identifier: Apache-2.0
// What the adapters ask of the object that they are given: a Minnow, of '.' or './inline', has it. Types only.

/**
 * @typedef {object} EmbedOptions
 * @property {'mean' | 'cls' | 'max'} [pooling] the model's if left out
 * @property {boolean} [normalize] to length 1; true if left out
 * @property {number} [maxTokens] beyond which a text is cut
 * @property {number} [dimensions] the first so many numbers of each vector, scaled to length 1 again
 * @property {AbortSignal} [signal]
 */

/**
 * @typedef {object} Batch
 * @property {Float32Array | Int8Array | Uint8Array} data row-major; Float32Array, as no adapter asks for a precision
 * @property {number[]} dims [texts, dimensions]
 * @property {ArrayLike<number>} tokenCounts one for each text
 */

/**
 * @typedef {object} Embedder
 * @property {(texts: string[], options?: EmbedOptions) => Promise<Batch>} embedBatch
 */

/**
 * @typedef {object} TokenEmbedder
 * @property {(texts: string[], options?: EmbedOptions) => Promise<Batch>} embedBatch
 * @property {(text: string, options?: {maxTokens?: number, signal?: AbortSignal}) =>
 *   Promise<{data: Float32Array, dims: number[]}>} tokenEmbeddings [tokens, dimensions], not normalized
 */

export {};
