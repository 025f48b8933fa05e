// Minnow - SPDX-License-Identifier: Apache-2.0
// onnxruntime-web and transformers.js of js/test/peers in Node, and either runtime in a page of Chromium.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { ROOT, startSite } from '../../bench/browser/server.mjs';

export const PEERS = join(ROOT, 'js/test/peers/node_modules');
const urlOf = (/** @type {string} */ path) => pathToFileURL(join(PEERS, path)).href;

/** onnxruntime-web as Node has it; its files lie beside it. */
export async function onnxruntimeOfNode() {
  const ort = await import(urlOf('onnxruntime-web/dist/ort.node.min.mjs'));
  ort.env.wasm.numThreads = 1;
  return ort;
}

/**
 * transformers.js on onnxruntime-web, since onnxruntime-node needs a download of its own.
 * @param {string} folder of model folders
 * @returns {Promise<(name: string, dtype: string) => Promise<any>>} loads a pipeline for features
 */
export async function transformersOfNode(folder) {
  Object.assign(globalThis, { [Symbol.for('onnxruntime')]: await onnxruntimeOfNode() });
  const { env, pipeline } = await import(urlOf('@huggingface/transformers/dist/transformers.node.mjs'));
  Object.assign(env, { allowRemoteModels: false, useWasmCache: false, localModelPath: folder });
  env.backends.onnx.wasm.wasmPaths = urlOf('onnxruntime-web/dist/');
  return (name, dtype) => pipeline('feature-extraction', name, { dtype, device: 'auto' });
}

/** In the page: vectors of rows of ids. */
async function inPage(/** @type {any} */ _, /** @type {any} */ { way, rows, peers }) {
  const { byMinnowFull, byOnnxruntime } = await import(/** @type {any} */ ('/tests/everywhere/vectors.mjs'));
  if (way === 'minnow') {
    const { Session } = await import(/** @type {any} */ ('/js/src/full.js'));
    return byMinnowFull(Session, '/model.onnx', rows, { wasmUrl: '/full.wasm', cache: false });
  }
  const ort = await import(`${peers}/ort.wasm.min.mjs`);
  Object.assign(ort.env.wasm, { numThreads: 1, wasmPaths: `${peers}/` });
  return byOnnxruntime(ort, '/model.onnx', rows);
}

/**
 * @param {any} chromium
 * @param {'minnow' | 'onnxruntime'} way
 * @param {{model: Uint8Array, full: string, rows: number[][]}} argument full: the path of minnow-full.wasm
 */
export async function inChromium(chromium, way, { model, full, rows }) {
  const site = await startSite({ folders: { '/': ROOT, '/peers/': PEERS } });
  site.answer('/model.onnx', { body: model });
  if (way === 'minnow') site.answer('/full.wasm', { type: 'application/wasm', body: readFileSync(full) });
  try {
    const argument = { way, rows, peers: '/peers/onnxruntime-web/dist' };
    return await chromium.run(site, inPage, { entry: null, argument });
  } finally {
    await site.close();
  }
}
