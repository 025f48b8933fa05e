// Minnow - SPDX-License-Identifier: Apache-2.0
// Helper threads of a module with shared memory: each is a worker with an instance of its own over the one memory
// (wasm/minnow_wasm.h, at its end). This file has both sides: startThreads in the engine's worker, runThread in a
// helper.
import { MinnowError } from './errors.js';
import { nextTask } from './platform.js';
import { moduleImports } from './variants.js';

/**
 * @typedef {object} ThreadExports
 * @property {(thread: number) => number} minnow_wasm_thread_stack
 * @property {() => void} minnow_wasm_thread_run
 * @property {() => number} minnow_wasm_threads_ready
 * @property {() => void} minnow_wasm_threads_end
 * @property {WebAssembly.Global} __stack_pointer
 */

/**
 * A worker, in a browser or in Node, as little of it as is needed here.
 * @typedef {object} Helper
 * @property {(message: ThreadStart) => void} postMessage
 * @property {(listener: (message: {type: string, message?: string}) => void) => void} onMessage
 * @property {(listener: (reason: string) => void) => void} onError
 * @property {() => void} terminate
 */

/**
 * @typedef {object} ThreadStart what a helper is sent
 * @property {'thread'} type
 * @property {WebAssembly.Module} module
 * @property {WebAssembly.Memory} memory
 * @property {number} thread 1, 2, ...
 * @property {number} stack address
 */

/**
 * @param {object} options
 * @param {ThreadExports} options.exports of the first instance
 * @param {WebAssembly.Module} options.module
 * @param {WebAssembly.Memory} options.memory
 * @param {number} options.count threads, the caller's own included
 * @param {() => Helper} options.spawn
 * @returns {Promise<() => void>} ends them; all are running when this resolves
 */
export async function startThreads({ exports, module, memory, count, spawn }) {
  /** @type {Helper[]} */
  const helpers = [];
  /** @type {string | null} of a helper that ended */
  let reason = null;
  const end = () => {
    exports.minnow_wasm_threads_end();
    for (const helper of helpers) helper.terminate();
  };
  try {
    const starts = [];
    for (let thread = 1; thread < count; thread++) {
      const stack = exports.minnow_wasm_thread_stack(thread);
      if (stack === 0) throw new MinnowError('memory', `out of memory: the stack of thread ${thread}`);
      const helper = spawn();
      helpers.push(helper);
      helper.onError((why) => { reason ??= why; });
      starts.push(started(helper, { type: 'thread', module, memory, thread, stack }));
    }
    await Promise.all(starts);
    // Each said so just before it entered the module.
    while (exports.minnow_wasm_threads_ready() < count - 1) {
      if (reason !== null) throw new MinnowError('unsupported', `a thread ended: ${reason}`);
      await nextTask();
    }
  } catch (error) {
    end();
    throw error;
  }
  return end;
}

/**
 * @param {Helper} helper
 * @param {ThreadStart} start
 * @returns {Promise<void>}
 */
function started(helper, start) {
  return new Promise((resolve, reject) => {
    helper.onMessage((message) => {
      if (message.type === 'thread-ready') resolve();
      if (message.type === 'thread-failed')
        reject(new MinnowError('memory', `thread ${start.thread}: ${message.message}`));
    });
    helper.onError((reason) => reject(new MinnowError('unsupported', `thread ${start.thread}: ${reason}`)));
    helper.postMessage(start);
  });
}

/**
 * In a helper: runs until minnow_wasm_threads_end.
 * @param {ThreadStart} start
 * @param {(message: {type: string, message?: string}) => void} post
 */
export function runThread({ module, memory, stack }, post) {
  let exports;
  try {
    // Not asynchronous: a helper has nothing else to do.
    const instance = new WebAssembly.Instance(module, moduleImports(module, memory));
    exports = /** @type {ThreadExports} */ (/** @type {unknown} */ (instance.exports));
    exports.__stack_pointer.value = stack;
  } catch (error) {
    post({ type: 'thread-failed', message: /** @type {Error} */ (error).message });
    return;
  }
  post({ type: 'thread-ready' });
  exports.minnow_wasm_thread_run();
}
