// Minnow - SPDX-License-Identifier: Apache-2.0
//
// The side-by-side page: Minnow, onnxruntime-web and transformers.js on the same texts, in turns, then charts with
// tables. A product is {name, colour, load(tools), run(text)}; `load` gives nothing, `run` a vector or hidden states.

import { figure, table } from './chart.js';
import { InlineMinnow, MODEL, PEERS } from './settings.js';

const TEXTS = [
  'refund',
  'How do I get my money back?',
  'Refunds are paid out within fourteen days of the return, by the way in which you paid.',
  'The library opens at nine on weekdays and at ten on Saturdays, and closes at six; on Sundays and on public holidays only the reading room is open, from noon to five.',
  'A river that drops a hundred metres over a few kilometres can turn a mill, and with a dam and a turbine it can light a town. What it cannot do is run when the town wants it to: in a dry summer the reservoir falls, in a wet spring the gates stand open and the water goes by unused. So grids join rivers to wind and sun, and to one another, and pumps lift water back uphill at night when power is cheap.',
];

/** @param {string} id @returns {any} */
const at = (id) => document.getElementById(id);
const ms = (value) => `${value.toFixed(value < 10 ? 2 : value < 1000 ? 1 : 0)} ms`;
const mb = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

// --- The products --------------------------------------------------------------------------------------------------

function minnow() {
  let engine;
  return {
    name: 'Minnow',
    colour: 0,
    async load() {
      engine = await InlineMinnow.load({ model: MODEL, cache: false, threads: 1 });
    },
    run: (text) => engine.embed(text),
    idsOf: async (text) => (await engine.tokenize(text)).ids,
    likeness: (a, b) => engine.similarity(a, b),
    close: () => engine?.close(),
  };
}

function transformers() {
  let extract;
  return {
    name: 'transformers.js',
    colour: 1,
    async load() {
      const { env, pipeline } = await import(PEERS.transformers);
      env.allowLocalModels = true;
      env.allowRemoteModels = false;
      env.useBrowserCache = false;
      env.localModelPath = new URL(PEERS.models).pathname; // a path: URLs count as remote
      const runtime = PEERS.transformersRuntime;
      env.backends.onnx.wasm.wasmPaths = { mjs: `${runtime}.mjs`, wasm: `${runtime}.wasm` };
      env.backends.onnx.wasm.numThreads = 1;
      extract = await pipeline('feature-extraction', 'all-MiniLM-L6-v2', { dtype: 'q8', device: 'wasm' });
    },
    run: async (text) => (await extract(text, { pooling: 'mean', normalize: true })).data,
    close: () => extract?.dispose(),
  };
}

function onnxruntime(idsOf) {
  let ort;
  let session;
  const feeds = new Map();
  async function feedsOf(text) {
    const ids = BigInt64Array.from(await idsOf(text), BigInt);
    const tensor = (data) => new ort.Tensor('int64', data, [1, ids.length]);
    return {
      input_ids: tensor(ids),
      attention_mask: tensor(new BigInt64Array(ids.length).fill(1n)),
      token_type_ids: tensor(new BigInt64Array(ids.length)),
    };
  }
  return {
    name: 'onnxruntime-web',
    colour: 2,
    async load() {
      ort = await import(PEERS.onnxruntime);
      ort.env.wasm.wasmPaths = PEERS.onnxruntimeFolder;
      ort.env.wasm.numThreads = 1;
      session = await ort.InferenceSession.create(PEERS.int8, { executionProviders: ['wasm'] });
    },
    async prepare(text) {
      feeds.set(text, await feedsOf(text));
    },
    run: (text) => session.run(feeds.get(text)),
    close: () => session?.release(),
  };
}

// --- Measuring -----------------------------------------------------------------------------------------------------

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** Lets the page draw and its buttons answer. */
const breathe = () => new Promise((resolve) => setTimeout(resolve, 5));

/** Bytes that came for what `work` did, as they were sent; and its milliseconds. */
async function loaded(work) {
  performance.clearResourceTimings();
  performance.setResourceTimingBufferSize(1000);
  const started = performance.now();
  await work();
  const took = performance.now() - started;
  await breathe();
  const entries = /** @type {PerformanceResourceTiming[]} */ (performance.getEntriesByType('resource'));
  const bytes = entries.reduce((sum, entry) => sum + entry.encodedBodySize, 0);
  return { ms: took, bytes };
}

/** Milliseconds of each product and text: [product][text]. */
async function inTurns(products, texts, rounds, signal, status) {
  const times = products.map(() => texts.map(() => []));
  for (let round = -1; round < rounds; round++) {
    status(round < 0 ? 'Warming up' : `Turn ${round + 1} of ${rounds}`);
    for (const [t, text] of texts.entries()) {
      for (const [p, product] of products.entries()) {
        await breathe();
        signal.throwIfAborted();
        const started = performance.now();
        await product.run(text);
        if (round >= 0) times[p][t].push(performance.now() - started);
      }
    }
  }
  return times.map((ofProduct) => ofProduct.map(median));
}

