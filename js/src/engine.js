// Minnow - SPDX-License-Identifier: Apache-2.0
// One WASM instance with one model: text in, vectors out, everything synchronous once it is made. What the module
// exports and who owns what is said in wasm/minnow_wasm.h; addresses and sizes here are numbers of bytes in its memory.
import { MinnowError } from './errors.js';
import { fileMemory } from './file-memory.js';
import { startThreads } from './threads.js';
import { compileModule, moduleImports, pickVariant, wasmError } from './variants.js';

const ABI = 2;
const TRUNCATED = 0x80000000;
const POOLINGS = ['default', 'mean', 'cls', 'max'];
/** minnow_status, from 1 on. @type {import('./errors.js').MinnowErrorCode[]} */
const CODES = ['argument', 'network', 'format', 'unsupported', 'memory', 'argument', 'closed'];
/** Scratch memory beyond this is given back after the call that needed it. */
const SCRATCH_KEPT_BYTES = 1 << 20;
const PAGE_BYTES = 65536;
/** Of shared memory: its first size, and its largest if no limit is given, which some browsers set aside at once. */
const SHARED_PAGES = { initial: 32, maximum: 16384 };

/**
 * @typedef {object} Exports further functions of wasm/minnow_wasm.h
 * @property {WebAssembly.Memory} [memory]
 * @property {() => number} minnow_wasm_abi
 * @property {() => number} minnow_wasm_error
 * @property {(bytes: number) => void} minnow_wasm_memory_limit
 * @property {() => number} minnow_wasm_memory_used
 * @property {(address: number, bytes: number, verified: number) => number} minnow_wasm_open
 * @property {() => void} minnow_wasm_close
 * @property {() => number} minnow_wasm_info_get
 * @property {(isa: number, threads: number, maxTokens: number, pooling: number, noNormalize: number) => number}
 *   minnow_wasm_configure
 * @property {(index: number) => number} minnow_wasm_isa
 * @property {() => void} minnow_wasm_choose
 * @property {(texts: number, offsets: number, n: number, vectors: number, encodings: number) => number}
 *   minnow_wasm_encode
 * @property {(text: number, bytes: number, vectors: number, capacity: number, encoding: number) => number}
 *   minnow_wasm_encode_tokens
 * @property {(text: number, bytes: number, maxTokens: number, ids: number, capacity: number, n: number) => number}
 *   minnow_wasm_tokenize
 */
/** @typedef {import('./file-memory.js').FileExports} FileExports */
/** @typedef {Exports & FileExports & import('./threads.js').ThreadExports} AllExports */

/**
 * @typedef {{maxTokens?: number, pooling?: string, normalize?: boolean}} EncodeOptions 0 or left out: the model's own
 */
/**
 * @typedef {{dimensions: number, maxTokens: number, maxPositions: number, pooling: string, isa: string,
 *   threads: number}} EngineInfo
 */

/** @typedef {import('./file-memory.js').FileMemory} Sink */

export class Engine {
  /** @type {AllExports} */ #exports;
  /** @type {WebAssembly.Memory} */ #memory;
  #scratch = { address: 0, capacity: 0 };
  #encoder = new TextEncoder();
  #decoder = new TextDecoder();
  #isa = 0;
  #threads;
  #dead = false;
  /** @type {Promise<() => void>} ends them, once all have come */ #helpers = Promise.resolve(() => {});

