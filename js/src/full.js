// Minnow - SPDX-License-Identifier: Apache-2.0
// `minnow-embed/full`: runs ONNX files as they are. One thread, in the calling thread; weights are in memory once.
//
//   import { Session } from 'minnow-embed/full';
//   const session = await Session.load('/models/model.onnx');
//   const { last_hidden_state } = await session.run({
//     input_ids: [[101, 7592, 102], [101, 102, 0]],
//     attention_mask: [[1, 1, 1], [1, 1, 0]],
//   });
//   last_hidden_state            { type: 'float32', dims: [2, 3, 384], data: Float32Array }
//   session.release();
import { MinnowError } from './errors.js';
import { Graph } from './full/graph.js';
import { toTensor } from './full/tensor.js';
import { openModel } from './load/model.js';
import { absoluteUrl } from './platform.js';

export { MinnowError } from './errors.js';

/** @typedef {import('./full/types.js').Type} Type */
/** @typedef {import('./full/types.js').TensorData} TensorData */
/** @typedef {import('./full/tensor.js').Input} Input */
/** @typedef {import('./full/graph.js').ValueInfo} ValueInfo */
/** @typedef {import('./full/graph.js').Tensor} Tensor */
/** @typedef {import('./load/source.js').ModelSource} Source */
/**
 * @typedef {{phase: 'download'|'decode'|'compile'|'ready', file: string, loaded: number, total: number | null,
 *   fromCache: boolean}} Progress
 */

/**
 * @typedef {object} SessionOptions
 * @property {string | URL | ArrayBuffer | WebAssembly.Module} [wasmUrl] of minnow-full.wasm, or the module; default:
 *   the package's
 * @property {string} [integrity] 'sha256-' and base64 of the file's SHA-256
 * @property {(event: Progress) => void} [onProgress]
 * @property {AbortSignal} [signal] rejects with its reason
 * @property {import('./load/model.js').CacheOption} [cache] as in Minnow.load, but that 'auto' is 'verify':
 *   an ONNX file has no checksums of its own
 * @property {number} [memoryLimit] bytes of WASM memory beyond which loading and runs reject with 'memory'
 */
const OPTIONS = ['wasmUrl', 'integrity', 'onProgress', 'signal', 'cache', 'memoryLimit'];

/** An ONNX file that is loaded. Made by `Session.load`. */
export class Session {
  #graph;
  #released = false;

  /**
   * @param {Graph} graph with its file open
   * @param {string} name
   */
  constructor(graph, name) {
    this.#graph = graph;
    /** The file's name. @readonly */
    this.name = name;
    /** What `run` takes. @type {readonly ValueInfo[]} @readonly */
    this.inputs = Object.freeze(graph.inputs.map((info) => Object.freeze(info)));
    /** What it gives. @type {readonly ValueInfo[]} @readonly */
    this.outputs = Object.freeze(graph.outputs.map((info) => Object.freeze(info)));
    /** @type {readonly string[]} @readonly */
    this.inputNames = Object.freeze(this.inputs.map(({ name: input }) => input));
    /** @type {readonly string[]} @readonly */
    this.outputNames = Object.freeze(this.outputs.map(({ name: output }) => output));
  }

  /**
   * Rejects with MinnowError: 'format' for a file that is no ONNX model or a damaged one, 'unsupported' for one with
   * operators that Minnow does not have or with external data, 'network', 'integrity', 'memory', 'argument'.
   * @param {Source} source the file's URL (in Node also its path), a Response, the bytes, a Blob, or {url, integrity,
   *   bytes, name}
   * @param {SessionOptions} [options]
   * @returns {Promise<Session>}
   */
  static async load(source, options = {}) {
    const { onProgress, signal, memoryLimit } = checkOptions(options);
    /** @type {(phase: 'compile'|'decode'|'ready', file: string, loaded?: number, fromCache?: boolean) => void} */
    const stage = (phase, file, loaded = 1, fromCache = false) =>
      onProgress?.({ phase, file, loaded, total: 1, fromCache });
    signal?.throwIfAborted();
    stage('compile', 'engine', 0);
    const graph = await Graph.create(moduleSource(options.wasmUrl), { memoryLimit, signal });
    stage('compile', 'engine');
    try {
      const opened = await openInto(graph, source, options, stage);
      stage('ready', opened.name, 1, opened.fromCache);
      return new Session(graph, opened.name);
    } catch (error) {
      graph.close();
      throw error;
    }
  }

