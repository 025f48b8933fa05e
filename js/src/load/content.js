// Minnow - SPDX-License-Identifier: Apache-2.0
// Bytes in pieces, of what a page has in its hands, and of what was written to a sink.

import { MinnowError } from '../errors.js';
import { readPath } from './node.js';
import { PIECE_BYTES, chunksOf, slicesOf } from './streams.js';

/** @typedef {import('./streams.js').Chunks} Chunks */

/**
 * @param {Exclude<import('./source.js').Origin, {kind: 'url'}>} origin
 * @param {string} label for messages
 * @param {AbortSignal | undefined} signal
 * @returns {Promise<{bytes: number | null, chunks: Chunks, contentType?: string}>}
 */
export async function contentOf(origin, label, signal) {
  if (origin.kind === 'path') return readPath(origin.path);
  if (origin.kind === 'blob')
    return { bytes: origin.blob.size, chunks: readable(chunksOf(origin.blob.stream(), signal), label, signal) };
  if (origin.kind === 'bytes') return { bytes: origin.data.length, chunks: slicesOf(origin.data) };
  const { response } = origin;
  if (response.type === 'opaque') throw new MinnowError('network', `${label}: is opaque: fetch it with CORS`);
  if (!response.ok) throw new MinnowError('network', `${label}: HTTP ${response.status} ${response.statusText}`.trim());
  if (response.body === null) throw new MinnowError('format', `${label}: is empty, not a model`);
  // Not its Content-Length, which may be that of encoded bytes.
  const contentType = response.headers.get('content-type') ?? '';
  return { bytes: null, chunks: readable(chunksOf(response.body, signal), label, signal), contentType };
}

/**
 * @param {Chunks} chunks
 * @param {string} label
 * @param {AbortSignal | undefined} signal
 * @returns {Chunks} the same; where they end in an error it is one of ours
 */
async function* readable(chunks, label, signal) {
  try {
    yield* chunks;
  } catch (cause) {
    signal?.throwIfAborted();
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new MinnowError('network', `${label}: cannot be read (${why})`, { cause });
  }
}

/**
 * @param {Required<Pick<import('./intake.js').Sink, 'read'>>} sink
 * @param {number} bytes
 * @returns {AsyncGenerator<Uint8Array>} what was written to it
 */
export async function* piecesOf(sink, bytes) {
  for (let at = 0; at < bytes; at += PIECE_BYTES) yield sink.read(at, Math.min(PIECE_BYTES, bytes - at));
}
