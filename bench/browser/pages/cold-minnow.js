// Minnow - SPDX-License-Identifier: Apache-2.0
//
// Minnow on the page's main thread. Sets window.result when there is a vector. ?cache keeps the model, for a warm start;
// ?worker runs it in a worker, as it does by default.

import { Minnow } from 'minnow-embed';

const here = (name) => new URL(name, document.baseURI).href;
const asked = new URLSearchParams(location.search);

async function main() {
  const phases = {};
  const started = performance.now();
  const minnow = await Minnow.load({
    model: here('models/minnow/model.minnow'), wasmUrl: here('wasm/'), workerUrl: here('worker.js'),
    cache: asked.has('cache'), worker: asked.has('worker'),
    onProgress: ({ phase }) => { phases[phase] = performance.now(); },
  });
  const ready = performance.now();
  const vector = await minnow.embed('How do I get a refund?');
  window.result = {
    script_ms: started, ready_ms: ready, vector_ms: performance.now(), dimensions: vector.length, phases, picked: minnow.picked,
  };
  window.minnow = minnow;
}

main().catch((error) => {
  window.result = { error: String(error?.stack ?? error) };
});
