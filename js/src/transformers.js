// Minnow - SPDX-License-Identifier: Apache-2.0
// transformers.js: its pipeline('feature-extraction') over a Minnow, with the same call, shapes and defaults.
//
//   const extractor = await pipeline('feature-extraction', minnow);
//   const output = await extractor(['one text', 'another'], { pooling: 'mean', normalize: true });
//   output.dims    // [2, 384]
//
// Differences: texts are cut at the model's limit of Minnow, not the tokenizer's, unless `maxTokens` says otherwise;
// without pooling, the rows that pad shorter texts are zeros; and `precision: 'int8'` exists.

import { Minnow, MinnowError } from './index.js';
import { l2Normalize, quantizeVector } from './vector.js';

/** @typedef {import('./embedder.js').TokenEmbedder} TokenEmbedder */
/** @typedef {Float32Array | Int8Array | Uint8Array} TensorData */

/** Numbers and their shape, with the part of transformers.js's Tensor that outputs are read by. */
export class Tensor {
  /**
   * @param {'float32' | 'int8' | 'uint8'} type
   * @param {TensorData} data row-major
   * @param {number[]} dims
   */
  constructor(type, data, dims) {
    this.type = type;
    this.data = data;
    this.dims = dims;
  }

  /** @returns {number} how many numbers */
  get size() {
    return this.data.length;
  }

  /**
   * Nested arrays of numbers, as deep as there are dims.
   * @returns {any[]}
   */
  tolist() {
    return nested(this.data, this.dims);
  }
}

/**
 * @param {TensorData} data
 * @param {number[]} dims
 * @returns {any[]}
 */
function nested(data, [length, ...inner]) {
  if (inner.length === 0) return Array.from(data);
  const step = length === 0 ? 0 : data.length / length;
  return Array.from({ length }, (_, i) => nested(data.subarray(i * step, (i + 1) * step), inner));
}

/**
 * @typedef {object} ExtractorOptions
 * @property {'none' | 'mean' | 'cls' | 'first_token'} [pooling] 'none', a vector for each token, if left out
 * @property {boolean} [normalize] each vector to length 1; false if left out
 * @property {boolean} [quantize] to `precision`; false if left out
 * @property {'binary' | 'ubinary' | 'int8'} [precision] 'binary' if left out
 * @property {number} [maxTokens] beyond which a text is cut
 * @property {AbortSignal} [signal]
 */

/**
 * @callback Extract
 * @param {string | string[]} texts
 * @param {ExtractorOptions} [options]
 * @returns {Promise<Tensor>} [texts, dimensions], with one text too; without pooling [texts, tokens, dimensions],
 *   shorter texts padded with zeros; binary precisions have an eighth of the dimensions
 */

/** @typedef {Extract & {dispose: () => Promise<void>}} FeatureExtractionPipeline dispose closes a Minnow made here */

/**
 * @param {'feature-extraction'} task
 * @param {TokenEmbedder | Parameters<typeof Minnow.load>[0]} source a Minnow, or the options to load one
 * @returns {Promise<FeatureExtractionPipeline>}
 */
export async function pipeline(task, source) {
  if (task !== 'feature-extraction') {
    throw new MinnowError('unsupported', `pipeline: '${String(task)}' is not 'feature-extraction', the one task here`);
  }
  if (isEmbedder(source)) return Object.assign(extractor(source), { dispose: async () => {} });
  const minnow = await Minnow.load(source);
  return Object.assign(extractor(minnow), {
    dispose: async () => {
      await minnow.close();
    },
  });
}

/**
 * @param {unknown} source
 * @returns {source is TokenEmbedder}
 */
function isEmbedder(source) {
  return typeof (/** @type {Partial<TokenEmbedder> | undefined} */ (source)?.embedBatch) === 'function';
}

/**
 * @param {TokenEmbedder} minnow
 * @returns {Extract}
 */
function extractor(minnow) {
  return async (texts, options = {}) => {
    const list = typeof texts === 'string' ? [texts] : texts;
    const { pooling = 'none', quantize = false, precision = 'binary' } = options;
    if (pooling === 'none') {
      if (quantize) throw new MinnowError('argument', 'quantize: needs pooling; vectors of tokens stay float32');
      return unpooled(minnow, list, options);
    }
    const { data, dims } = await pooled(minnow, list, pooling, options);
    return quantize ? quantized(/** @type {Float32Array} */ (data), dims, precision)
      : new Tensor('float32', data, dims);
  };
}

/**
 * @param {TokenEmbedder} minnow
 * @param {string[]} texts
 * @param {string} pooling
 * @param {ExtractorOptions} options
 */
function pooled(minnow, texts, pooling, { normalize = false, maxTokens, signal }) {
  if (pooling !== 'mean' && pooling !== 'cls' && pooling !== 'first_token') {
    throw new MinnowError('unsupported', `pooling: '${pooling}' is not one of none, mean, cls, first_token`);
  }
  return minnow.embedBatch(texts, { pooling: pooling === 'mean' ? 'mean' : 'cls', normalize, maxTokens, signal });
}

/**
 * @param {TokenEmbedder} minnow
 * @param {string[]} texts
 * @param {ExtractorOptions} options
 */
async function unpooled(minnow, texts, { normalize = false, maxTokens, signal }) {
  const rows = await Promise.all(texts.map((text) => minnow.tokenEmbeddings(text, { maxTokens, signal })));
  const longest = Math.max(0, ...rows.map(({ dims }) => dims[0]));
  const dimensions = rows.length > 0 ? rows[0].dims[1] : 0;
  const data = new Float32Array(rows.length * longest * dimensions);
  rows.forEach((row, i) => data.set((normalize ? l2Normalize(row) : row).data, i * longest * dimensions));
  return new Tensor('float32', data, [rows.length, longest, dimensions]);
}

/**
 * @param {Float32Array} data
 * @param {number[]} dims [texts, dimensions]
 * @param {'binary' | 'ubinary' | 'int8'} precision
 */
function quantized(data, [texts, dimensions], precision) {
  if (precision !== 'int8' && dimensions % 8 !== 0) {
    throw new MinnowError('argument', `precision: '${precision}' needs a multiple of 8 dimensions, not ${dimensions}`);
  }
  // No vector ends within a byte, so that all can be done at once.
  const out = quantizeVector(data, precision);
  return new Tensor(out instanceof Uint8Array ? 'uint8' : 'int8', out, [texts, texts === 0 ? 0 : out.length / texts]);
}
