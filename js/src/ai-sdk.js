// Minnow - SPDX-License-Identifier: Apache-2.0
// Vercel AI SDK 7: an EmbeddingModel (specification v4) over a Minnow, without importing the SDK.
//
//   const { embedding } = await embed({ model: minnowEmbeddingModel(minnow), value: 'sunny day at the beach' });

import { rowsOf } from './rows.js';

/** @typedef {import('./embedder.js').Embedder} Embedder */
/** @typedef {Omit<import('./embedder.js').EmbedOptions, 'signal'>} MinnowModelOptions */

/**
 * @typedef {object} MinnowEmbeddingModel
 * @property {'v4'} specificationVersion
 * @property {string} provider
 * @property {string} modelId
 * @property {number} maxEmbeddingsPerCall
 * @property {boolean} supportsParallelCalls
 * @property {(call: EmbedCall) => Promise<EmbedResult>} doEmbed
 */
/** @typedef {{values: string[], dimensions?: number, abortSignal?: AbortSignal}} EmbedCall what of a call is used */
/** @typedef {{embeddings: number[][], usage: {tokens: number}, warnings: []}} EmbedResult */

/**
 * @param {Embedder | PromiseLike<Embedder>} minnow what `Minnow.load` gives, or gives a promise of
 * @param {MinnowModelOptions & {modelId?: string}} [options] `modelId` is a name for logs; the rest is of every call
 * @returns {MinnowEmbeddingModel}
 */
export function minnowEmbeddingModel(minnow, { modelId = 'all-MiniLM-L6-v2', ...options } = {}) {
  return {
    specificationVersion: 'v4',
    provider: 'minnow',
    modelId,
    maxEmbeddingsPerCall: Infinity,
    // They would wait for each other: one model, one engine.
    supportsParallelCalls: false,
    async doEmbed({ values, dimensions = options.dimensions, abortSignal }) {
      const embedder = await minnow;
      const batch = await embedder.embedBatch(values, { ...options, dimensions, signal: abortSignal });
      const tokens = Array.from(batch.tokenCounts).reduce((sum, count) => sum + count, 0);
      return { embeddings: rowsOf(batch), usage: { tokens }, warnings: [] };
    },
  };
}
