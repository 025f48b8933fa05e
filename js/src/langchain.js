// Minnow - SPDX-License-Identifier: Apache-2.0
// LangChain.js: its EmbeddingsInterface over a Minnow, without importing LangChain.
//
//   const store = new MemoryVectorStore(new MinnowEmbeddings(minnow));

import { rowsOf } from './rows.js';

/** @typedef {import('./embedder.js').Embedder} Embedder */
/** @typedef {Omit<import('./embedder.js').EmbedOptions, 'signal'>} MinnowEmbeddingsOptions */

export class MinnowEmbeddings {
  #minnow;
  #options;

  /**
   * @param {Embedder | PromiseLike<Embedder>} minnow what `Minnow.load` gives, or gives a promise of
   * @param {MinnowEmbeddingsOptions} [options] of every call
   */
  constructor(minnow, options = {}) {
    this.#minnow = minnow;
    this.#options = options;
  }

  /**
   * @param {string} text
   * @returns {Promise<number[]>}
   */
  async embedQuery(text) {
    const [vector] = await this.embedDocuments([text]);
    return vector;
  }

  /**
   * @param {string[]} texts
   * @returns {Promise<number[][]>} one for each text, in order
   */
  async embedDocuments(texts) {
    const minnow = await this.#minnow;
    return rowsOf(await minnow.embedBatch(texts, this.#options));
  }
}