  /**
   * Runs the graph once, to its end, before anything else runs in this thread.
   * @param {Record<string, Input>} feeds an input each: {data, dims}, as onnxruntime-web's tensors have them, or nested
   *   arrays. Numbers may lie in any array; each must be one that the input's type holds. `token_type_ids` may be left
   *   out: zeros, in the shape of `input_ids`
   * @param {readonly string[]} [outputNames] default: all. What only others need is not computed
   * @returns {Promise<Record<string, Tensor>>} the outputs by name, copied
   */
  async run(feeds, outputNames = this.outputNames) {
    if (this.#released) throw new MinnowError('closed', 'this session is released');
    const tensors = this.#tensors(feeds);
    const wanted = this.#wanted(outputNames);
    tensors.forEach((tensor, i) => this.#graph.set(i, tensor));
    const results = this.#graph.run(wanted);
    /** @type {[string, Tensor][]} */
    const named = [];
    results.forEach((tensor, i) => tensor !== null && named.push([this.outputNames[i], tensor]));
    return Object.fromEntries(named);
  }

  /** @returns {number} bytes of WASM memory; 0 after release */
  get memoryBytes() {
    return this.#graph.memoryBytes;
  }

  /** Gives all memory back; later calls reject with code 'closed'. */
  release() {
    this.#released = true;
    this.#graph.close();
  }

  /**
   * @param {unknown} feeds
   * @returns {{dims: number[], data: TensorData}[]} in the order of inputs
   */
  #tensors(feeds) {
    if (typeof feeds !== 'object' || feeds === null)
      throw new MinnowError('argument', 'run: no object of inputs by name');
    const given = /** @type {Record<string, unknown>} */ (feeds);
    for (const name of Object.keys(given)) {
      if (!this.inputNames.includes(name))
        throw new MinnowError('argument', `no input '${name}'; there are ${this.inputNames.join(', ')}`);
    }
    const of = (/** @type {ValueInfo} */ { name, type }) => toTensor(name, type, given[name]);
    return this.inputs.map((info) => {
      if (given[info.name] !== undefined) return of(info);
      const ids = this.inputs.find(({ name }) => name === 'input_ids');
      if (info.name !== 'token_type_ids' || info.type !== 'int64' || ids === undefined || given.input_ids === undefined)
        throw new MinnowError('argument', `input '${info.name}' is missing`);
      const { dims, data } = of(ids);
      return { dims, data: new BigInt64Array(data.length) };
    });
  }

  /** @param {unknown} names @returns {boolean[]} */
  #wanted(names) {
    if (!Array.isArray(names)) throw new MinnowError('argument', 'run: outputNames is no array');
    for (const name of names) {
      if (!this.outputNames.includes(name))
        throw new MinnowError('argument', `no output '${String(name)}'; there are ${this.outputNames.join(', ')}`);
    }
    return this.outputNames.map((name) => names.includes(name));
  }
}

/**
 * @param {SessionOptions} options
 * @returns {SessionOptions}
 */
function checkOptions(options) {
  if (typeof options !== 'object' || options === null)
    throw new MinnowError('argument', 'Session.load: options are no object');
  for (const name of Object.keys(options))
    if (!OPTIONS.includes(name))
      throw new MinnowError('argument', `Session.load: no option '${name}'; there are ${OPTIONS.join(', ')}`);
  const { memoryLimit } = options;
  if (memoryLimit !== undefined && !(Number.isSafeInteger(memoryLimit) && memoryLimit > 0))
    throw new MinnowError('argument', `memoryLimit: ${String(memoryLimit)} is not a number of bytes`);
  return options;
}

/**
 * @param {SessionOptions['wasmUrl']} wasmUrl
 * @returns {import('./variants.js').ModuleSource}
 */
function moduleSource(wasmUrl) {
  // Written out, because bundlers look for just this expression.
  if (wasmUrl === undefined) return new URL('../wasm/minnow-full.wasm', import.meta.url).href;
  return typeof wasmUrl === 'string' || wasmUrl instanceof URL ? absoluteUrl(wasmUrl) : wasmUrl;
}

/**
 * The file's bytes into the instance, and opened there. What came from a cache and does not open is loaded once more.
 * @param {Graph} graph
 * @param {Source} source
 * @param {SessionOptions} options
 * @param {(phase: 'decode', file: string, loaded?: number, fromCache?: boolean) => void} stage
 */
async function openInto(graph, source, { integrity, onProgress, signal, cache }, stage) {
  for (let attempt = 1; ; attempt++) {
    const opened = await openModel(source, { integrity, onProgress, signal, cache: hashed(cache), anyFormat: true },
      graph.sink);
    // Opening changes the bytes, so they go into the cache before.
    await opened.keep();
    signal?.throwIfAborted();
    stage('decode', opened.name, 0, opened.fromCache);
    try {
      graph.open();
      stage('decode', opened.name, 1, opened.fromCache);
      return opened;
    } catch (error) {
      await opened.forget();
      if (!opened.fromCache || attempt > 1 || !(error instanceof MinnowError && error.code === 'format'))
        throw error instanceof MinnowError
          ? new MinnowError(error.code, `${opened.name}: ${error.message}`, { cause: error }) : error;
    }
  }
}

/**
 * @param {import('./load/model.js').CacheOption | undefined} cache
 * @returns {import('./load/model.js').CacheOption} the same, with what it finds hashed
 */
function hashed(cache = true) {
  if (cache === true || cache === 'auto') return 'verify';
  if (typeof cache === 'object' && cache !== null && (cache.mode ?? 'auto') === 'auto')
    return { ...cache, mode: 'verify' };
  return cache;
}
