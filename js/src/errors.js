// Minnow - SPDX-License-Identifier: Apache-2.0
// The one error class of the package: a code for programs, one line for people, and how both cross a worker's border.

/**
 * What went wrong:
 * - `no-simd`: this browser has no WebAssembly, or none with SIMD
 * - `csp`: the page's Content-Security-Policy forbids WebAssembly; the message names the directive
 * - `memory`: out of memory, or over `memoryLimit`
 * - `network`: a file could not be fetched or read; the message names the URL or path
 * - `integrity`: the bytes are not those that were promised
 * - `format`: a file is damaged or of another kind
 * - `unsupported`: well-formed, but something that Minnow does not do
 * - `argument`: a call is wrong; the message names the argument
 * - `closed`: after `close()`, or after the worker or its engine died
 * @typedef {'no-simd'|'csp'|'memory'|'network'|'integrity'|'format'|'unsupported'|'argument'|'closed'} MinnowErrorCode
 */

export class MinnowError extends Error {
  /**
   * @param {MinnowErrorCode} code
   * @param {string} message one line
   * @param {{cause?: unknown}} [options]
   */
  constructor(code, message, options) {
    super(message, options);
    this.name = 'MinnowError';
    /** @type {MinnowErrorCode} */
    this.code = code;
  }
}

/**
 * @typedef {{name: string, message: string, code: MinnowErrorCode | null}} PackedError what is sent in place of an
 *   error
 */

/**
 * @param {unknown} error
 * @returns {PackedError}
 */
export function packError(error) {
  if (error instanceof MinnowError) return { name: error.name, message: error.message, code: error.code };
  if (error instanceof Error) return { name: error.name, message: error.message, code: null };
  return { name: 'Error', message: String(error), code: null };
}

/**
 * @param {PackedError} packed
 * @returns {Error}
 */
export function unpackError(packed) {
  if (packed.code !== null) return new MinnowError(packed.code, packed.message);
  const error = new Error(packed.message);
  error.name = packed.name;
  return error;
}

/**
 * Throws an error of another file of the package as one of this file's: each file has a class of its own.
 * @param {unknown} error
 * @returns {never}
 */
export function adoptError(error) {
  if (!(error instanceof Error) || error instanceof MinnowError || error.name !== 'MinnowError') throw error;
  const { code, message, cause } = /** @type {MinnowError} */ (error);
  throw new MinnowError(code, message, { cause });
}
