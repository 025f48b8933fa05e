// Minnow - SPDX-License-Identifier: Apache-2.0
// The adapters inside the libraries that they are for (test/peers; skipped where those are not installed), over the
// real engine and random.minnow.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { minnowEmbeddingModel } from '../src/ai-sdk.js';
import { Minnow } from '../src/inline.js';
import { MinnowEmbeddings } from '../src/langchain.js';
import { pipeline } from '../src/transformers.js';
import { missing as skip, peer } from './peers/index.mjs';

const texts = ['PLEASE resize MY answer', 'ok', 'The plain wire stood by the label until they came to climb it.'];

function load() {
  const bytes = readFileSync(new URL('../../tests/golden/random.minnow', import.meta.url));
  return Minnow.load({ model: new Uint8Array(bytes).buffer });
}

/** @type {any} */
let minnow;
before(async () => {
  minnow = await load();
});
after(() => minnow.close());

/**
 * The real pipeline of transformers.js, whose model gives Minnow's token vectors, padded with numbers that no mask lets
 * in.
 */
async function realPipeline() {
  const { FeatureExtractionPipeline, Tensor } = await peer('@huggingface/transformers');
  const tokenizer = (/** @type {string | string[]} */ input) => ({ texts: [input].flat() });
  const model = async (/** @type {any} */ inputs) => {
    const rows = await Promise.all(inputs.texts.map((/** @type {string} */ text) => minnow.tokenEmbeddings(text)));
    const [n, longest, dimensions] = [rows.length, Math.max(...rows.map(({ dims }) => dims[0])), rows[0].dims[1]];
    const data = new Float32Array(n * longest * dimensions).fill(9);
    const mask = new BigInt64Array(n * longest);
    rows.forEach((row, i) => {
      data.set(row.data, i * longest * dimensions);
      mask.fill(1n, i * longest, i * longest + row.dims[0]);
    });
    inputs.attention_mask = new Tensor('int64', mask, [n, longest]);
    return { last_hidden_state: new Tensor('float32', data, [n, longest, dimensions]) };
  };
  return new FeatureExtractionPipeline({ task: 'feature-extraction', tokenizer, model });
}

/** @param {any} got @param {any} wanted a Tensor of transformers.js @param {number} within */
function sameTensor(got, wanted, within) {
  assert.deepEqual(got.dims, wanted.dims);
  assert.equal(got.type, wanted.type);
  assert.equal(got.size, wanted.size);
  assert.equal(got.data.constructor, wanted.data.constructor);
  got.data.forEach((/** @type {number} */ x, /** @type {number} */ i) => {
    assert.ok(Math.abs(x - wanted.data[i]) <= within, `number ${i}: ${x}, not ${wanted.data[i]}`);
  });
}

test('transformers.js: the real pipeline over the same token vectors gives the same tensors', { skip }, async () => {
  const real = await realPipeline();
  const ours = await pipeline('feature-extraction', minnow);
  /** @type {[string | string[], any][]} */
  const calls = [
    [texts[0], { pooling: 'mean', normalize: true }],
    [texts, { pooling: 'mean', normalize: true }],
    [texts, { pooling: 'mean' }],
    [texts, { pooling: 'cls' }],
    [texts, { pooling: 'first_token', normalize: true }],
    [texts[1], {}],
    [texts[1], { normalize: true }],
  ];
  for (const [input, options] of calls) {
    const wanted = await real(input, options);
    const got = await ours(input, options);
    sameTensor(got, wanted, 2e-6);
  }
  for (const precision of /** @type {const} */ (['binary', 'ubinary'])) {
    const options = { pooling: /** @type {const} */ ('mean'), normalize: true, quantize: true, precision };
    sameTensor(await ours(texts, options), await real(texts, options), 0);
  }
  const wanted = await real(texts, { pooling: 'cls' });
  assert.deepEqual((await ours(texts, { pooling: 'cls' })).tolist(), wanted.tolist());
});

test('transformers.js: without pooling a batch is padded, with zeros', { skip }, async () => {
  const wanted = await (await realPipeline())(texts);
  const got = await (await pipeline('feature-extraction', minnow))(texts);
  assert.deepEqual(got.dims, wanted.dims);
  const [, longest, dimensions] = got.dims;
  for (let i = 0; i < texts.length; i++) {
    const { data } = await minnow.tokenEmbeddings(texts[i]);
    const row = got.data.subarray(i * longest * dimensions, (i + 1) * longest * dimensions);
    assert.deepEqual(row.subarray(0, data.length), data);
    assert.ok(row.subarray(data.length).every((/** @type {number} */ x) => x === 0));
  }
});

