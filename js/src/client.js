// Minnow - SPDX-License-Identifier: Apache-2.0
// The page's end of the worker: starts it, loads a model in it, and pairs answers with calls (messages: worker.js).
import { MinnowError, unpackError } from './errors.js';
import { isSentOnce, packModel } from './options.js';
import { isNode } from './platform.js';
import { openWorker } from './spawn.js';

/** @typedef {import('./session.js').SessionInfo} SessionInfo */
/** @typedef {{promise: Promise<any>, cancel: () => void}} Running */

/** Ids of what is waited for before there are calls. */
const HELLO = 0;
const LOAD = 1;

/** Why no worker runs; the caller goes on inline. */
export class NoWorker extends Error {}

/**
 * A worker that is being started, and how.
 * @typedef {{handle: import('./spawn.js').WorkerHandle, kind: 'worker'|'blob', release: () => void}} Started
 */

/**
 * @param {string} url of worker.js
 * @returns {Started} throws NoWorker; whether its file can be run is told later
 */
function startWorker(url) {
  if (isNode() || new URL(url).origin === globalThis.location?.origin) return attempt(url, 'worker', () => {});
  // Of another origin: browsers start no worker from there, but one of ours may import it.
  const blob = new Blob([`import ${JSON.stringify(url)};`], { type: 'text/javascript' });
  const blobUrl = URL.createObjectURL(blob);
  return attempt(blobUrl, 'blob', () => URL.revokeObjectURL(blobUrl));
}

/**
 * @param {string} url
 * @param {'worker'|'blob'} kind
 * @param {() => void} release
 * @returns {Started}
 */
function attempt(url, kind, release) {
  try {
    if (!isNode() && typeof Worker !== 'function') throw new NoWorker('there are no workers here');
    return { handle: openWorker(url), kind, release };
  } catch (error) {
    release();
    throw error instanceof NoWorker ? error : notStarted(kind, /** @type {Error} */ (error).message);
  }
}

/** @param {'worker'|'blob'} kind @param {string} why */
function notStarted(kind, why) {
  return new NoWorker(`the worker ${kind === 'blob' ? 'from a blob: URL ' : ''}did not start (${why})`);
}

/**
 * @param {import('./spawn.js').WorkerHandle} handle
 * @param {object} message made of what the page gave
 * @param {Transferable[]} transfer
 */
function send(handle, message, transfer) {
  try {
    handle.postMessage(message, transfer);
  } catch (cause) {
    // An ArrayBuffer that has been handed over before; a function in an object.
    throw new MinnowError('argument',
      `model or another option cannot be sent to the worker (${/** @type {Error} */ (cause).message})`, { cause });
  }
}

export class Client {
  /**
   * Calls without an answer, by id.
   * @type {Map<number, {resolve: (value: any) => void, reject: (error: unknown) => void}>}
   */
  #calls = new Map();
  #next = LOAD + 1;
  /** @type {unknown} why nothing more can be called; null: it can */
  #closed = null;
  /** The worker has said hello. */
  #here = false;
  #handle;
  #release;

  /** @param {Started} started */
  constructor({ handle, kind, release }) {
    this.#handle = handle;
    this.#release = release;
    /** @type {SessionInfo | undefined} */
    this.info = undefined;
    this.kind = kind;
    handle.onMessage((message) => this.#receive(message));
    handle.onError((reason) => this.#end(
      this.#here ? new MinnowError('closed', `the worker stopped: ${reason}`) : notStarted(kind, reason)));
  }

  /**
   * @param {import('./session.js').SessionSettings} settings
   * @param {{onProgress?: (event: import('./session.js').Progress) => void, signal?: AbortSignal, workerUrl: string,
   *   transfer?: boolean}} hooks
   * @returns {Promise<Client>} rejects with NoWorker, or with what loading threw
   */
  static async load(settings, { onProgress, signal, workerUrl, transfer = false }) {
    const started = startWorker(workerUrl);
    const client = new Client(started);
    const { handle } = started;
    const abort = () => client.#end(signal?.reason);
    try {
      signal?.throwIfAborted();
      signal?.addEventListener('abort', abort, { once: true });
      handle.onMessage((message) => message.type === 'progress' && !client.#closed && onProgress?.(message.event));
      // Messages wait for the worker, which then begins at once. What can be sent but once waits until it is here:
      // without a worker it is needed in this thread.
      if (isSentOnce(settings.model, transfer)) await client.#call(HELLO);
      const { model, transfer: parts } = await packModel(settings.model, transfer);
      send(handle, { type: 'load', settings: { ...settings, model }, url: workerUrl }, parts);
      client.info = await client.#call(LOAD);
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
    if (this.#calls.size === 0) this.#handle.ref();
    if (this.#closed === null) this.#handle.postMessage({ ...message, id });
    const promise = this.#call(id);
    const cancel = () => {
      if (!this.#settle(id)) return;
      this.#handle.postMessage({ type: 'cancel', id });
    };
    return { promise, cancel };
  }

  /**
   * @param {number} id
   * @returns {Promise<any>} its answer
   */
  #call(id) {
    return new Promise((resolve, reject) => {
      if (this.#closed !== null) throw this.#closed;
      this.#calls.set(id, { resolve, reject });
    });
  }

  /** @param {any} message */
  #receive(message) {
    if (message.type === 'hello') {
      this.#here = true;
      this.#settle(HELLO)?.resolve(undefined);
    } else if (message.type === 'ready') this.#settle(LOAD)?.resolve(message.info);
    else if (message.type === 'failed') this.#settle(LOAD)?.reject(unpackError(message.error));
    else if (message.type === 'result') this.#settle(message.id)?.resolve(message.value);
    else if (message.type === 'error') this.#settle(message.id)?.reject(unpackError(message.error));
  }

  /** @param {number} id */
  #settle(id) {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    // While it loads, the process waits for it.
    if (call !== undefined && this.#calls.size === 0 && this.info !== undefined) this.#handle.unref();
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
