// Minnow - SPDX-License-Identifier: Apache-2.0
// The file's place in a module's memory: its bytes come in from the loader, are hashed as they come, and are opened where
// they lie (wasm/minnow_wasm.h). Of minnow-full.wasm as well as of the small modules.
import { MinnowError } from './errors.js';

/**
 * @typedef {object} FileExports
 * @property {(bytes: number) => number} minnow_wasm_allocate
 * @property {(address: number, bytes: number) => number} minnow_wasm_reallocate
 * @property {(address: number) => void} minnow_wasm_release
 * @property {() => void} minnow_wasm_sha256_begin
 * @property {(address: number, bytes: number) => void} minnow_wasm_sha256_update
 * @property {(digest: number) => void} minnow_wasm_sha256_end
 */
/** @typedef {(allocate: () => number, bytes: number) => number} Allocated calls it; throws where it gives 0 */

const DIGEST_BYTES = 32;

/** A Sink of load/intake.js. */
export class FileMemory {
  /** @type {{exports: FileExports, memory: WebAssembly.Memory} | null} null: closed */
  #instance;
  #allocated;
  #closedLine;
  #address = 0;
  #capacity = 0;
  #written = 0;
  #hashed = 0;
  /** True: the bytes belong to what was opened from them. */
  #taken = false;
  /** False: they were changed when they were opened. */
  #readable = true;

  /**
   * @param {FileExports} exports
   * @param {WebAssembly.Memory} memory
   * @param {{allocated: Allocated, closedLine: string}} owner closedLine: the message of what is called after `close`
   */
  constructor(exports, memory, { allocated, closedLine }) {
    this.#instance = { exports, memory };
    this.#allocated = allocated;
    this.#closedLine = closedLine;
  }

  /**
   * Room for the whole file; again, with more, when its size was not known.
   * @param {number} bytes
   */
  reserve(bytes) {
    const { exports } = this.#live();
    if (bytes <= this.#capacity) return;
    this.#address = this.#allocated(() => exports.minnow_wasm_reallocate(this.#address, bytes), bytes);
    this.#capacity = bytes;
  }

  /**
   * Copies behind the last chunk, and hashes.
   * @param {Uint8Array} chunk
   * @param {boolean} [later] leaves hashing to `digest`
   */
  write(chunk, later = false) {
    const { memory } = this.#live();
    if (chunk.length > this.#capacity - this.#written) {
      throw new MinnowError('argument', `the file is longer than the ${this.#capacity} bytes that were reserved`);
    }
    new Uint8Array(memory.buffer).set(chunk, this.#address + this.#written);
    this.#written += chunk.length;
    if (!later) this.#hash();
  }

  /** @returns {string} SHA-256 of all that was written, in hex; nothing may be written after it */
  digest() {
    this.#hash();
    const { exports, memory } = this.#live();
    const address = this.#allocated(() => exports.minnow_wasm_allocate(DIGEST_BYTES), DIGEST_BYTES);
    exports.minnow_wasm_sha256_end(address);
    const digest = new Uint8Array(memory.buffer).slice(address, address + DIGEST_BYTES);
    exports.minnow_wasm_release(address);
    return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
  }

  /** Forgets what was written. */
  reset() {
    // Bytes that something was opened from went with it.
    if (this.#taken) {
      this.#address = 0;
      this.#capacity = 0;
    }
    this.#taken = false;
    this.#readable = true;
    this.#written = 0;
    this.#hashed = 0;
  }

  /**
   * @param {number} offset
   * @param {number} length
   * @returns {Uint8Array} a copy of what was written
   */
  read(offset, length) {
    const { memory } = this.#live();
    if (!this.#readable) throw new MinnowError('closed', 'the file is no longer there');
    if (offset + length > this.#written) throw new MinnowError('argument', `the file has ${this.#written} bytes`);
    return new Uint8Array(memory.buffer).slice(this.#address + offset, this.#address + offset + length);
  }

  /**
   * @param {{unchanged: boolean}} options unchanged: opening leaves the bytes as they are, so that `read` still gives them
   * @returns {{address: number, written: number}} the bytes, which are the caller's to open from here on
   */
  take({ unchanged }) {
    this.#live();
    this.#taken = true;
    this.#readable = unchanged;
    return { address: this.#address, written: this.#written };
  }

  /** Lets go of the memory: nothing but reset can be called after it. */
  close() {
    this.#instance = null;
  }

  /** Hashes what lies in memory and is not hashed yet. */
  #hash() {
    const { exports } = this.#live();
    if (this.#hashed === 0) exports.minnow_wasm_sha256_begin();
    exports.minnow_wasm_sha256_update(this.#address + this.#hashed, this.#written - this.#hashed);
    this.#hashed = this.#written;
  }

  #live() {
    if (this.#instance === null) throw new MinnowError('closed', this.#closedLine);
    return this.#instance;
  }
}