test('pipeline: precisions, lists and errors', async () => {
  const extractor = await pipeline('feature-extraction', minnow);
  const int8 = await extractor(texts, { pooling: 'mean', normalize: true, quantize: true, precision: 'int8' });
  assert.deepEqual([int8.type, int8.dims], ['int8', [3, 80]]);
  assert.deepEqual(int8.data, (await minnow.embedBatch(texts, { precision: 'int8' })).data);
  const bits = await extractor(texts, { pooling: 'mean', normalize: true, quantize: true });
  assert.deepEqual(bits.data, (await minnow.embedBatch(texts, { precision: 'binary' })).data);
  const none = await extractor([], { pooling: 'mean' });
  assert.deepEqual([none.dims, none.tolist()], [[0, 80], []]);
  await assert.rejects(pipeline(/** @type {any} */ ('translation'), minnow), { code: 'unsupported' });
  await assert.rejects(extractor(texts, /** @type {any} */ ({ pooling: 'last_token' })), { code: 'unsupported' });
  await assert.rejects(extractor(texts, { quantize: true }), { code: 'argument' });
  await assert.rejects(extractor(/** @type {any} */ (['a', 7]), { pooling: 'mean' }), /1/);
  await extractor.dispose();
  assert.equal((await extractor('still open', { pooling: 'mean' })).dims[0], 1);
});

test('pipeline loads a Minnow of its own, and disposes of it', async () => {
  const bytes = readFileSync(new URL('../../tests/golden/random.minnow', import.meta.url));
  const extractor = await pipeline('feature-extraction', { model: new Uint8Array(bytes).buffer });
  const { data } = await extractor('ok', { pooling: 'mean', normalize: true });
  assert.deepEqual(data, await minnow.embed('ok'));
  await extractor.dispose();
  await assert.rejects(extractor('ok', { pooling: 'mean' }), { code: 'closed' });
});

test('LangChain: a vector store and its retriever find the text', { skip }, async () => {
  const { MemoryVectorStore } = await peer('@langchain/classic/vectorstores/memory');
  const { Document } = await peer('@langchain/core/documents');
  const embeddings = new MinnowEmbeddings(minnow);
  const store = new MemoryVectorStore(embeddings);
  await store.addDocuments(texts.map((pageContent, id) => new Document({ pageContent, metadata: { id } })));
  const [[best, score]] = await store.similaritySearchWithScore(texts[2], 1);
  assert.equal(best.metadata.id, 2);
  assert.ok(Math.abs(score - 1) < 1e-6);
  const found = await store.asRetriever(1).invoke(texts[0]);
  assert.deepEqual(found.map((/** @type {any} */ document) => document.metadata.id), [0]);
});

test('LangChain: plain arrays, the numbers of embed, options of every call', async () => {
  const embeddings = new MinnowEmbeddings(load());
  assert.deepEqual(await embeddings.embedQuery(texts[0]), Array.from(await minnow.embed(texts[0])));
  const rows = await embeddings.embedDocuments(texts);
  assert.deepEqual(rows, (await minnow.embed(texts)).map((/** @type {Float32Array} */ row) => Array.from(row)));
  assert.deepEqual(await embeddings.embedDocuments([]), []);
  const short = new MinnowEmbeddings(minnow, { dimensions: 16 });
  assert.equal((await short.embedQuery(texts[0])).length, 16);
});

test('AI SDK: embed and embedMany', { skip }, async () => {
  const { embed, embedMany, cosineSimilarity } = await peer('ai');
  const model = minnowEmbeddingModel(minnow);
  const one = await embed({ model, value: texts[0] });
  assert.deepEqual(one.embedding, Array.from(await minnow.embed(texts[0])));
  const counts = (await minnow.embedBatch(texts)).tokenCounts;
  assert.equal(one.usage.tokens, counts[0]);
  const many = await embedMany({ model, values: texts });
  assert.equal(many.embeddings.length, 3);
  assert.equal(many.usage.tokens, counts[0] + counts[1] + counts[2]);
  assert.deepEqual(many.warnings, []);
  const score = cosineSimilarity(many.embeddings[0], many.embeddings[1]);
  assert.ok(Math.abs(score - (await minnow.similarity(texts[0], texts[1]))) < 1e-6);
  const aborted = AbortSignal.abort(new Error('left the page'));
  await assert.rejects(embed({ model, value: 'x', abortSignal: aborted, maxRetries: 0 }), /left the page|abort/i);
});

test('AI SDK: dimensions and options', async () => {
  const model = minnowEmbeddingModel(minnow, { dimensions: 40, modelId: 'random' });
  assert.equal(model.modelId, 'random');
  assert.equal((await model.doEmbed({ values: ['ok'] })).embeddings[0].length, 40);
  assert.equal((await model.doEmbed({ values: ['ok'], dimensions: 8 })).embeddings[0].length, 8);
});