  /**
   * @param {AllExports} exports
   * @param {WebAssembly.Memory} memory
   * @param {{threads: number, memoryLimit?: number}} options
   */
  constructor(exports, memory, { threads, memoryLimit }) {
    this.#exports = exports;
    this.#memory = memory;
    this.#threads = threads;
    const abi = exports.minnow_wasm_abi?.();
    if (abi !== ABI)
      throw new MinnowError('unsupported', `the WASM module is of another version of Minnow (ABI ${abi})`);
    exports.minnow_wasm_memory_limit(Math.min(memoryLimit ?? 0, 2 ** 32 - PAGE_BYTES));
    /** @type {{simd: 'relaxed'|'simd', reason: string}} */
    this.picked = { simd: 'simd', reason: '' };
    /** Where the model's bytes go, to be opened in place. @readonly */
    this.sink = fileMemory(() => this.#call(() => ({ exports, memory })),
      (allocate, bytes) => this.#allocated(allocate, bytes, 'the model'));
  }

  /**
   * Compiles and starts a module, without a model yet. Its helper threads may still be on their way.
   * @param {object} options
   * @param {import('./variants.js').ModuleSources} options.wasm
   * @param {number} [options.threads] wanted; left out: by the number of processors
   * @param {string} [options.isa] of minnow_wasm_isa, or 'simd' or 'relaxed' for a module; left out: the fastest, timed
   * @param {number} [options.memoryLimit] bytes
   * @param {AbortSignal} [options.signal]
   * @param {(() => import('./threads.js').Helper) | null} [options.spawn] starts a worker for a thread; null: one
   *   thread
   * @returns {Promise<Engine>}
   */
  static async create({ wasm, threads, isa, memoryLimit, signal, spawn = null }) {
    const picked = pickVariant(wasm, { threads, isa, inline: spawn === null });
    const source = /** @type {import('./variants.js').ModuleSource} */ (wasm[picked.variant]);
    const name = typeof source === 'string' ? source : `wasmUrl.${picked.variant}`;
    const module = await compileModule(source, signal);
    const shared = picked.threads > 1;
    /** @type {WebAssembly.Memory | undefined} */
    let memory;
    let instance;
    try {
      if (shared) memory = sharedMemory(memoryLimit);
      instance = await WebAssembly.instantiate(module, moduleImports(module, memory));
    } catch (cause) {
      throw wasmError(cause, name);
    }
    const exports = /** @type {AllExports} */ (/** @type {unknown} */ (instance.exports));
    const own = memory ?? exports.memory;
    if (own === undefined) throw new MinnowError('unsupported', `${name} has no memory`);
    const engine = new Engine(exports, own, { threads: picked.threads, memoryLimit });
    engine.picked = { simd: picked.simd, reason: picked.reason };
    const named = isa !== undefined && isa !== 'simd' && isa !== 'relaxed';
    if (named) engine.#isa = engine.#findIsa(isa);
    if (shared && spawn !== null) {
      engine.#helpers = startThreads({ exports, module, memory: own, count: picked.threads, spawn });
      engine.#helpers.catch(() => {}); // opening a model rejects with it
    }
    if (!named) engine.#call(exports.minnow_wasm_choose);
    return engine;
  }

  /**
   * Opens what the sink was given, and waits for helper threads. The bytes belong to the model from here on, whatever
   * happens.
   * @param {{verified: boolean}} options verified: the whole file's SHA-256 was right
   * @returns {Promise<EngineInfo>}
   */
  async open({ verified }) {
    const { address, written } = this.sink.take();
    this.#check(this.#call(() => this.#exports.minnow_wasm_open(address, written, verified ? 1 : 0)));
    await this.#helpers;
    this.#configure({});
    return this.info();
  }

  /** @returns {EngineInfo} */
  info() {
    const address = this.#exports.minnow_wasm_info_get();
    if (address === 0) throw new MinnowError('argument', 'no model is open');
    const [dimensions, maxTokens, maxPositions, pooling, isa, threads] =
      new Uint32Array(this.#memory.buffer, address, 6);
    return { dimensions, maxTokens, maxPositions, pooling: POOLINGS[pooling], isa: this.#string(isa), threads };
  }

  /** @returns {number} of WASM memory */
  get memoryBytes() {
    return this.#memory.buffer.byteLength;
  }

  /**
   * @param {string[]} texts
   * @param {EncodeOptions} [options]
   * @returns {{data: Float32Array, tokenCounts: Uint32Array, truncated: Uint8Array}} data [n, dimensions]
   */
  encode(texts, options = {}) {
    const n = texts.length;
    this.#configure(options);
    const { dimensions } = this.info();
    const pieces = texts.map((text) => this.#encoder.encode(text));
    const textBytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
    const [vectors, encodings, offsets, bytes] = this.#room([4 * n * dimensions, 4 * n, 4 * (n + 1), textBytes]);
    const memory = new Uint8Array(this.#memory.buffer);
    const starts = new Uint32Array(this.#memory.buffer, offsets, n + 1);
    let at = 0;
    pieces.forEach((piece, i) => {
      starts[i] = at;
      memory.set(piece, bytes + at);
      at += piece.length;
    });
    starts[n] = at;
    this.#check(this.#call(() => this.#exports.minnow_wasm_encode(bytes, offsets, n, vectors, encodings)));
    // slice, not a view: the scratch memory is used again, and memory may have grown.
    const data = copyFloats(this.#memory.buffer, vectors, n * dimensions);
    const packed = new Uint32Array(this.#memory.buffer, encodings, n);
    const tokenCounts = Uint32Array.from(packed, (value) => value & ~TRUNCATED);
    const truncated = Uint8Array.from(packed, (value) => value >>> 31);
    this.#trimScratch();
    return { data, tokenCounts, truncated };
  }

  /**
   * @param {string} text
   * @param {EncodeOptions} [options]
   * @returns {{data: Float32Array, dims: [number, number], truncated: boolean}} data [tokens, dimensions], not
   *   normalized
   */
  encodeTokens(text, options = {}) {
    this.#configure(options);
    const { dimensions, maxTokens } = this.info();
    const piece = this.#encoder.encode(text);
    const most = Math.min(options.maxTokens || maxTokens, piece.length + 2);
    const [vectors, encoding, bytes] = this.#room([4 * most * dimensions, 4, piece.length]);
    new Uint8Array(this.#memory.buffer).set(piece, bytes);
    this.#check(this.#call(() =>
      this.#exports.minnow_wasm_encode_tokens(bytes, piece.length, vectors, most * dimensions, encoding)));
    const packed = new Uint32Array(this.#memory.buffer, encoding, 1)[0];
    const tokens = packed & ~TRUNCATED;
    const data = copyFloats(this.#memory.buffer, vectors, tokens * dimensions);
    this.#trimScratch();
    return { data, dims: [tokens, dimensions], truncated: packed >>> 31 === 1 };
  }

  /**
   * @param {string} text
   * @param {{maxTokens?: number}} [options] Infinity: all of them
   * @returns {{ids: Int32Array, truncated: boolean}} [CLS] and [SEP] included
   */
  tokenize(text, { maxTokens } = {}) {
    const piece = this.#encoder.encode(text);
    const all = maxTokens === Infinity;
    const most = all ? 0 : maxTokens || this.info().maxTokens;
    const capacity = all ? piece.length + 2 : Math.min(most, piece.length + 2);
    const [ids, count, bytes] = this.#room([4 * capacity, 4, piece.length]);
    new Uint8Array(this.#memory.buffer).set(piece, bytes);
    this.#check(this.#call(() => this.#exports.minnow_wasm_tokenize(bytes, piece.length, most, ids, capacity, count)));
    const packed = new Uint32Array(this.#memory.buffer, count, 1)[0];
    const copy = new Int32Array(packed & ~TRUNCATED);
    copy.set(new Int32Array(this.#memory.buffer, ids, copy.length));
    this.#trimScratch();
    return { ids: copy, truncated: packed >>> 31 === 1 };
  }

  /** Closes the model and ends the threads. The memory itself goes when the last reference to the engine does. */
  close() {
    if (!this.#dead) this.#exports.minnow_wasm_close();
    this.#dead = true;
    this.#helpers.then((end) => end(), () => {});
  }

  /** @param {EncodeOptions} options */
  #configure({ maxTokens = 0, pooling = 'default', normalize = true }) {
    this.#check(this.#call(() => this.#exports.minnow_wasm_configure(this.#isa, this.#threads, maxTokens,
      POOLINGS.indexOf(pooling), normalize ? 0 : 1)));
  }

  /** @param {string} isa */
  #findIsa(isa) {
    const names = [];
    for (let i = 0; ; i++) {
      const address = this.#exports.minnow_wasm_isa(i);
      if (address === 0) break;
      if (this.#string(address) === isa) return address;
      names.push(this.#string(address));
    }
    throw new MinnowError('argument', `isa ${isa}: this module has ${names.join(', ')}`);
  }

  /**
   * Scratch memory for several arrays, each aligned to 8 bytes; what was there is lost.
   * @param {number[]} sizes bytes
   * @returns {number[]} addresses
   */
  #room(sizes) {
    let total = 0;
    const offsets = sizes.map((bytes) => {
      const offset = total;
      total += (bytes + 7) & ~7;
      return offset;
    });
    if (total > this.#scratch.capacity) {
      this.#exports.minnow_wasm_release(this.#scratch.address);
      this.#scratch = { address: 0, capacity: 0 };
      // Half as much again, so that a few calls of growing size do not each leave a hole behind.
      const capacity = Math.max(total + (total >> 1), 1 << 14);
      const address = this.#allocated(() => this.#exports.minnow_wasm_allocate(capacity), capacity, 'a text');
      this.#scratch = { address, capacity };
    }
    return offsets.map((offset) => this.#scratch.address + offset);
  }

  #trimScratch() {
    if (this.#scratch.capacity <= SCRATCH_KEPT_BYTES) return;
    this.#exports.minnow_wasm_release(this.#scratch.address);
    this.#scratch = { address: 0, capacity: 0 };
  }

  /**
   * @param {() => number} allocate
   * @param {number} bytes
   * @param {string} what
   */
  #allocated(allocate, bytes, what) {
    const address = bytes < 2 ** 32 - PAGE_BYTES ? this.#call(allocate) : 0;
    if (address === 0) throw new MinnowError('memory', `${what}: ${bytes} bytes: out of memory, or over memoryLimit`);
    return address >>> 0;
  }

  /**
   * @template T
   * @param {() => T} call
   * @returns {T}
   */
  #call(call) {
    if (this.#dead) throw new MinnowError('closed', 'the engine is closed');
    try {
      return call();
    } catch (cause) {
      // A trap leaves the instance in no known state.
      this.#dead = true;
      throw new MinnowError('closed',
        `the engine failed and must be loaded anew: ${/** @type {Error} */ (cause).message}`, { cause });
    }
  }

  /** @param {number} status */
  #check(status) {
    if (status !== 0) throw new MinnowError(CODES[status - 1], this.#string(this.#exports.minnow_wasm_error()));
  }

  /** @param {number} address of a NUL-terminated string; 0: none */
  #string(address) {
    if (address === 0) return '';
    const memory = new Uint8Array(this.#memory.buffer);
    // slice: decoders refuse shared memory.
    return this.#decoder.decode(memory.slice(address, memory.indexOf(0, address)));
  }
}

/** @param {number} [limit] bytes */
function sharedMemory(limit) {
  const maximum = Math.min(SHARED_PAGES.maximum, Math.floor((limit ?? Infinity) / PAGE_BYTES));
  return new WebAssembly.Memory({ initial: SHARED_PAGES.initial, maximum, shared: true });
}

/**
 * @param {ArrayBufferLike} buffer
 * @param {number} address
 * @param {number} count
 */
function copyFloats(buffer, address, count) {
  const copy = new Float32Array(count);
  copy.set(new Float32Array(buffer, address, count));
  return copy;
}
