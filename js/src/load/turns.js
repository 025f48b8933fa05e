// Minnow - SPDX-License-Identifier: Apache-2.0
// Loads of one file at the same time: the first one downloads, and the others wait and then find it in the cache. They
// may be in other workers and other tabs, so it is the browser who keeps the order (Web Locks), and a channel on which
// whoever downloads says how far it is.

import { isNode } from '../platform.js';

/**
 * @typedef {object} Turn
 * @property {(loaded: number, total: number | null) => void} tell to those who wait
 * @property {() => void} end the next one's turn
 */

/**
 * @param {string} url
 * @param {object} options
 * @param {AbortSignal} [options.signal]
 * @param {number} options.stallMs for so long nothing is heard of whoever has the turn: then it is not waited for
 * @param {(loaded: number, total: number | null) => void} options.onBytes what is heard
 * @returns {Promise<Turn | null>} null: everybody for himself, as always in Node. Rejects with signal.reason
 */
export async function takeTurn(url, { signal, stallMs, onBytes }) {
  const { locks } = /** @type {any} */ (globalThis.navigator ?? {});
  if (isNode() || locks === undefined || typeof BroadcastChannel !== 'function') return null;
  const name = `minnow ${url}`;
  const channel = new BroadcastChannel(name);
  const patience = patienceOf(signal, stallMs);
  channel.onmessage = ({ data }) => {
    patience.renew();
    onBytes(data.loaded, data.total);
  };
  try {
    const end = await held(locks, name, patience.signal);
    channel.onmessage = null;
    return {
      tell: (loaded, total) => channel.postMessage({ loaded, total }),
      end: () => {
        channel.close();
        end();
      },
    };
  } catch {
    // Nothing was heard, or there are no locks for this kind of page.
    channel.close();
    signal?.throwIfAborted();
    return null;
  } finally {
    patience.stop();
  }
}

/**
 * @param {LockManager} locks
 * @param {string} name
 * @param {AbortSignal} signal
 * @returns {Promise<() => void>} when it is held; gives it back
 */
function held(locks, name, signal) {
  return new Promise((resolve, reject) => {
    const hold = () => new Promise((release) => resolve(() => release(undefined)));
    locks.request(name, { signal }, hold).catch(reject);
  });
}

/**
 * A signal that is aborted with another one, or after so many ms in which nobody renewed it.
 * @param {AbortSignal | undefined} signal
 * @param {number} ms
 */
function patienceOf(signal, ms) {
  const controller = new AbortController();
  const abort = () => controller.abort();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const stop = () => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  };
  const renew = () => {
    clearTimeout(timer);
    timer = setTimeout(abort, ms);
  };
  signal?.addEventListener('abort', abort);
  if (signal?.aborted) abort();
  renew();
  return { signal: controller.signal, renew, stop };
}
