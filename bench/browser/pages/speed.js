// Minnow - SPDX-License-Identifier: Apache-2.0
//
// The page in which engines are timed, one call at a time, on the page's main thread. bench/browser/speed.mjs calls
// window.bench, engine after engine, so that all of them share the machine's good and bad minutes.
//
// onnxruntime-web gets token ids and its time ends with last_hidden_state: no tokenizer, no pooling. Minnow gets the
// text that has these ids, and its time ends with the normalized vector.

import { Minnow } from 'minnow-embed';
import { Minnow as InlineMinnow } from 'minnow-embed/inline';

const MODEL = new URL('models/minnow/model.minnow', document.baseURI).href;

// Each of these words is one token of the model's vocabulary.
const WORDS = (
  'the small river runs through old stone bridges while people walk along its green banks and talk about music books ' +
  'weather food travel work school garden house water light summer winter morning evening city village mountain sea'
).split(' ');

/** A text of n tokens, [CLS] and [SEP] among them. */
function textOf(n) {
  return Array.from({ length: n - 2 }, (_, i) => WORDS[(i * 7 + (i >> 4)) % WORDS.length]).join(' ');
}

/** Engines that have been set up, by name: {run(tokens) -> vector, prepare(tokens)}. */
const engines = new Map();
let own = null;

/** @param {object} options of Minnow.load, beside where its files lie */
const load = (Class, options) =>
  Class.load({ model: MODEL, cache: false, wasmUrl: 'wasm/', workerUrl: 'worker.js', ...options });

/** A Minnow for what the engines do not do themselves. */
async function helper() {
  own ??= await load(InlineMinnow, {});
  return own;
}

async function idsOf(tokens) {
  const { ids } = await (await helper()).tokenize(textOf(tokens), { maxTokens: 512 });
  if (ids.length !== tokens) throw new Error(`the text for ${tokens} tokens has ${ids.length}`);
  return ids;
}

async function setUpMinnow({ inline, isa, threads }) {
  const minnow = await load(inline ? InlineMinnow : Minnow, { threads, isa });
  if (minnow.picked.threads !== threads) throw new Error(`${minnow.picked.threads} threads: ${minnow.picked.reason}`);
  const texts = new Map();
  return {
    info: minnow.picked,
    prepare: (tokens) => texts.set(tokens, textOf(tokens)),
    run: (tokens) => minnow.embed(texts.get(tokens), { maxTokens: 512 }),
  };
}

async function setUpOnnxruntime({ file, threads }) {
  const ort = await import(new URL('ort/ort.wasm.bundle.min.mjs', document.baseURI).href);
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.wasmPaths = new URL('ort/', document.baseURI).href;
  const session = await ort.InferenceSession.create(new URL(`models/onnx/onnx/${file}`, document.baseURI).href, {
    executionProviders: ['wasm'], graphOptimizationLevel: 'all',
  });
  const feeds = new Map();
  return {
    info: { version: ort.env.versions.web, threads: ort.env.wasm.numThreads },
    async prepare(tokens) {
      const ids = BigInt64Array.from(await idsOf(tokens), BigInt);
      const tensor = (data) => new ort.Tensor('int64', data, [1, tokens]);
      const every = {
        input_ids: tensor(ids),
        attention_mask: tensor(new BigInt64Array(tokens).fill(1n)),
        token_type_ids: tensor(new BigInt64Array(tokens)),
      };
      feeds.set(tokens, Object.fromEntries(session.inputNames.map((name) => [name, every[name]])));
    },
    async run(tokens) {
      const output = await session.run(feeds.get(tokens));
      return meanOf(output[session.outputNames[0]].data, tokens);
    },
    // Without the mean, which is ours to compare vectors with.
    time: (tokens) => session.run(feeds.get(tokens)),
  };
}

function meanOf(hidden, tokens) {
  const dimensions = hidden.length / tokens;
  const mean = new Float32Array(dimensions);
  for (let t = 0; t < tokens; t++) for (let d = 0; d < dimensions; d++) mean[d] += hidden[t * dimensions + d];
  return mean;
}

window.bench = {
  /** Makes an engine; gives what it says of itself. */
  async setUp(name, kind, options) {
    engines.set(name, await (kind === 'minnow' ? setUpMinnow(options) : setUpOnnxruntime(options)));
    return engines.get(name).info;
  },
  prepare: (name, tokens) => engines.get(name).prepare(tokens),
  /** How alike two engines' vectors are, so that no engine is fast by computing something else. */
  async likeness(a, b, tokens) {
    return (await helper()).similarity(await engines.get(a).run(tokens), await engines.get(b).run(tokens));
  },
  /** Milliseconds of each of `runs` calls. */
  async time(name, tokens, runs) {
    const engine = engines.get(name);
    const call = engine.time ?? engine.run;
    const times = [];
    for (let i = 0; i < runs; i++) {
      const start = performance.now();
      await call(tokens);
      times.push(performance.now() - start);
    }
    return times;
  },
};
