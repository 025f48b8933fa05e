// Minnow - SPDX-License-Identifier: Apache-2.0
// A model that is loaded, and the calls that wait for it: the same in the worker and inline. Options come in checked
// (options.js) and with defaults filled in. The engine is synchronous; calls take turns, a chunk of texts at a time, so
// that a short query waits for one chunk and not for ten thousand texts.
import { Engine } from './engine.js';
import { MinnowError } from './errors.js';
import { openModel } from './load/model.js';
import { unpackModel } from './options.js';
import { isNode, nextTask } from './platform.js';
import { vectorArray, vectorLength, writeVector } from './precision.js';

/** A turn ends after this many texts, or when the next text would, at the speed so far, end after this many ms. */
const TURN_TEXTS = 16;
const TURN_MS = 20;

/**
 * What a session is made of; can be sent to a worker.
 * @typedef {object} SessionSettings
 * @property {import('./options.js').ModelSource} model
 * @property {string} [integrity]
 * @property {import('./load/model.js').CacheOption} [cache]
 * @property {import('./variants.js').ModuleSources} wasm
 * @property {number} [threads]
 * @property {string} [isa]
 * @property {number} [memoryLimit]
 */
/**
 * @typedef {{phase: 'download'|'decode'|'compile'|'ready', file: string, loaded: number, total: number,
 *   fromCache: boolean}} Progress
 */
/** @typedef {(phase: 'compile'|'decode'|'ready', file: string, loaded?: number, fromCache?: boolean) => void} Stage */
/**
 * @typedef {{name: string, dimensions: number, maxTokens: number, maxPositions: number, picked: SessionPicked}}
 *   SessionInfo
 */
/** @typedef {{simd: 'relaxed'|'simd', isa: string, threads: number, reason: string}} SessionPicked */

/**
 * @typedef {{maxTokens: number, pooling: string, normalize: boolean, precision: import('./precision.js').Precision,
 *   dimensions: number}} EmbedSettings
 */
/** @typedef {import('./precision.js').VectorData} VectorData */
/** @typedef {{data: VectorData, dims: [number, number], tokenCounts: Uint32Array, truncated: Uint8Array}} Batch */
/**
 * A call, as it is sent.
 * @typedef {{method: 'embed', texts: string[], options: EmbedSettings}
 *   | {method: 'tokenize', text: string, maxTokens: number}
 *   | {method: 'tokenEmbeddings', text: string, maxTokens: number}} Call
 */
/**
 * @typedef {{promise: Promise<any>, cancel: () => void}} Running cancel: the promise stays unsettled and the work is
 *   dropped
 */

/**
 * @typedef {{step: () => {done: boolean, value?: unknown}, resolve: (value: unknown) => void,
 *   reject: (error: unknown) => void}} Job
 */

export class Session {
  /** @type {Job[]} the one whose turn is next first */
  #jobs = [];
  #running = false;
  #closed = false;
  /** @type {Engine | null} null once closed: its memory goes with the last reference */
  #open;
  /** Milliseconds that a character took, smoothed. */
  #pace = 0;

  /**
   * @param {Engine} engine with its model open
   * @param {SessionInfo} info
   */
  constructor(engine, info) {
    this.#open = engine;
    this.info = info;
  }

