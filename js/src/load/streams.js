// Minnow - SPDX-License-Identifier: Apache-2.0
// Bytes in pieces, and waiting that can be aborted.

/** Bytes of a piece, where we choose. */
export const PIECE_BYTES = 1 << 20;

/**
 * @typedef {AsyncGenerator<Uint8Array, void, Uint8Array | undefined>} Chunks next() may be given a chunk back, to be
 *   used again
 */

/**
 * @template T
 * @param {Promise<T>} promise
 * @param {AbortSignal | undefined} signal
 * @returns {Promise<T>} rejects as soon as the signal is aborted, with its reason
 */
export async function raceAbort(promise, signal) {
  if (signal === undefined) return promise;
  promise.catch(() => {}); // whoever loses the race rejects unheard
  signal.throwIfAborted();
  /** @type {() => void} */
  let onAbort = () => {};
  /** @type {Promise<never>} */
  const aborted = new Promise((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort);
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/**
 * @param {number} ms
 * @param {AbortSignal} [signal]
 */
export async function delay(ms, signal) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const time = new Promise((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  try {
    await raceAbort(time, signal);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Safari's streams cannot be iterated over; this can.
 * @param {ReadableStream<Uint8Array>} stream is cancelled if it is left early
 * @param {AbortSignal} [signal]
 * @returns {Chunks}
 */
export async function* chunksOf(stream, signal) {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await raceAbort(reader.read(), signal);
      if (done) return;
      yield value;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/**
 * The same, but that chunks which come back are filled again where the stream can do that: fresh memory for each takes
 * longer than its bytes.
 * @param {ReadableStream<Uint8Array>} stream
 * @param {number} bytes after which nothing is asked for
 * @returns {Chunks}
 */
export async function* refilledChunksOf(stream, bytes) {
  let reader;
  try {
    reader = stream.getReader({ mode: 'byob' });
  } catch {
    yield* chunksOf(stream);
    return;
  }
  try {
    /** @type {Uint8Array | undefined} */
    let spare;
    for (let left = bytes; left > 0;) {
      const room = /** @type {ArrayBuffer} */ (spare?.buffer ?? new ArrayBuffer(PIECE_BYTES));
      const { done, value } = await reader.read(new Uint8Array(room));
      if (done) return;
      left -= value.length;
      spare = yield value;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/**
 * @param {AsyncGenerator<Uint8Array>} chunks
 * @returns {ReadableStream<Uint8Array>} that takes a chunk when it is asked for one, and holds none
 */
export function streamOf(chunks) {
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await chunks.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      await chunks.return(undefined);
    },
  }, { highWaterMark: 0 });
}

/**
 * @param {Uint8Array} data
 * @returns {AsyncGenerator<Uint8Array>} parts of it, not copied; between them the page may do something else
 */
export async function* slicesOf(data) {
  for (let at = 0; at < data.length; at += PIECE_BYTES) {
    if (at > 0 && at % (4 * PIECE_BYTES) === 0) await delay(0);
    yield data.subarray(at, at + PIECE_BYTES);
  }
}
