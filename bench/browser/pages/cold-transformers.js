// Minnow - SPDX-License-Identifier: Apache-2.0
//
// transformers.js as its documentation has it, on the page's main thread, with the model's files from this server.

import { env, pipeline } from '@huggingface/transformers';
import { report, run } from './report.js';

const here = (name) => new URL(name, document.baseURI).href;

async function main() {
  env.allowLocalModels = true;
  env.allowRemoteModels = false;
  env.localModelPath = new URL('models/', document.baseURI).pathname; // a path: URLs count as remote
  env.backends.onnx.wasm.wasmPaths = {
    mjs: here('ort-transformers/ort-wasm-simd-threaded.asyncify.mjs'),
    wasm: here('ort-transformers/ort-wasm-simd-threaded.asyncify.wasm'),
  };
  const started = performance.now();
  const extract = await pipeline('feature-extraction', 'onnx', { dtype: 'q8', device: 'wasm' });
  const ready = performance.now();
  const output = await extract('How do I get a refund?', { pooling: 'mean', normalize: true });
  report({ script_ms: started, ready_ms: ready, vector_ms: performance.now(), dimensions: output.data.length });
}

run(main);
