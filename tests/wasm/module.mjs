// SPDX-License-Identifier: Apache-2.0
// One instance of a WASM module and its exports (wasm/minnow_wasm.h), as thin as can be: what the tests call.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';

const folder = pathToFileURL(`${resolve(process.env.BUILD ?? 'build')}/wasm/`);
const golden = new URL('../golden/', import.meta.url);
const PAGE = 65536;

export const STATUS = { ok: 0, argument: 1, format: 3, unsupported: 4, memory: 5, capacity: 6 };

/** The bytes of minnow-NAME.wasm. */
export const moduleBytes = (name) => readFileSync(new URL(`minnow-${name}.wasm`, folder));
/** The bytes of a file in tests/golden. */
export const goldenFile = (name) => readFileSync(new URL(name, golden));
/** The texts of same_bytes_texts.jsonl, as UTF-8: whoever made them may have written what is no Unicode. */
export const goldenTexts = () =>
  goldenFile('same_bytes_texts.jsonl').toString().split('\n').filter((line) => line !== '').map((line) =>
    JSON.parse(line));
/** {20: hash, 100: hash, 2000: hash} of a model's vectors. */
export const goldenHashes = (name) =>
  JSON.parse(goldenFile('same_bytes.json').toString()).models.find((model) => model.name === name).vectors;
export const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

export class Module {
  /**
   * @param {string} name simd, simd-threads, ...
   * @param {{helpers?: number, maximum?: number}} options helpers: workers beside the caller, of a module with threads;
   *   maximum: bytes that the memory of such a module may have
   */
  static async create(name, { helpers = 0, maximum = 1 << 28 } = {}) {
    const self = new Module();
    self.module = await WebAssembly.compile(moduleBytes(name));
    const imports = { env: { now: () => performance.now() } };
    if (name.endsWith('threads')) {
      imports.env.memory = new WebAssembly.Memory({ initial: 16, maximum: Math.floor(maximum / PAGE), shared: true });
    }
    self.exports = (await WebAssembly.instantiate(self.module, imports)).exports;
    self.memory = imports.env.memory ?? self.exports.memory;
    self.helpers = [];
    if (!name.endsWith('threads')) return self;
    for (let thread = 1; thread <= helpers; thread++) await self.addHelper(thread);
    return self;
  }

  /** Starts the worker of helper `thread` (1, 2, ...) and waits until it has come. */
  async addHelper(thread) {
    const stack = this.exports.minnow_wasm_thread_stack(thread);
    if (stack === 0) throw new Error(this.error());
    const worker = new Worker(new URL('helper.mjs', import.meta.url),
      { workerData: { module: this.module, memory: this.memory, stack } });
    const ended = new Promise((resolve, reject) => {
      worker.once('exit', resolve);
      worker.once('error', reject);
    });
    this.helpers.push(ended);
    while (this.exports.minnow_wasm_threads_ready() < thread) await new Promise((resolve) => setTimeout(resolve, 1));
  }

  /** Sends the helpers home; resolves when all have gone. */
  async end() {
    if (this.helpers.length > 0) this.exports.minnow_wasm_threads_end();
    await Promise.all(this.helpers);
  }

  bytes(address, length) {
    return new Uint8Array(this.memory.buffer, address, length);
  }

  string(address) {
    const all = this.bytes(address, this.memory.buffer.byteLength - address);
    return Buffer.from(all.subarray(0, all.indexOf(0))).toString();
  }

  error() {
    return this.string(this.exports.minnow_wasm_error());
  }

  allocate(length) {
    const address = this.exports.minnow_wasm_allocate(length);
    if (address === 0) throw new Error(this.error());
    return address;
  }

  /** Copies bytes in; whoever asked releases them. */
  put(bytes) {
    const address = this.allocate(bytes.length);
    this.bytes(address, bytes.length).set(bytes);
    return address;
  }

  /** A model and its context, of defaults. */
  open(bytes, verified = 0) {
    return this.openAt(this.put(bytes), bytes.length, verified);
  }

  openAt(address, length, verified = 0) {
    const status = this.exports.minnow_wasm_open(address, length, verified);
    return status === STATUS.ok ? this.configure() : status;
  }

  info() {
    const address = this.exports.minnow_wasm_info_get();
    if (address === 0) return null;
    const [dimensions, maxTokens, maxPositions, pooling, isa, threads] =
      new Uint32Array(this.memory.buffer, address, 6);
    return { dimensions, maxTokens, maxPositions, pooling, isa: isa === 0 ? null : this.string(isa), threads };
  }

  /** Calls minnow_wasm_configure; isa is a name or null. */
  configure({ isa = null, threads = 0, maxTokens = 0, pooling = 0, noNormalize = 0 } = {}) {
    const name = isa === null ? 0 : this.put(Buffer.from(`${isa}\0`));
    const status = this.exports.minnow_wasm_configure(name, threads, maxTokens, pooling, noNormalize);
    this.exports.minnow_wasm_release(name);
    return status;
  }

  /** Texts, one call. -> {status, vectors: Buffer of float32, tokens: [], truncated: []} */
  encode(texts) {
    const encoded = texts.map((text) => Buffer.from(text));
    const offsets = new Uint32Array(texts.length + 1);
    encoded.forEach((text, i) => (offsets[i + 1] = offsets[i] + text.length));
    const vectorBytes = texts.length * (this.info()?.dimensions ?? 0) * 4;
    const given = [Buffer.concat(encoded), new Uint8Array(offsets.buffer)].map((bytes) => this.put(bytes));
    const taken = [this.allocate(vectorBytes), this.allocate(texts.length * 4)];
    const status = this.exports.minnow_wasm_encode(...given, texts.length, ...taken);
    const packed = [...new Uint32Array(this.memory.buffer, taken[1], texts.length)];
    const vectors = Buffer.from(this.bytes(taken[0], vectorBytes));
    for (const address of [...given, ...taken]) this.exports.minnow_wasm_release(address);
    return { status, vectors, tokens: packed.map((p) => p & 0x7fffffff), truncated: packed.map((p) => p >>> 31 === 1) };
  }

  tokenize(text, { maxTokens = 0, capacity = 4096 } = {}) {
    const bytes = Buffer.from(text);
    const at = this.put(bytes);
    const ids = this.allocate(capacity * 4);
    const count = this.allocate(4);
    const status = this.exports.minnow_wasm_tokenize(at, bytes.length, maxTokens, ids, capacity, count);
    const packed = new Uint32Array(this.memory.buffer, count, 1)[0];
    const n = packed & 0x7fffffff;
    const result = { status, n, truncated: packed >>> 31 === 1,
      ids: status === STATUS.ok ? [...new Int32Array(this.memory.buffer, ids, n)] : [] };
    for (const address of [at, ids, count]) this.exports.minnow_wasm_release(address);
    return result;
  }

  encodeTokens(text, capacity) {
    const bytes = Buffer.from(text);
    const at = this.put(bytes);
    const vectors = this.allocate(capacity * 4);
    const encoding = this.allocate(4);
    const status = this.exports.minnow_wasm_encode_tokens(at, bytes.length, vectors, capacity, encoding);
    const n = new Uint32Array(this.memory.buffer, encoding, 1)[0] & 0x7fffffff;
    const result = { status, n, vectors: Buffer.from(this.bytes(vectors, capacity * 4)) };
    for (const address of [at, vectors, encoding]) this.exports.minnow_wasm_release(address);
    return result;
  }
}
