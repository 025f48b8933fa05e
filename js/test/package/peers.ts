// Minnow - SPDX-License-Identifier: Apache-2.0
// The adapters' types against those of the libraries that they are for. Compiled, never run: package.test.mjs.

import type { EmbeddingModelV4 } from '@ai-sdk/provider';
import type { EmbeddingsInterface } from '@langchain/core/embeddings';
import type { EmbeddingModel } from 'ai';
import { Minnow } from 'minnow-embed';
import { minnowEmbeddingModel } from 'minnow-embed/ai-sdk';
import { MinnowEmbeddings } from 'minnow-embed/langchain';

export function fits(minnow: Minnow) {
  const specified: EmbeddingModelV4 = minnowEmbeddingModel(minnow);
  const model: EmbeddingModel = specified;
  const embeddings: EmbeddingsInterface = new MinnowEmbeddings(minnow);
  return { model, embeddings };
}
