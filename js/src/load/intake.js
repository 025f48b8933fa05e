// Minnow - SPDX-License-Identifier: Apache-2.0
// Takes a model's bytes as they come, in pieces of any size, and gives them to a sink. The first 24 bytes of a .minnow
// file say that it is one and how long it is (docs/FORMAT.md), so the sink's memory is reserved once, at the exact
// size, and the total is known whatever a server says or leaves out.

import { MinnowError } from '../errors.js';

/**
 * Where a model's bytes go: WASM memory.
 * @typedef {object} Sink
 * @property {() => void} reset begins anew: forgets what was written
 * @property {(bytes: number) => void} reserve makes room for so many bytes in all. Called before the first write; again
 *   with a larger number where the size was not known: what was written is kept
 * @property {(chunk: Uint8Array, checks?: Checks) => void} write copies a chunk behind the last one
 * @property {() => string} digest SHA-256 of all that was written, 64 hexadecimal digits
 * @property {(offset: number, length: number) => Uint8Array} [read] a copy of what was written, also after the model
 *   has been opened; throws once the memory is given back. Without it nothing is cached
 * @property {Promise<unknown>} [ready] until it resolves nothing but reset may be called; what it rejects with, loading
 *   does
 */

/**
 * What is computed of a chunk while the next one is on its way.
 * @typedef {object} Checks
 * @property {boolean} [hash] false: digest does that, which is likely not called. Default true
 * @property {boolean} [sums] true: a .minnow file's own checksums, which opening then need not look at. Default false
 */

const MAGIC = [0x89, 0x4d, 0x4e, 0x57, 0x0d, 0x0a, 0x1a, 0x0a];
const HEAD_BYTES = 24;
/** Growth of the memory for a file whose length nobody knows: twofold, within these bounds. */
const GROWTH = { least: 1 << 22, most: 1 << 25 };

export class Intake {
  /**
   * @param {Sink} sink
   * @param {object} options
   * @param {string} options.label the URL or path, for messages
   * @param {number | null} options.bytes the size that the page said, if it did
   * @param {boolean} options.anyFormat true: not only .minnow files
   * @param {boolean} options.verifies true: a hash that is computed is compared with one that was promised
   * @param {(loaded: number, total: number | null) => void} options.onBytes after each chunk
   */
  constructor(sink, { label, bytes, anyFormat, verifies, onBytes }) {
    this.sink = sink;
    this.label = label;
    this.stated = bytes;
    this.anyFormat = anyFormat;
    this.verifies = verifies;
    this.onBytes = onBytes;
    this.received = 0;
    /** @type {number | null} */
    this.total = bytes;
    /** @type {number | null} */
    this.announced = null;
    this.contentType = '';
    /** @type {Checks} */
    this.checks = {};
    this.reserved = 0;
    this.head = new Uint8Array(HEAD_BYTES);
  }

  /**
   * Forgets everything: a whole file will come.
   * @param {object} [options]
   * @param {boolean} [options.hash] false: not to be hashed as it comes
   * @param {number | null} [options.announced] the length that its bringer says, if that is the file's own
   * @param {string} [options.contentType]
   */
  begin({ hash = true, announced = null, contentType = '' } = {}) {
    this.sink.reset();
    // Bytes of which the whole file's hash is the promised one need no other sum.
    this.checks = { hash, sums: !this.anyFormat && !(hash && this.verifies) };
    this.received = 0;
    this.reserved = 0;
    this.announced = announced;
    this.contentType = contentType;
    this.total = this.stated ?? announced;
  }

  /** @param {Uint8Array} chunk */
  add(chunk) {
    let rest = chunk;
    if (!this.anyFormat && this.received < HEAD_BYTES) {
      rest = this.#addHead(chunk);
      if (this.received < HEAD_BYTES) return;
    }
    if (rest.length > 0) {
      this.#makeRoom(this.received + rest.length);
      this.sink.write(rest, this.checks);
      this.received += rest.length;
    }
    this.onBytes(this.received, this.total);
  }

  /** True if the file has all its bytes; where nobody said how many, true always. */
  get complete() {
    return this.total === null || this.received === this.total;
  }

  /** After the last byte. Throws if what came is not a whole file. */
  finish() {
    if (this.received === 0) throw new MinnowError('format', `${this.label}: is empty, not a model`);
    if (!this.anyFormat && this.received < HEAD_BYTES) throw this.#notModel();
    if (!this.complete)
      throw new MinnowError('format', `${this.label}: ends after ${this.received} of ${this.total} bytes`);
    this.total = this.received;
  }

  /**
   * Collects the head, and looks at it when it is whole.
   * @param {Uint8Array} chunk
   * @returns {Uint8Array} what of the chunk comes after the head
   */
  #addHead(chunk) {
    const n = Math.min(HEAD_BYTES - this.received, chunk.length);
    this.head.set(chunk.subarray(0, n), this.received);
    this.received += n;
    if (this.received < HEAD_BYTES) return chunk.subarray(n);
    if (MAGIC.some((byte, i) => this.head[i] !== byte)) throw this.#notModel();
    const view = new DataView(this.head.buffer);
    const bytes = view.getUint32(16, true) + view.getUint32(20, true) * 2 ** 32;
    if (bytes < 64 || bytes > 2 ** 32)
      throw new MinnowError('format', `${this.label}: its header says ${bytes} bytes, which no model has here`);
    if (this.announced !== null && this.announced !== bytes)
      throw new MinnowError('format', `${this.label}: its header says ${bytes} bytes, but ${this.announced} come`);
    if (this.stated !== null && this.stated !== bytes)
      throw new MinnowError('integrity', `${this.label}: expected ${this.stated} bytes, found a model of ${bytes}`);
    this.total = bytes;
    this.#makeRoom(HEAD_BYTES);
    this.sink.write(this.head, this.checks);
    return chunk.subarray(n);
  }

  /** @param {number} bytes that there must be room for */
  #makeRoom(bytes) {
    if (this.total !== null && bytes > this.total) {
      if (!this.anyFormat || this.stated !== null)
        throw new MinnowError('format', `${this.label}: is longer than the ${this.total} bytes that it should have`);
      this.total = null; // a Content-Length of encoded bytes
    }
    if (bytes <= this.reserved) return;
    const growth = Math.min(Math.max(this.reserved, GROWTH.least), GROWTH.most);
    this.reserved = this.total ?? Math.max(bytes, this.reserved + growth);
    this.sink.reserve(this.reserved);
  }

  /** What came instead of a model, as far as its first bytes tell. */
  #notModel() {
    const head = this.head.subarray(0, Math.min(this.received, HEAD_BYTES));
    const text = Array.from(head, (b) => (b >= 0x20 && b < 0x7f ? String.fromCharCode(b) : '.')).join('');
    const type = this.contentType === '' ? '' : `, ${this.contentType}`;
    let what = 'is not a .minnow model';
    if (/^[\s.]*</.test(text) || this.contentType.startsWith('text/html')) what = 'a web page came instead of a model';
    if (text.startsWith('version https://git')) what = 'a Git LFS pointer came instead of a model';
    return new MinnowError('format', `${this.label}: ${what} (begins with "${text}"${type})`);
  }
}
