// Minnow - SPDX-License-Identifier: Apache-2.0
// The page's end of the worker: starts it, loads a model in it, and pairs answers with calls (messages: worker.js).
import { MinnowError, unpackError } from './errors.js';
import { packModel } from './options.js';
import { isNode } from './platform.js';
import { openWorker } from './spawn.js';

/** @typedef {import('./session.js').SessionInfo} SessionInfo */
/** @typedef {{promise: Promise<any>, cancel: () => void}} Running */

/** Why no worker runs; the caller goes on inline. */
export class NoWorker extends Error {}

/**
 * @param {string} url of worker.js
 * @returns {Promise<{handle: import('./spawn.js').WorkerHandle, kind: 'worker'|'blob', url: string, release: () => void}>}
 * rejects with NoWorker
 */
export async function startWorker(url) {
  if (isNode() || new URL(url).origin === globalThis.location?.origin) return attempt(url, 'worker', () => {});
  // Of another origin: browsers start no worker from there, but one of ours may import it.
  const blob = new Blob([`import ${JSON.stringify(url)};`], { type: 'text/javascript' });
  const blobUrl = URL.createObjectURL(blob);
  const release = () => URL.revokeObjectURL(blobUrl);
  try {
    return await attempt(blobUrl, 'blob', release);
  } catch (error) {
    release();
    throw error;
  }
}

/**
 * @param {string} url
 * @param {'worker'|'blob'} kind
 * @param {() => void} release
 */
async function attempt(url, kind, release) {
  if (!isNode() && typeof Worker !== 'function') throw new NoWorker('there are no workers here');
  /** @type {import('./spawn.js').WorkerHandle | undefined} */
  let handle;
  try {
    handle = openWorker(url);
    const started = handle;
    await new Promise((resolve, reject) => {
      started.onMessage((message) => message.type === 'hello' && resolve(undefined));
      started.onError((reason) => reject(new Error(reason)));
    });
    return { handle, kind, url, release };
  } catch (error) {
    handle?.terminate();
    throw new NoWorker(`the worker ${kind === 'blob' ? 'from a blob: URL ' : ''}did not start (${/** @type {Error} */ (error).message})`);
  }
}

export class Client {
  /** @type {Map<number, {resolve: (value: any) => void, reject: (error: unknown) => void}>} by id: calls without an answer */
  #calls = new Map();
  #next = 1;
  /** @type {MinnowError | null} why nothing more can be called */
  #closed = null;
  #handle;
  #release;

  /**
   * @param {import('./spawn.js').WorkerHandle} handle
   * @param {() => void} release what its URL needs when it is gone
   */
  constructor(handle, release) {
    this.#handle = handle;
    this.#release = release;
    /** @type {SessionInfo | undefined} */
    this.info = undefined;
    /** @type {'worker'|'blob'} */
    this.kind = 'worker';
    handle.onMessage((message) => this.#receive(message));
    handle.onError((reason) => this.#end(new MinnowError('closed', `the worker stopped: ${reason}`)));
  }

  /**
   * @param {import('./session.js').SessionSettings} settings
   * @param {{onProgress?: (event: import('./session.js').Progress) => void, signal?: AbortSignal, workerUrl: string}} hooks
   * @returns {Promise<Client>} rejects with NoWorker, or with what loading threw
   */
  static async load(settings, { onProgress, signal, workerUrl }) {
    const { handle, kind, url, release } = await startWorker(workerUrl);
    const client = new Client(handle, release);
    client.kind = kind;
    const abort = () => client.#end(signal?.reason);
    try {
      signal?.throwIfAborted();
      signal?.addEventListener('abort', abort, { once: true });
      const { model, transfer } = await packModel(settings.model);
      client.info = await new Promise((resolve, reject) => {
        client.#calls.set(0, { resolve, reject });
        handle.onMessage((message) => message.type === 'progress' && !client.#closed && onProgress?.(message.event));
        handle.postMessage({ type: 'load', settings: { ...settings, model }, url }, transfer);
      });
    } catch (error) {
      await client.close();
      throw error;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
    handle.unref();
    return client;
  }

  /**
   * @param {import('./session.js').Call} call
   * @returns {Running}
   */
  run(call) {
    return this.#ask({ type: 'call', call });
  }

  /** @returns {Promise<number>} of WASM memory */
  async memoryBytes() {
    return this.#ask({ type: 'memory' }).promise;
  }

  /** Pending calls reject; the worker's memory goes with it. */
  async close() {
    this.#end(new MinnowError('closed', 'this Minnow was closed'));
    await this.#handle.terminate();
  }

  /**
   * @param {object} message
   * @returns {Running}
   */
  #ask(message) {
    const id = this.#next++;
    const promise = new Promise((resolve, reject) => {
      if (this.#closed !== null) throw this.#closed;
      this.#handle.postMessage({ ...message, id });
      if (this.#calls.size === 0) this.#handle.ref();
      this.#calls.set(id, { resolve, reject });
    });
    const cancel = () => {
      if (!this.#settle(id)) return;
      this.#handle.postMessage({ type: 'cancel', id });
    };
    return { promise, cancel };
  }

  /** @param {any} message */
  #receive(message) {
    if (message.type === 'ready') this.#settle(0)?.resolve(message.info);
    else if (message.type === 'failed') this.#settle(0)?.reject(unpackError(message.error));
    else if (message.type === 'result') this.#settle(message.id)?.resolve(message.value);
    else if (message.type === 'error') this.#settle(message.id)?.reject(unpackError(message.error));
  }

  /** @param {number} id */
  #settle(id) {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    if (call !== undefined && this.#calls.size === 0) this.#handle.unref();
    return call;
  }

  /** @param {any} reason */
  #end(reason) {
    if (this.#closed !== null) return;
    this.#closed = reason;
    for (const call of this.#calls.values()) call.reject(reason);
    this.#calls.clear();
    this.#handle.terminate();
    this.#release();
  }
}
