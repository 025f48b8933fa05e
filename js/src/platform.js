// Minnow - SPDX-License-Identifier: Apache-2.0
// The few things that differ between browsers and Node: built-in modules, reading a file, the number of processors.
// Nothing here runs when the module is imported, and nothing uses import(), which service workers forbid.

/** @returns {NodeJS.Process | null} null in a browser */
function nodeProcess() {
  const { process } = globalThis;
  return typeof process === 'object' && typeof process?.getBuiltinModule === 'function' ? process : null;
}

/** @returns {boolean} in Node, not in a browser */
export function isNode() {
  return nodeProcess() !== null;
}

/**
 * @typedef {{'node:fs': typeof import('node:fs'), 'node:os': typeof import('node:os'),
 *   'node:url': typeof import('node:url'), 'node:worker_threads': typeof import('node:worker_threads')}} NodeModules
 */
/**
 * @template {keyof NodeModules} Name
 * @param {Name} name
 * @returns {NodeModules[Name]}
 */
export function nodeModule(name) {
  const process = nodeProcess();
  if (process === null) throw new Error(`${name} is asked for outside Node`);
  return /** @type {NodeModules[Name]} */ (process.getBuiltinModule(name));
}

/** @returns {number} processors that this process may use, at least 1 */
export function processors() {
  if (isNode()) return nodeModule('node:os').availableParallelism();
  return globalThis.navigator?.hardwareConcurrency || 1;
}

/** @returns {boolean} memory can be shared with other threads here */
export function canShareMemory() {
  return isNode() || globalThis.crossOriginIsolated === true;
}

/**
 * An absolute URL. In Node a string that is no URL is a file's path.
 * @param {string | URL} url
 * @returns {string}
 */
export function absoluteUrl(url) {
  if (url instanceof URL) return url.href;
  if (isNode()) {
    if (/^[a-z][a-z0-9+.-]+:/i.test(url)) return new URL(url).href;
    return nodeModule('node:url').pathToFileURL(url).href;
  }
  return new URL(url, globalThis.document?.baseURI ?? globalThis.location?.href).href;
}

/**
 * The address of a file of this package, as import.meta.url gave it. Vite's development server (through version 7)
 * serves this module from node_modules/.vite/deps/, but leaves the files that it names where they are.
 * @param {URL} url
 * @returns {string}
 */
export function ownUrl(url) {
  return url.href
    .replace('/node_modules/.vite/deps/', '/node_modules/minnow-embed/dist/')
    .replace('/node_modules/.vite/', '/node_modules/minnow-embed/');
}

/**
 * Lets messages and other tasks in, then goes on.
 * @returns {Promise<void>}
 */
export function nextTask() {
  if (isNode()) return new Promise((resolve) => setImmediate(resolve));
  // Not setTimeout: browsers make nested ones wait for 4 ms.
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
