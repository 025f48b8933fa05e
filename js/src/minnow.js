// Minnow - SPDX-License-Identifier: Apache-2.0
// The public class, on top of whatever runs the model: a session here (inline-session.js) or in a worker (client.js).
import { MinnowError } from './errors.js';
import { checkEmbedOptions, checkLoadOptions, checkText, checkTexts, checkTokenOptions, kindOf,
  resolveModel } from './options.js';
import { similarity } from './vector.js';
import { moduleSources } from './variants.js';

/** @typedef {import('./options.js').LoadOptions} LoadOptions */
/** @typedef {import('./options.js').EmbedOptions} EmbedOptions */
/** @typedef {import('./options.js').TokenOptions} TokenOptions */
/** @typedef {import('./session.js').Batch} Batch */
/** @typedef {import('./session.js').VectorData} Vector */

/**
 * What runs, and why not something faster.
 * @typedef {object} Picked
 * @property {'relaxed'|'simd'} simd the module
 * @property {string} isa the kernels in it
 * @property {number} threads
 * @property {'worker'|'blob'|'inline'} worker blob: the worker is of another origin
 * @property {string} reason one line, or nothing
 */

/**
 * @typedef {object} Backend
 * @property {import('./session.js').SessionInfo} info
 * @property {(call: import('./session.js').Call) => import('./session.js').Running} run
 * @property {() => Promise<number>} memoryBytes
 * @property {() => Promise<void>} close
 * @property {'worker'|'blob'|'inline'} worker
 * @property {string} reason
 */
/**
 * @typedef {object} Wanted
 * @property {import('./session.js').SessionSettings} settings
 * @property {LoadOptions} options
 */

/** Sentence embeddings of one model. Made by `Minnow.load`. */
export class BaseMinnow {
  #backend;
  #defaults;
  #closed = false;

  /**
   * @param {Backend} backend
   * @param {Pick<LoadOptions, 'maxTokens' | 'pooling' | 'normalize'>} defaults
   */
  constructor(backend, defaults) {
    this.#backend = backend;
    this.#defaults = defaults;
    const { info } = backend;
    if (defaults.maxTokens !== undefined && defaults.maxTokens > info.maxPositions) {
      backend.close();
      throw new MinnowError('argument',
        `maxTokens: ${defaults.maxTokens}: ${info.name} takes at most ${info.maxPositions}`);
    }
    /** Numbers of a vector. @readonly */
    this.dimensions = info.dimensions;
    /** Tokens of a text, [CLS] and [SEP] among them, beyond which it is cut. @readonly */
    this.maxTokens = defaults.maxTokens ?? info.maxTokens;
    /** The model's name, or its file's. @readonly */
    this.name = info.name;
    const reason = [backend.reason, info.picked.reason].filter((part) => part !== '').join('; ');
    /** @type {Readonly<Picked>} @readonly */
    this.picked = Object.freeze({ ...info.picked, worker: backend.worker, reason });
  }

  /**
   * Vectors of texts: one text gives one vector, an array of texts an array of vectors in their order.
   * @overload
   * @param {string} text
   * @param {EmbedOptions & {precision?: 'float32'}} [options]
   * @returns {Promise<Float32Array>}
   */
  /**
   * @overload
   * @param {readonly string[]} texts
   * @param {EmbedOptions & {precision?: 'float32'}} [options]
   * @returns {Promise<Float32Array[]>}
   */
  /**
   * @overload
   * @param {string} text
   * @param {EmbedOptions} [options]
   * @returns {Promise<Vector>}
   */
  /**
   * @overload
   * @param {readonly string[]} texts
   * @param {EmbedOptions} [options]
   * @returns {Promise<Vector[]>}
   */
  /**
   * @param {string | readonly string[]} input
   * @param {EmbedOptions} [options]
   * @returns {Promise<any>}
   */
  async embed(input, options) {
    const one = typeof input === 'string';
    if (!one && !Array.isArray(input))
      throw new MinnowError('argument', `embed: ${kindOf(input)} is no string and no array of strings`);
    const { data, dims: [n, length] } = await this.#embed(one ? [input] : input, options, 'embed');
    if (one) return data;
    // Copies, so that a vector that is kept does not keep the whole batch.
    return Array.from({ length: n }, (_, i) => data.slice(i * length, (i + 1) * length));
  }

