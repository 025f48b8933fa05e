// SPDX-License-Identifier: Apache-2.0
// A helper thread: an instance over the first one's memory, with a stack of its own, that works until it is sent home.
import { workerData } from 'node:worker_threads';

const { module, memory, stack } = workerData;
const { exports } = new WebAssembly.Instance(module, { env: { memory, now: () => performance.now() } });
exports.__stack_pointer.value = stack;
exports.minnow_wasm_thread_run();