  /**
   * @param {SessionSettings} settings
   * @param {object} hooks
   * @param {(event: Progress) => void} [hooks.onProgress]
   * @param {AbortSignal} [hooks.signal]
   * @param {(() => import('./threads.js').Helper) | null} [hooks.spawn]
   * @returns {Promise<Session>}
   */
  static async load(settings, { onProgress, signal, spawn = null }) {
    const { wasm, threads, isa, memoryLimit } = settings;
    /** @type {Stage} */
    const stage = (phase, file, loaded = 1, fromCache = false) =>
      onProgress?.({ phase, file, loaded, total: 1, fromCache });
    const stop = linkedController(signal);
    stage('compile', 'engine', 0);
    // While the module comes and is compiled, the model is asked for already.
    const starting = Engine.create({ wasm, threads, isa, memoryLimit, signal: stop.signal, spawn });
    starting.then(() => stop.signal.aborted || stage('compile', 'engine')).catch((error) => stop.abort(error));
    try {
      const { opened, engine, engineInfo } =
        await openInto(starting, settings, { onProgress, signal: stop.signal, stage });
      const { dimensions, maxTokens, maxPositions, isa: picked, threads: count } = engineInfo;
      const info = { name: opened.name, dimensions, maxTokens, maxPositions,
        picked: { simd: engine.picked.simd, isa: picked, threads: count, reason: engine.picked.reason } };
      // Into the cache from WASM memory, in a page behind the first calls' backs; it never rejects. A script may be
      // short.
      const kept = opened.keep();
      stage('ready', opened.name, 1, opened.fromCache);
      if (isNode()) await kept;
      return new Session(engine, info);
    } catch (error) {
      stop.abort(error);
      starting.then((engine) => engine.close(), () => {});
      throw error;
    } finally {
      stop.unlink();
    }
  }

  get #engine() {
    if (this.#open === null) throw new MinnowError('closed', 'this Minnow is closed');
    return this.#open;
  }

  /** @returns {number} of WASM memory */
  get memoryBytes() {
    return this.#engine.memoryBytes;
  }