  /**
   * Vectors of texts, end to end.
   * @param {readonly string[]} texts
   * @param {EmbedOptions} [options]
   * @returns {Promise<Batch>} data: dims[0] vectors of dims[1] elements; tokenCounts and truncated (0 or 1): one for
   *   each text
   */
  async embedBatch(texts, options) {
    return this.#embed(texts, options, 'embedBatch');
  }

  /**
   * Cosine similarity, from -1 to 1.
   * @param {string | Vector} a a text, or a vector of it
   * @param {string | Vector} b
   * @param {EmbedOptions} [options] of the texts
   * @returns {Promise<number>}
   */
  async similarity(a, b, options) {
    const sides = [a, b];
    sides.forEach((side, i) => {
      if (typeof side !== 'string' && !ArrayBuffer.isView(side)) {
        throw new MinnowError('argument', `similarity: ${'ab'[i]} is ${kindOf(side)}, not a text or a vector`);
      }
    });
    const texts = sides.filter((side) => typeof side === 'string');
    const vectors = await this.embed(texts, options);
    const [va, vb] = sides.map((side) => (typeof side === 'string' ? /** @type {Vector} */ (vectors.shift()) : side));
    if (va.length !== vb.length) {
      throw new MinnowError('argument', `similarity: a has ${va.length} numbers, b ${vb.length}`);
    }
    return similarity(va, vb);
  }

  /**
   * Token ids as the model is given them, [CLS] and [SEP] included.
   * @param {string} text
   * @param {TokenOptions} [options]
   * @returns {Promise<{ids: Int32Array, truncated: boolean}>}
   */
  async tokenize(text, options) {
    checkText(text, 'tokenize');
    const { maxTokens, signal } = checkTokenOptions(options, this.#backend.info, this.#defaults, 'tokenize');
    return this.#run({ method: 'tokenize', text, maxTokens }, signal);
  }

  /**
   * A vector for each token, not normalized.
   * @param {string} text
   * @param {TokenOptions} [options]
   * @returns {Promise<{data: Float32Array, dims: [number, number], truncated: boolean}>} dims: tokens, dimensions
   */
  async tokenEmbeddings(text, options) {
    checkText(text, 'tokenEmbeddings');
    const { maxTokens, signal } = checkTokenOptions(options, this.#backend.info, this.#defaults, 'tokenEmbeddings');
    return this.#run({ method: 'tokenEmbeddings', text, maxTokens }, signal);
  }

  /** @returns {Promise<number>} bytes of WASM memory */
  async memoryBytes() {
    if (this.#closed) throw closedError();
    return this.#backend.memoryBytes();
  }

  /**
   * Gives all memory back. Calls that are pending, and all later ones, reject with code 'closed'.
   * @returns {Promise<void>}
   */
  async close() {
    if (this.#closed) return;
    this.#closed = true;
    await this.#backend.close();
  }

  /**
   * @param {readonly string[]} texts
   * @param {EmbedOptions | undefined} options
   * @param {string} where
   * @returns {Promise<Batch>}
   */
  async #embed(texts, options, where) {
    checkTexts(texts, where);
    const { settings, signal } = checkEmbedOptions(options, this.#backend.info, this.#defaults, where);
    // A copy: the caller may change its array while the call waits, and frameworks' proxies cannot be sent.
    return this.#run({ method: 'embed', texts: [...texts], options: settings }, signal);
  }

  /**
   * @param {import('./session.js').Call} call
   * @param {AbortSignal} [signal]
   * @returns {Promise<any>}
   */
  async #run(call, signal) {
    if (this.#closed) throw closedError();
    signal?.throwIfAborted();
    const running = this.#backend.run(call);
    if (signal === undefined) return running.promise;
    return new Promise((resolve, reject) => {
      const abort = () => {
        running.cancel();
        reject(signal.reason);
      };
      signal.addEventListener('abort', abort, { once: true });
      running.promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
    });
  }
}

function closedError() {
  return new MinnowError('closed', 'this Minnow is closed');
}

/**
 * What `load` is given, checked and in the form that a session takes.
 * @param {unknown} given
 * @returns {Wanted}
 */
export function prepare(given) {
  const options = checkLoadOptions(given);
  const { integrity, cache, threads, isa, memoryLimit } = options;
  const wasm = moduleSources(options.wasmUrl);
  const model = resolveModel(options.model);
  return { options, settings: { model, integrity, cache, threads, isa, memoryLimit, wasm } };
}
