// Minnow - SPDX-License-Identifier: Apache-2.0
// One instance of minnow-full.wasm with one ONNX graph in it; everything synchronous once it is made. What the module
// exports and who owns what is said in wasm/full.h and wasm/minnow_wasm.h; addresses and sizes are bytes in its memory.
import { MinnowError } from '../errors.js';
import { fileMemory } from '../file-memory.js';
import { compileModule, moduleImports, pickVariant, wasmError } from '../variants.js';
import { TYPES, typeOf } from './types.js';

const ABI = 2;
const PAGE_BYTES = 65536;
const MAX_RANK = 8;
const CLOSED = 'this session is released';
/** Of minnow_full_value, counted in 32-bit words: name, type, rank, dims, symbols, data, bytes. */
const VALUE = { name: 0, type: 1, rank: 2, dims: 3, symbols: 3 + MAX_RANK, data: 3 + 2 * MAX_RANK,
  bytes: 4 + 2 * MAX_RANK };
const VALUE_WORDS = 5 + 2 * MAX_RANK;
/** minnow_status, from 1 on. @type {import('../errors.js').MinnowErrorCode[]} */
const CODES = ['argument', 'network', 'format', 'unsupported', 'memory', 'argument', 'closed'];

/** @typedef {import('./types.js').Type} Type */
/** @typedef {import('./types.js').TensorData} TensorData */
/**
 * A declared input or output.
 * @typedef {object} ValueInfo
 * @property {string} name
 * @property {Type} type
 * @property {(number | string | null)[] | null} dims sizes; the names of those that each run decides ('batch_size'),
 *   null where they have none; null if the file says nothing
 */
/** @typedef {{type: Type, dims: number[], data: TensorData}} Tensor data is row-major */

/**
 * @typedef {object} OwnExports
 * @property {WebAssembly.Memory} memory
 * @property {() => number} minnow_wasm_abi
 * @property {(bytes: number) => void} minnow_wasm_memory_limit
 * @property {() => number} minnow_full_error
 * @property {(address: number, bytes: number, owned: number, memoryLimit: number) => number} minnow_full_open
 * @property {() => void} minnow_full_close
 * @property {() => number} minnow_full_n_inputs
 * @property {() => number} minnow_full_n_outputs
 * @property {(i: number) => number} minnow_full_input
 * @property {(i: number) => number} minnow_full_output
 * @property {(i: number) => number} minnow_full_result
 * @property {(i: number, type: number, rank: number, dims: number) => number} minnow_full_set
 * @property {(wanted: number) => number} minnow_full_run
 */
/** @typedef {OwnExports & import('../file-memory.js').FileExports} Exports */

export class Graph {
  /** @type {Exports} */ #exports;
  /** Room for what calls hand over by address: dims, which outputs are wanted. */
  #scratch = { address: 0, capacity: 0 };
  #decoder = new TextDecoder();
  #dead = false;
  /** @type {ValueInfo[]} */ inputs = [];
  /** @type {ValueInfo[]} */ outputs = [];

  /**
   * @param {Exports} exports
   * @param {number} [memoryLimit] bytes
   */
  constructor(exports, memoryLimit) {
    this.#exports = exports;
    const abi = exports.minnow_wasm_abi?.();
    if (abi !== ABI || typeof exports.minnow_full_open !== 'function')
      throw new MinnowError('unsupported', 'the WASM module is not minnow-full.wasm of this version of Minnow');
    exports.minnow_wasm_memory_limit(Math.min(memoryLimit ?? 0, 2 ** 32 - PAGE_BYTES));
    /** Where the file's bytes go, to be opened in place. @readonly */
    this.sink = fileMemory(
      // Not the exports above: close() lets go of its own.
      () => this.#call(() => ({ exports: this.#exports, memory: this.#exports.memory })),
      (allocate, bytes) => this.#allocated(allocate, bytes),
    );
  }

  /**
   * Compiles and starts the module, without a graph yet.
   * @param {import('../variants.js').ModuleSource} source
   * @param {{memoryLimit?: number, signal?: AbortSignal}} options
   * @returns {Promise<Graph>}
   */
  static async create(source, { memoryLimit, signal }) {
    pickVariant({ simd: source }, { threads: 1 }); // throws where there is no SIMD
    const module = await compileModule(source, signal);
    let instance;
    try {
      instance = await WebAssembly.instantiate(module, moduleImports(module));
    } catch (cause) {
      throw cause instanceof MinnowError ? cause : wasmError(cause, typeof source === 'string' ? source : 'wasmUrl');
    }
    return new Graph(/** @type {Exports} */ (/** @type {unknown} */ (instance.exports)), memoryLimit);
  }

