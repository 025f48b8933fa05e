// Minnow - SPDX-License-Identifier: Apache-2.0
// A WASM module from its URL: to be compiled while it comes where the server names its type, else its bytes.

import { MinnowError } from '../errors.js';
import { isNode } from '../platform.js';
import { pathOf, readPath } from './node.js';
import { raceAbort } from './streams.js';

/** Ends the message where no module is: most often a bundler or a copied page left it behind. */
const LEFT_BEHIND = 'serve wasm/ and dist/worker.js of minnow-embed, and pass wasmUrl and workerUrl';

/**
 * @param {string | URL} url
 * @param {AbortSignal} [signal]
 * @returns {Promise<Response | Uint8Array<ArrayBuffer>>} a Response that compileStreaming takes, or else the module's
 *   bytes. Rejects with MinnowError 'network' or 'format', which name the URL, or with signal.reason
 */
export async function fetchWasm(url, signal) {
  signal?.throwIfAborted();
  const label = String(url);
  if (label.startsWith('file:') && isNode()) return bytesOfFile(label, signal);
  const response = await request(label, signal);
  const type = (response.headers.get('content-type') ?? '').split(';')[0].trim().toLowerCase();
  if (type === 'application/wasm' && typeof WebAssembly.compileStreaming === 'function') return response;
  let bytes;
  try {
    bytes = new Uint8Array(await raceAbort(response.arrayBuffer(), signal));
  } catch (cause) {
    signal?.throwIfAborted();
    throw new MinnowError('network', `${label}: the connection failed (${messageOf(cause)})`, { cause });
  }
  return checked(bytes, label, type);
}

/**
 * @param {string} url
 * @param {AbortSignal | undefined} signal
 */
async function request(url, signal) {
  let response;
  try {
    response = await fetch(url, { signal });
  } catch (cause) {
    signal?.throwIfAborted();
    throw new MinnowError('network', `${url}: the connection failed (${messageOf(cause)})`, { cause });
  }
  if (response.ok) return response;
  response.body?.cancel().catch(() => {});
  const answer = `HTTP ${response.status} ${response.statusText}`.trim();
  throw new MinnowError('network', `${url}: ${answer}; ${LEFT_BEHIND}`);
}

/**
 * @param {string} url of a file
 * @param {AbortSignal | undefined} signal
 */
async function bytesOfFile(url, signal) {
  const { bytes, chunks } = await readPath(pathOf(new URL(url)));
  const data = new Uint8Array(bytes);
  let at = 0;
  for await (const chunk of chunks) {
    signal?.throwIfAborted();
    data.set(chunk, at);
    at += chunk.length;
  }
  return checked(data, url, '');
}

/**
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {string} url
 * @param {string} type
 */
function checked(bytes, url, type) {
  if (bytes.length > 4 && bytes[0] === 0 && bytes[1] === 0x61 && bytes[2] === 0x73 && bytes[3] === 0x6d) return bytes;
  const what = type.startsWith('text/html') || bytes[0] === 0x3c ? 'a web page came instead of a WASM module'
    : 'is not a WASM module';
  throw new MinnowError('format', `${url}: ${what}${type === '' ? '' : ` (${type})`}; ${LEFT_BEHIND}`);
}

/** @param {unknown} error */
function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}
