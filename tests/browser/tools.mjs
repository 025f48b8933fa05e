// Minnow - SPDX-License-Identifier: Apache-2.0
// What every page of the browser tests is given, beside the package's exports.

export const RANDOM = '/tests/golden/random.minnow';
export const REAL = '/models/all-MiniLM-L6-v2/model.minnow';

/**
 * @param {() => unknown} script
 * @returns {Promise<{value: unknown} | {error: {name: string, message: string, stack: string}}>} can be sent
 */
export async function settled(script) {
  try {
    return { value: await script() };
  } catch (error) {
    const { name, message, stack } = /** @type {Error} */ (error);
    return { error: { name: String(name), message: String(message ?? error), stack: String(stack) } };
  }
}

/**
 * @param {Promise<unknown>} promise
 * @returns {Promise<{name: string, code: string | null, message: string} | null>} how it rejected; null: it did not
 */
export async function rejection(promise) {
  try {
    await promise;
    return null;
  } catch (error) {
    const { name, code = null, message } = /** @type {any} */ (error);
    return { name, code, message: String(message ?? error) };
  }
}

/** @param {number} n @returns {Promise<string[]>} the first of the texts that have golden hashes */
export async function goldenTexts(n) {
  const response = await fetch('/tests/golden/same_bytes_texts.jsonl');
  return (await response.text()).split('\n', n).map((line) => JSON.parse(line));
}

/**
 * @param {Float32Array | Float32Array[]} vectors
 * @returns {Promise<string>} SHA-256 of their bytes, hexadecimal
 */
export async function vectorsHash(vectors) {
  return hex(await crypto.subtle.digest('SHA-256',
    await new Blob(/** @type {any[]} */ ([vectors]).flat()).arrayBuffer()));
}

/** @param {ArrayBuffer} bytes */
function hex(bytes) {
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * A listener for onProgress that keeps what it is told.
 * @returns {{events: any[], onProgress: (event: any) => void}}
 */
export function recorder() {
  /** @type {any[]} */
  const events = [];
  return { events, onProgress: (event) => events.push(event) };
}

/** @param {number} ms */
export const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
