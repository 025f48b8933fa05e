// Minnow - SPDX-License-Identifier: Apache-2.0
// Bytes that came, told to the page: not too often, and never backwards.

/**
 * @typedef {object} DownloadProgress
 * @property {'download'} phase
 * @property {string} file URL or path
 * @property {number} loaded bytes; never less than the last time
 * @property {number | null} total bytes of the file. Of a .minnow file always a number: its first bytes say it. null
 *   only for other files of a server that does not say how long they are, until the last event
 * @property {boolean} fromCache
 */

/** Milliseconds between two events. The first and the last one come always. */
const INTERVAL_MS = 50;

/**
 * @param {string} file
 * @param {((event: DownloadProgress) => void) | undefined} listener
 */
export function progressOf(file, listener) {
  let loaded = -1;
  /** @type {number | null} */
  let said = null;
  let last = -Infinity;
  return {
    fromCache: false,
    /** @param {number} bytes @param {number | null} total */
    report(bytes, total) {
      if (listener === undefined || bytes <= loaded) return;
      const time = performance.now();
      if (time - last < INTERVAL_MS && bytes !== total) return;
      last = time;
      loaded = bytes;
      said = total;
      listener({ phase: 'download', file, loaded, total, fromCache: this.fromCache });
    },
    /** @param {number} bytes of the whole file, which is there */
    finish(bytes) {
      if (said !== bytes) loaded = Math.min(loaded, bytes - 1); // the last event still lacked the total
      this.report(bytes, bytes);
    },
  };
}
