// Minnow - SPDX-License-Identifier: Apache-2.0
// Workers of browsers and of Node's worker_threads under one small interface, from outside and from inside.
import { isNode, nodeModule } from './platform.js';

/**
 * @typedef {object} WorkerHandle
 * @property {(message: any, transfer?: Transferable[]) => void} postMessage
 * @property {(listener: (message: any) => void) => void} onMessage
 * @property {(listener: (reason: string) => void) => void} onError it did not start, threw where nobody caught it, or
 *   ended
 * @property {() => void} ref Node only: the process stays for it
 * @property {() => void} unref Node only: the process may end without it
 * @property {() => Promise<void>} terminate
 */

/**
 * May throw, as `new Worker` does.
 * @param {string} url absolute
 * @returns {WorkerHandle}
 */
export function openWorker(url) {
  return isNode() ? openNodeWorker(url) : openBrowserWorker(url);
}

/**
 * A worker that the process does not wait for.
 * @param {string} url
 */
export function openHelper(url) {
  const handle = openWorker(url);
  handle.unref();
  return handle;
}

/**
 * @param {string} url
 * @returns {WorkerHandle}
 */
function openBrowserWorker(url) {
  const worker = new Worker(url, { type: 'module', name: 'minnow' });
  return {
    postMessage: (message, transfer = []) => worker.postMessage(message, transfer),
    onMessage: (listener) => worker.addEventListener('message', (event) => listener(event.data)),
    onError: (listener) => {
      worker.addEventListener('error', (event) => {
        event.preventDefault();
        listener(event.message || 'it could not be started');
      });
      worker.addEventListener('messageerror', () => listener('a message could not be read'));
    },
    ref: () => {},
    unref: () => {},
    terminate: async () => worker.terminate(),
  };
}

/**
 * @param {string} url
 * @returns {WorkerHandle}
 */
function openNodeWorker(url) {
  const { Worker } = nodeModule('node:worker_threads');
  const worker = new Worker(new URL(url), { name: 'minnow' });
  return {
    postMessage: (message, transfer = []) => worker.postMessage(message, /** @type {any} */ (transfer)),
    onMessage: (listener) => worker.on('message', listener),
    onError: (listener) => {
      worker.on('error', (error) => listener(error.message));
      worker.on('messageerror', (error) => listener(error.message));
      worker.on('exit', () => listener('it ended'));
    },
    ref: () => worker.ref(),
    unref: () => worker.unref(),
    terminate: async () => {
      await worker.terminate();
    },
  };
}

/**
 * Inside a worker: the way to whoever started it.
 * @returns {{post: (message: any, transfer?: Transferable[]) => void,
 *   onMessage: (listener: (message: any) => void) => void}}
 */
export function ownPort() {
  if (isNode()) {
    const parent = /** @type {import('node:worker_threads').MessagePort} */ (
      nodeModule('node:worker_threads').parentPort);
    return {
      post: (message, transfer = []) => parent.postMessage(message, /** @type {any} */ (transfer)),
      onMessage: (listener) => parent.on('message', listener),
    };
  }
  const scope = /** @type {DedicatedWorkerGlobalScope} */ (/** @type {unknown} */ (globalThis));
  return {
    post: (message, transfer = []) => scope.postMessage(message, transfer),
    onMessage: (listener) => scope.addEventListener('message', (event) => listener(event.data)),
  };
}

/**
 * @typedef {{postMessage: (message: any, transfer: Transferable[]) => void, addEventListener: (type: 'message',
 *   listener: (event: MessageEvent) => void) => void}} DedicatedWorkerGlobalScope
 */
