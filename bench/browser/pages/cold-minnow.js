// Minnow - SPDX-License-Identifier: Apache-2.0
//
// Minnow on the page's main thread. ?cache keeps the model, for a warm start; ?worker runs it in a worker, as it does
// by default.

import { Minnow } from 'minnow-embed';
import { report, run } from './report.js';

const asked = new URLSearchParams(location.search);

async function main() {
  const phases = {};
  const started = performance.now();
  const minnow = await Minnow.load({
    model: 'models/minnow/model.minnow', wasmUrl: 'wasm/', workerUrl: 'worker.js',
    cache: asked.has('cache'), worker: asked.has('worker'),
    onProgress: ({ phase }) => { phases[phase] = performance.now(); },
  });
  const ready = performance.now();
  const vector = await minnow.embed('How do I get a refund?');
  const vector_ms = performance.now();
  // WASM memory that performance.measureUserAgentSpecificMemory leaves out: all but shared memory.
  window.unmeasuredBytes = minnow.picked.threads > 1 ? 0 : await minnow.memoryBytes();
  window.minnow = minnow;
  if (asked.has('cache')) localStorage.setItem('model', 'kept'); // for the page's head, the next time
  report({ script_ms: started, ready_ms: ready, vector_ms, dimensions: vector.length, phases, picked: minnow.picked });
}

run(main);