  /** Opens what the sink was given. The bytes are the graph's from here on, and no longer the file's. */
  open() {
    const { address, written } = this.sink.take();
    this.#check(this.#call(() => this.#exports.minnow_full_open(address, written, 1, 0)));
    const { minnow_full_n_inputs, minnow_full_n_outputs, minnow_full_input, minnow_full_output } = this.#exports;
    this.inputs = Array.from({ length: minnow_full_n_inputs() }, (_, i) => this.#info(minnow_full_input(i)));
    this.outputs = Array.from({ length: minnow_full_n_outputs() }, (_, i) => this.#info(minnow_full_output(i)));
  }

  /** @returns {number} of WASM memory */
  get memoryBytes() {
    return this.#dead ? 0 : this.#exports.memory.buffer.byteLength;
  }

  /**
   * Sets input i; it stays set.
   * @param {number} i
   * @param {{dims: number[], data: TensorData}} tensor of the input's type
   */
  set(i, { dims, data }) {
    const shape = this.#room(4 * MAX_RANK);
    new Int32Array(this.#exports.memory.buffer, shape, MAX_RANK).set(dims);
    const type = TYPES[this.inputs[i].type].number;
    const address = this.#call(() => this.#exports.minnow_full_set(i, type, dims.length, shape)) >>> 0;
    if (address === 0) throw this.#error('memory');
    new Uint8Array(this.#exports.memory.buffer).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
      address);
  }

  /**
   * @param {boolean[]} wanted outputs
   * @returns {(Tensor | null)[]} one for each output, copied; null: not wanted
   */
  run(wanted) {
    const flags = this.#room(wanted.length);
    new Uint8Array(this.#exports.memory.buffer, flags, wanted.length).set(wanted.map(Number));
    this.#check(this.#call(() => this.#exports.minnow_full_run(flags)));
    return wanted.map((is, i) => (is ? this.#result(this.#exports.minnow_full_result(i) >>> 0) : null));
  }

  /** Nothing can be called after it. The memory itself goes when the last reference to the instance does. */
  close() {
    this.#dead = true;
    this.#exports = /** @type {any} */ (null);
  }

  /** @param {number} address of a minnow_full_value */
  #words(address) {
    return new Uint32Array(this.#exports.memory.buffer, address, VALUE_WORDS);
  }

  /** @param {number} address of a minnow_full_value @returns {ValueInfo} */
  #info(address) {
    const words = this.#words(address >>> 0).slice();
    const name = this.#string(words[VALUE.name]);
    const type = typeOf(words[VALUE.type]);
    if (type === null) throw new MinnowError('unsupported', `'${name}' is of a type that is not supported`);
    const rank = words[VALUE.rank] | 0;
    if (rank < 0) return { name, type, dims: null };
    const dims = Array.from({ length: rank }, (_, d) => {
      const size = words[VALUE.dims + d] | 0;
      const symbol = words[VALUE.symbols + d];
      return size >= 0 ? size : symbol !== 0 ? this.#string(symbol) : null;
    });
    return { name, type, dims };
  }

  /** @param {number} address of a minnow_full_value @returns {Tensor} */
  #result(address) {
    const words = this.#words(address);
    const type = /** @type {Type} */ (typeOf(words[VALUE.type]));
    const dims = Array.from(words.subarray(VALUE.dims, VALUE.dims + words[VALUE.rank]));
    const start = words[VALUE.data];
    // Copied: the memory is used again, and may grow.
    const bytes = this.#exports.memory.buffer.slice(start, start + words[VALUE.bytes]);
    return { type, dims, data: new TYPES[type].Array(bytes) };
  }

  /** @param {number} bytes @returns {number} scratch memory; what was there is lost */
  #room(bytes) {
    if (this.#dead) throw new MinnowError('closed', CLOSED);
    if (bytes > this.#scratch.capacity) {
      this.#exports.minnow_wasm_release(this.#scratch.address);
      this.#scratch = { address: 0, capacity: 0 };
      this.#scratch.address = this.#allocated(() => this.#exports.minnow_wasm_allocate(bytes), bytes);
      this.#scratch.capacity = bytes;
    }
    return this.#scratch.address;
  }

  /**
   * @param {() => number} allocate
   * @param {number} bytes
   */
  #allocated(allocate, bytes) {
    const address = bytes < 2 ** 31 ? this.#call(allocate) : 0;
    if (address === 0) throw new MinnowError('memory', `${bytes} bytes: out of memory, or over memoryLimit`);
    return address >>> 0;
  }

  /**
   * @template T
   * @param {() => T} call
   * @returns {T}
   */
  #call(call) {
    if (this.#dead) throw new MinnowError('closed', CLOSED);
    try {
      return call();
    } catch (cause) {
      // A trap leaves the instance in no known state.
      this.close();
      throw new MinnowError('closed',
        `the instance failed and must be loaded anew: ${/** @type {Error} */ (cause).message}`, { cause });
    }
  }

  /** @param {number} status */
  #check(status) {
    if (status !== 0) throw this.#error(CODES[status - 1]);
  }

  /** @param {import('../errors.js').MinnowErrorCode} code */
  #error(code) {
    return new MinnowError(code, this.#string(this.#exports.minnow_full_error() >>> 0));
  }

  /** @param {number} address of a NUL-terminated string */
  #string(address) {
    const memory = new Uint8Array(this.#exports.memory.buffer);
    return this.#decoder.decode(memory.subarray(address, memory.indexOf(0, address)));
  }
}