  /**
   * @param {Call} call
   * @returns {Running}
   */
  run(call) {
    /** @type {Job | undefined} */
    let job;
    const promise = new Promise((resolve, reject) => {
      if (this.#closed) throw new MinnowError('closed', 'this Minnow is closed');
      job = { step: this.#steps(call), resolve, reject };
      this.#jobs.push(job);
      this.#go();
    });
    const cancel = () => {
      this.#jobs = this.#jobs.filter((other) => other !== job);
    };
    return { promise, cancel };
  }

  /** Pending calls reject; the engine's memory is given back. */
  close() {
    if (this.#closed) return;
    this.#closed = true;
    for (const job of this.#jobs) job.reject(new MinnowError('closed', 'this Minnow was closed'));
    this.#jobs = [];
    this.#open?.close();
    this.#open = null;
  }

  /** Gives turns while there are jobs. */
  async #go() {
    if (this.#running) return;
    this.#running = true;
    // Calls of one task, and aborts that were sent with them, are all here before the first turn.
    await nextTask();
    for (let job = this.#jobs.shift(); job !== undefined; job = this.#jobs.shift()) {
      try {
        const { done, value } = job.step();
        if (done) job.resolve(value);
        else this.#jobs.push(job);
      } catch (error) {
        job.reject(error);
      }
      await nextTask();
    }
    this.#running = false;
  }

  /**
   * @param {Call} call
   * @returns {Job['step']}
   */
  #steps(call) {
    if (call.method === 'embed') return this.#embedSteps(call.texts, call.options);
    const { method, text, maxTokens } = call;
    if (method === 'tokenize') return () => ({ done: true, value: this.#engine.tokenize(text, { maxTokens }) });
    return () => ({ done: true, value: this.#engine.encodeTokens(text, { maxTokens }) });
  }

  /**
   * @param {string[]} texts
   * @param {EmbedSettings} options
   * @returns {Job['step']}
   */
  #embedSteps(texts, options) {
    const { precision, dimensions } = options;
    const n = texts.length;
    const full = this.info.dimensions;
    const length = vectorLength(dimensions, precision);
    const data = vectorArray(precision, n * length);
    const tokenCounts = new Uint32Array(n);
    const truncated = new Uint8Array(n);
    let at = 0;
    return () => {
      const end = this.#turnEnd(texts, at);
      if (end > at) {
        const part = this.#timed(texts.slice(at, end), options);
        tokenCounts.set(part.tokenCounts, at);
        truncated.set(part.truncated, at);
        for (let i = at; i < end; i++) {
          const vector = part.data.subarray((i - at) * full, (i - at + 1) * full);
          writeVector(vector, options, data, i * length);
        }
      }
      at = end;
      if (at < n) return { done: false };
      return { done: true, value: { data, dims: [n, length], tokenCounts, truncated } };
    };
  }

  /**
   * @param {string[]} texts
   * @param {import('./engine.js').EncodeOptions} options
   */
  #timed(texts, options) {
    const start = performance.now();
    const part = this.#engine.encode(texts, options);
    const pace = (performance.now() - start) / texts.reduce((sum, text) => sum + cost(text), 0);
    this.#pace = this.#pace === 0 ? pace : 0.75 * this.#pace + 0.25 * pace;
    return part;
  }

  /**
   * @param {string[]} texts
   * @param {number} at
   * @returns {number} behind the last text of a turn that begins with text `at`
   */
  #turnEnd(texts, at) {
    let end = at;
    let ms = 0;
    while (end < texts.length && end - at < TURN_TEXTS) {
      ms += cost(texts[end]) * this.#pace;
      if (ms > TURN_MS && end > at) break;
      end++;
      // The speed is not known yet: one text tells it.
      if (this.#pace === 0) break;
    }
    return end;
  }
}

/**
 * A controller that follows a signal until it is unlinked.
 * @param {AbortSignal} [signal]
 */
function linkedController(signal) {
  const controller = new AbortController();
  const follow = () => controller.abort(signal?.reason);
  signal?.addEventListener('abort', follow, { once: true });
  if (signal?.aborted) follow();
  return {
    signal: controller.signal,
    abort: (/** @type {unknown} */ reason) => controller.abort(reason),
    unlink: () => signal?.removeEventListener('abort', follow),
  };
}

/**
 * An engine's sink before there is an engine.
 * @param {Promise<Engine>} starting
 * @returns {import('./load/intake.js').Sink}
 */
function lateSink(starting) {
  /** @type {import('./engine.js').Sink | undefined} */
  let sink;
  const ready = starting.then((engine) => {
    sink = engine.sink;
  });
  const there = () => /** @type {import('./engine.js').Sink} */ (sink);
  return {
    ready,
    reset: () => sink?.reset(),
    reserve: (bytes) => there().reserve(bytes),
    write: (chunk, checks) => there().write(chunk, checks),
    digest: () => there().digest(),
    read: (offset, length) => there().read(offset, length),
  };
}

/**
 * The model's bytes into the engine, and opened there. What came from a cache and does not open is loaded once more.
 * @param {Promise<Engine>} starting
 * @param {SessionSettings} settings
 * @param {{onProgress?: (event: Progress) => void, signal: AbortSignal, stage: Stage}} hooks
 */
async function openInto(starting, { model, integrity, cache }, { onProgress, signal, stage }) {
  const sink = lateSink(starting);
  sink.ready?.catch(() => {}); // loading rejects with it, too
  let furthest = 0;
  for (let attempt = 1; ; attempt++) {
    const opened = await openModel(unpackModel(model), { integrity, signal, cache, onProgress: (event) => {
      const { total } = event;
      // The file's own head says how long it is: until that has come there is nothing to tell.
      if (total === null || event.loaded < furthest) return;
      furthest = event.loaded;
      onProgress?.({ ...event, total });
    } }, sink);
    try {
      signal.throwIfAborted();
      const engine = await starting;
      stage('decode', opened.name, 0, opened.fromCache);
      const engineInfo = await engine.open({ verified: opened.verified });
      stage('decode', opened.name, 1, opened.fromCache);
      return { opened, engine, engineInfo };
    } catch (error) {
      opened.done();
      if (!opened.fromCache || attempt > 1 || !(error instanceof MinnowError && error.code === 'format')) throw error;
      await opened.forget();
    }
  }
}

/**
 * About what a text costs, in characters: some for being a text at all, and none beyond where it is cut.
 * @param {string} text
 */
function cost(text) {
  return 32 + Math.min(text.length, 2048);
}
