// Minnow - SPDX-License-Identifier: Apache-2.0
// The file's place in a module's memory: its bytes come in from the loader, are hashed or summed as they come, and are
// opened where they lie (wasm/minnow_wasm.h). Of minnow-full.wasm as well as of the small modules.
import { MinnowError } from './errors.js';

/**
 * @typedef {object} FileExports
 * @property {(bytes: number) => number} minnow_wasm_allocate
 * @property {(address: number, bytes: number) => number} minnow_wasm_reallocate
 * @property {(address: number) => void} minnow_wasm_release
 * @property {() => void} minnow_wasm_sha256_begin
 * @property {(address: number, bytes: number) => void} minnow_wasm_sha256_update
 * @property {(digest: number) => void} minnow_wasm_sha256_end
 * @property {(address: number, bytes: number) => void} minnow_wasm_sums
 */
/**
 * A Sink of load/intake.js, and its owner's end.
 * @typedef {object} FileMemory
 * @property {(bytes: number) => void} reserve room for the whole file; again, with more, when its size was not known
 * @property {import('./load/intake.js').Sink['write']} write
 * @property {() => string} digest SHA-256 of all that was written, in hex; nothing may be written after it
 * @property {() => void} reset forgets what was written
 * @property {(offset: number, length: number) => Uint8Array} read a copy of what was written
 * @property {() => {address: number, written: number}} take the bytes, which are the caller's to open from here on.
 *   Where opening changes them, as minnow-full.wasm does, `read` comes before
 */

/**
 * A closure and not a class, so that minifiers shorten its names.
 * @param {() => {exports: FileExports, memory: WebAssembly.Memory}} live the instance; throws once that is closed
 * @param {(allocate: () => number, bytes: number) => number} allocated calls it; throws where it gives 0
 * @returns {FileMemory}
 */
export function fileMemory(live, allocated) {
  let address = 0;
  let capacity = 0;
  let written = 0;
  let hashed = 0;
  let taken = false;

  /** Hashes what lies in memory and is not hashed yet. */
  const hash = () => {
    const { exports } = live();
    if (hashed === 0) exports.minnow_wasm_sha256_begin();
    exports.minnow_wasm_sha256_update(address + hashed, written - hashed);
    hashed = written;
  };
  return {
    reserve(bytes) {
      if (bytes <= capacity) return;
      address = allocated(() => live().exports.minnow_wasm_reallocate(address, bytes), bytes);
      capacity = bytes;
    },
    write(chunk, { hash: hashes = true, sums = false } = {}) {
      if (chunk.length > capacity - written) {
        throw new MinnowError('argument', `the file is longer than the ${capacity} bytes reserved`);
      }
      const { exports, memory } = live();
      new Uint8Array(memory.buffer).set(chunk, address + written);
      if (sums && written === 0) exports.minnow_wasm_sums(address, 0);
      written += chunk.length;
      if (hashes) hash();
      if (sums) exports.minnow_wasm_sums(address, written);
    },
    digest() {
      hash();
      const { exports, memory } = live();
      const room = allocated(() => exports.minnow_wasm_allocate(32), 32);
      exports.minnow_wasm_sha256_end(room);
      const digest = Array.from(new Uint8Array(memory.buffer, room, 32), (byte) => byte.toString(16).padStart(2, '0'));
      exports.minnow_wasm_release(room);
      return digest.join('');
    },
    reset() {
      // Bytes that something was opened from went with it.
      if (taken) address = capacity = 0;
      taken = false;
      written = hashed = 0;
    },
    read(offset, length) {
      const { memory } = live();
      if (offset + length > written) throw new MinnowError('argument', `the file has ${written} bytes`);
      return new Uint8Array(memory.buffer).slice(address + offset, address + offset + length);
    },
    take() {
      // Room that a file of unknown length did not need.
      if (written < capacity) address = live().exports.minnow_wasm_reallocate(address, written) >>> 0;
      taken = true;
      return { address, written };
    },
  };
}
