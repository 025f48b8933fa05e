// Minnow - SPDX-License-Identifier: Apache-2.0
//
// Where the pages' files lie, relative to the pages: what a site changes that copies this folder.
//   minnow/   the npm package's folder js/, with its src/ and wasm/
//   models/   model.minnow
//   peers/    for compare.html alone; `make web` shows what bench/browser has of it
export { Minnow } from './minnow/src/index.js';
export { Minnow as InlineMinnow } from './minnow/src/inline.js';

export const MODEL = new URL('models/model.minnow', import.meta.url).href;

export const PEERS = {
  onnxruntime: new URL('peers/onnxruntime-web/ort.wasm.bundle.min.mjs', import.meta.url).href,
  onnxruntimeFolder: new URL('peers/onnxruntime-web/', import.meta.url).href,
  transformers: new URL('peers/transformers/transformers.min.js', import.meta.url).href,
  transformersRuntime: new URL('peers/transformers-runtime/ort-wasm-simd-threaded.asyncify', import.meta.url).href,
  models: new URL('peers/models/', import.meta.url).href,
  int8: new URL('peers/models/all-MiniLM-L6-v2/onnx/model_quantized.onnx', import.meta.url).href,
};
