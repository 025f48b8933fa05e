// Minnow - SPDX-License-Identifier: Apache-2.0
//
// Serves web/ on loopback, with the engine, a model and, for compare.html, the peers, as web/settings.js has their
// places. Pages are cross-origin isolated, so that threads work.
//
// usage: node web/serve.mjs [--port N] [--package FOLDER] [--model MODEL.minnow] [--tokenizer FOLDER] [--int8
// MODEL.onnx]
//
// --package: Minnow's npm package (default js/). --tokenizer: the folder with tokenizer.json and config.json, and
// --int8 the ONNX file, both for the peers. What is not there answers 404, and the pages say which command makes it.

import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { startSite } from '../bench/browser/server.mjs';

const WEB = path.dirname(fileURLToPath(import.meta.url));
const ROOT = path.dirname(WEB);
const PEERS = path.join(ROOT, 'bench/browser/node_modules');
const TRANSFORMERS = path.join(PEERS, '@huggingface/transformers');
const MODEL = path.join(ROOT, 'models/all-MiniLM-L6-v2');

const { values: args } = parseArgs({
  options: {
    port: { type: 'string', default: '8080' },
    package: { type: 'string', default: path.join(ROOT, 'js') },
    model: { type: 'string', default: path.join(MODEL, 'model.minnow') },
    tokenizer: { type: 'string', default: MODEL },
    int8: { type: 'string', default: path.join(ROOT, 'build/bench/model_quantized.onnx') },
  },
});

const folders = {
  '/': WEB,
  '/minnow/': args.package,
  '/models/model.minnow': args.model,
  '/peers/onnxruntime-web/': path.join(PEERS, 'onnxruntime-web/dist'),
  '/peers/transformers/': path.join(TRANSFORMERS, 'dist'),
  '/peers/transformers-runtime/': path.join(TRANSFORMERS, 'node_modules/onnxruntime-web/dist'),
  '/peers/models/all-MiniLM-L6-v2/onnx/model_quantized.onnx': args.int8,
  '/peers/models/all-MiniLM-L6-v2/': args.tokenizer,
};

startSite({ folders, port: Number(args.port), isolated: true }).then(
  (site) => process.stdout.write(`${site.url('/')}\n${site.url('/compare.html')}\n`),
  (error) => {
    process.stderr.write(`serve.mjs: ${error.message}\n`);
    process.exitCode = 1;
  },
);