async function measure(texts, rounds, signal, status) {
  const ours = minnow();
  const products = [ours, transformers(), onnxruntime(ours.idsOf)];
  try {
    const loads = [];
    for (const product of products) {
      status(`Loading ${product.name}`);
      await breathe();
      signal.throwIfAborted();
      loads.push(await loaded(() => product.load()));
      for (const text of texts) await product.prepare?.(text);
    }
    const tokens = await Promise.all(texts.map(async (text) => (await ours.idsOf(text)).length));
    const alike = [];
    for (const text of texts) alike.push(await ours.likeness(await ours.run(text), await products[1].run(text)));
    return { products, loads, tokens, alike, times: await inTurns(products, texts, rounds, signal, status) };
  } finally {
    for (const product of products) await product.close();
  }
}

// --- Showing -------------------------------------------------------------------------------------------------------

const shortened = (text) => (text.length > 40 ? text.slice(0, 38) + '…' : text);

function rowsOf(products, values, shown) {
  return products.map(({ name, colour }, i) => ({ label: name, value: values[i], shown: shown(values[i]), colour }));
}

function speedFigures({ products, times, tokens, texts }) {
  return texts.map((text, t) => {
    const values = times.map((ofProduct) => ofProduct[t]);
    return figure({
      title: `${tokens[t]} tokens: “${shortened(text)}”`,
      about: 'Milliseconds to embed the text once; shorter is better.',
      rows: rowsOf(products, values, ms),
      head: ['', 'ms', '×\u00a0Minnow’s'],
      body: products.map(({ name }, p) => [name, values[p].toFixed(3), (values[p] / values[0]).toFixed(2)]),
    });
  });
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}

function show(result) {
  const { products, loads, times, texts, alike, tokens } = result;
  const totals = times.map(sum);
  at('results').replaceChildren(
    figure({
      title: `All ${texts.length} texts, one after another`,
      about: 'Sum of the medians, in milliseconds; shorter is better. onnxruntime-web without tokenizer and pooling.',
      rows: rowsOf(products, totals, ms),
      head: ['', 'ms', 'texts/s', '×\u00a0Minnow’s'],
      body: products.map(({ name }, p) =>
        [name, totals[p].toFixed(1), ((texts.length / totals[p]) * 1000).toFixed(0),
          (totals[p] / totals[0]).toFixed(2)]),
    }),
    ...speedFigures(result),
    figure({
      title: 'Bytes fetched: scripts, WebAssembly and model',
      about: 'As this page’s server sent them, so scripts and WebAssembly without compression unless it compresses; shorter is better.',
      rows: rowsOf(products, loads.map((load) => load.bytes), mb),
      head: ['', 'MB'],
      body: products.map(({ name }, p) => [name, (loads[p].bytes / 1e6).toFixed(2)]),
    }),
    figure({
      title: 'Ready after',
      about: 'From the call that loads to the first call that could run, files from this server and nothing cached; shorter is better.',
      rows: rowsOf(products, loads.map((load) => load.ms), ms),
      head: ['', 'ms'],
      body: products.map(({ name }, p) => [name, loads[p].ms.toFixed(0)]),
    }),
    likeness(texts, tokens, alike),
  );
  at('results').hidden = false;
}

function likeness(texts, tokens, alike) {
  const element = document.createElement('div');
  element.className = 'panel';
  const title = document.createElement('h2');
  title.textContent = 'Do they say the same?';
  const about = document.createElement('p');
  about.className = 'quiet';
  about.textContent = 'Cosine of Minnow’s vector and that of transformers.js: two INT8 quantizations of one model, ' +
    'which differ a little from it and from each other.';
  const rows = texts.map((text, t) => [shortened(text), tokens[t], alike[t].toFixed(4)]);
  element.append(title, about, table(['text', 'tokens', 'cosine'], rows));
  return element;
}

// --- The page ------------------------------------------------------------------------------------------------------

async function there(url) {
  const response = await fetch(url, { method: 'HEAD' }).catch(() => null);
  return response !== null && response.ok && !/text\/html/.test(response.headers.get('content-type') ?? '');
}

/** A line on what is missing, with the command that makes it; or nothing. */
async function missing() {
  if (!(await there(MODEL))) return 'The model is not there: `make model` makes it, `make web` serves it.';
  if (!(await there(PEERS.transformers)) || !(await there(PEERS.onnxruntime))) {
    return 'The peers’ packages are not there: `make web-peers` fetches them, `make web` serves them.';
  }
  if (!(await there(PEERS.int8))) return 'The peers’ INT8 model is not there: `make web-peers` makes it.';
  return '';
}

function problem(text) {
  at('problem').textContent = text;
  at('problem').hidden = text === '';
}

async function start() {
  const texts = at('texts').value.split('\n').map((line) => line.trim()).filter((line) => line !== '');
  if (texts.length === 0) return problem('There is no text.');
  const running = new AbortController();
  at('stop').onclick = () => running.abort();
  at('stop').hidden = false;
  at('start').disabled = true;
  problem('');
  const status = (line) => { at('status').textContent = line; };
  try {
    const lack = await missing();
    if (lack !== '') return problem(lack);
    show({ ...(await measure(texts, Number(at('rounds').value), running.signal, status)), texts });
    status('Done.');
  } catch (error) {
    status('');
    if (running.signal.aborted) status('Stopped.');
    else problem(error.message);
  } finally {
    at('stop').hidden = true;
    at('start').disabled = false;
  }
}

at('texts').value = TEXTS.join('\n');
at('start').addEventListener('click', start);
missing().then(problem);
