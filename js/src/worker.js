// Minnow - SPDX-License-Identifier: Apache-2.0
// The worker: a Session behind messages. The same file runs in browsers and in Node, and as a helper thread of itself.
//
// To the worker                                From the worker
//   (nothing)                                  {type: 'hello'}                         once, when it runs
//   {type: 'load', settings, url}              {type: 'progress', event} ...           settings: SessionSettings;
//                                                                                      may be sent before hello
//                                              {type: 'ready', info}                   or
//                                              {type: 'failed', error}
//   {type: 'call', id, call}                   {type: 'result', id, value}             call: Call; or
//                                              {type: 'error', id, error}              error: PackedError
//   {type: 'cancel', id}                       (nothing)                               the call's work is dropped
//   {type: 'memory', id}                       {type: 'result', id, value}             bytes of WASM memory
//   {type: 'thread', ...}                      {type: 'thread-ready'}                  makes it a helper: threads.js
//
// Nothing is sent to close it: the worker is terminated. Arrays in results are transferred, not copied.
import { packError } from './errors.js';
import { isNode } from './platform.js';
import { Session } from './session.js';
import { openHelper, ownPort } from './spawn.js';
import { runThread } from './threads.js';

/** @type {Session | undefined} */
let session;
/** @type {Map<number, import('./session.js').Running>} calls that are not finished */
const calls = new Map();
const port = ownPort();

/**
 * @param {any} message
 */
async function receive(message) {
  if (message.type === 'load') await load(message);
  else if (message.type === 'call') await run(message.id, message.call);
  else if (message.type === 'memory') port.post({ type: 'result', id: message.id, value: session?.memoryBytes ?? 0 });
  else if (message.type === 'thread') runThread(message, port.post);
  else if (message.type === 'cancel') {
    calls.get(message.id)?.cancel();
    calls.delete(message.id);
  }
}

/** @param {{settings: import('./session.js').SessionSettings, url: string}} message */
async function load({ settings, url }) {
  try {
    // Its own address, not one made with import.meta.url: bundlers would look for a worker within the worker.
    const own = isNode() ? url : globalThis.location.href;
    session = await Session.load(settings, {
      onProgress: (event) => port.post({ type: 'progress', event }),
      spawn: () => openHelper(own),
    });
    port.post({ type: 'ready', info: session.info });
  } catch (error) {
    port.post({ type: 'failed', error: packError(error) });
  }
}

/**
 * @param {number} id
 * @param {import('./session.js').Call} call
 */
async function run(id, call) {
  try {
    const running = /** @type {Session} */ (session).run(call);
    calls.set(id, running);
    const value = await running.promise;
    const arrays = Object.values(value).filter((part) => ArrayBuffer.isView(part));
    port.post({ type: 'result', id, value }, arrays.map((array) => /** @type {ArrayBuffer} */ (array.buffer)));
  } catch (error) {
    port.post({ type: 'error', id, error: packError(error) });
  }
  calls.delete(id);
}

port.onMessage(receive);
port.post({ type: 'hello' });
