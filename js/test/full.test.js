// Minnow - SPDX-License-Identifier: Apache-2.0
// minnow-embed/full in Node: golden graphs, inputs in every form, hostile files, memory, and a real model if it is
// there. js/wasm/minnow-full.wasm comes from `make wasm`; $MINNOW names the native program (build/minnow) to compare
// with.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync } from 'node:zlib';

import { Graph } from '../src/full/graph.js';
import { MinnowError, Session } from '../src/full.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const GOLDEN = join(ROOT, 'tests/golden/onnx');
const SHARED = join(ROOT, '../shared/golden/onnx');
const REAL = join(ROOT, 'models/all-MiniLM-L6-v2');
const NATIVE = process.env.MINNOW ?? join(ROOT, 'build/minnow');
const WASM = fileURLToPath(new URL('../wasm/minnow-full.wasm', import.meta.url));
const TINY = join(GOLDEN, 'bert_ts14.onnx');

/** Compiled once for all tests. */
const wasmUrl = new WebAssembly.Module(readFileSync(WASM));
const load = (/** @type {any} */ source, /** @type {any} */ options = {}) =>
  Session.load(source, { wasmUrl, ...options });
const flat = (/** @type {any} */ nested) => (Array.isArray(nested) ? nested.flat(Infinity) : [nested]);

/** @param {string} code @param {RegExp} [message] */
const failure = (code, message = /./) => (/** @type {any} */ error) => {
  assert.ok(error instanceof MinnowError, String(error));
  assert.equal(error.code, code, error.message);
  assert.match(error.message, message);
  assert.doesNotMatch(error.message, /\n/);
  return true;
};

function largestDifference(a, b) {
  assert.equal(a.length, b.length);
  let most = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(Number(a[i]) - Number(b[i]));
    if (!(difference <= most)) most = difference; // NaN too
  }
  return most;
}

test('the module is within its budget, and asks for a clock at most', () => {
  const size = brotliCompressSync(readFileSync(WASM)).length;
  assert.ok(size <= 250_000, `${size} bytes after brotli`);
  for (const { module, name } of WebAssembly.Module.imports(wasmUrl)) assert.equal(`${module}.${name}`, 'env.now');
});

// --- Golden graphs ---------------------------------------------------------------------------------------------------

for (const folder of [GOLDEN, SHARED]) {
  const files = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.json')) : [];
  test(`golden graphs of ${folder === GOLDEN ? 'the repository' : 'the shared folder'}`,
    { skip: files.length === 0 && 'the folder is not here' }, async () => {
    for (const file of files) {
      const golden = JSON.parse(readFileSync(join(folder, file), 'utf8'));
      const session = await load(readFileSync(join(folder, golden.model)));
      for (const { inputs, outputs } of golden.cases) {
        const got = await session.run(inputs);
        for (const [name, expected] of Object.entries(outputs)) {
          const difference = largestDifference(got[name].data, flat(expected));
          assert.ok(difference <= golden.tolerance_abs, `${file} ${name}: ${difference}`);
        }
      }
      session.release();
    }
  });
}

test('the native program gives the same', { skip: !existsSync(NATIVE) && 'no build/minnow: make' }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'minnow-full-'));
  try {
    for (const file of readdirSync(GOLDEN).filter((name) => name.endsWith('.onnx'))) {
      const model = join(GOLDEN, file);
      const { cases } = JSON.parse(readFileSync(model.replace(/onnx$/, 'json'), 'utf8'));
      const feeds = cases.at(-1).inputs;
      writeFileSync(join(folder, 'in.json'), JSON.stringify(feeds));
      const native = JSON.parse(
        execFileSync(NATIVE, ['run', model, '--inputs', join(folder, 'in.json'), '--json'], { encoding: 'utf8' }));
      const session = await load(readFileSync(model));
      const results = await session.run(feeds);
      for (const [name, { shape, data }] of Object.entries(native.outputs)) {
        assert.deepEqual(results[name].dims, shape);
        // Graphs that round to codes have no fused multiply-adds anywhere: the same bits.
        const allowed = /quantized|dynamic_|qdq|qoperator/.test(file) ? 0 : 1e-5 * Math.max(...data.map(Math.abs));
        assert.ok(largestDifference(results[name].data, data.map(Math.fround)) <= allowed, `${file} ${name}`);
      }
      session.release();
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

// --- Inputs and outputs ----------------------------------------------------------------------------------------------

test('what a graph takes and gives', async () => {
  const session = await load(readFileSync(TINY));
  assert.deepEqual([...session.inputNames].sort(), ['attention_mask', 'input_ids', 'token_type_ids']);
  const ids = session.inputs.find(({ name }) => name === 'input_ids');
  assert.equal(ids.type, 'int64');
  assert.equal(ids.dims.length, 2);
  assert.ok(session.outputNames.includes('last_hidden_state'));
  const all = await session.run({ input_ids: [[39, 120, 89]], attention_mask: [[1, 1, 1]] });
  assert.deepEqual(all.last_hidden_state.dims, [1, 3, 32]);
  assert.equal(all.last_hidden_state.type, 'float32');
  assert.ok(all.last_hidden_state.data instanceof Float32Array);
  session.release();
});

test('inputs in every form give the same', async () => {
  const session = await load(readFileSync(TINY));
  const attention_mask = [[1, 1, 1], [1, 1, 0]];
  const ids = [39, 120, 89, 5, 6, 0];
  const forms = [
    [[39, 120, 89], [5, 6, 0]],
    [[39n, 120n, 89n], [5n, 6n, 0n]],
    { type: 'int64', data: BigInt64Array.from(ids, BigInt), dims: [2, 3] },
    { type: 'int32', data: Int32Array.from(ids), dims: [2, 3] },
    { data: ids, dims: [2, 3] },
    { data: BigInt64Array.from([7, ...ids], BigInt).subarray(1), dims: [2, 3] },
  ];
  const zeros = { data: new BigInt64Array(6), dims: [2, 3] };
  const first = (await session.run(
    { input_ids: forms[0], attention_mask, token_type_ids: zeros })).last_hidden_state.data;
  for (const input_ids of forms) {
    const { last_hidden_state } = await session.run({ input_ids, attention_mask }, ['last_hidden_state']);
    assert.deepEqual(last_hidden_state.data, first);
  }
  session.release();
});

test('what is wrong with an input is said, and the session goes on', async () => {
  const session = await load(readFileSync(TINY));
  const good = { input_ids: [[1, 2]], attention_mask: [[1, 1]] };
  const { last_hidden_state: before } = await session.run(good);
  for (const [feeds, message] of [
    [{ attention_mask: [[1]] }, /'input_ids' is missing/],
    [{ input_ids: [[1, 2]] }, /'attention_mask' is missing/],
    [{ ...good, other: [1] }, /no input 'other'/],
    [{ ...good, input_ids: [[1, 2], [3]] }, /rows of 2 and of 1/],
    [{ ...good, input_ids: [[1, [2]]] }, /unevenly/],
    [{ ...good, input_ids: [[1, 2.5]] }, /element 1: 2.5 is no int64/],
    [{ ...good, input_ids: [[1, 'x']] }, /element 1 is no number/],
    [{ ...good, input_ids: { data: [1, 2, 3], dims: [1, 2] } }, /need 2 elements, data has 3/],
    [{ ...good, input_ids: { data: [1, 2], dims: [1, -2] } }, /-2 is no size/],
    [{ ...good, input_ids: [1, 2] }, /rank 1, 2 expected/],
    [{ ...good, attention_mask: [[1, 1, 1]] }, /in another input/],
    [{ ...good, input_ids: 'text' }, /neither/],
    [null, /no object/],
  ]) await assert.rejects(session.run(feeds), failure('argument', message));
  await assert.rejects(session.run(good, ['nothing']), failure('argument', /no output 'nothing'/));
  await assert.rejects(session.run({ ...good, input_ids: [[1, 10 ** 9]] }), MinnowError);
  assert.deepEqual((await session.run(good)).last_hidden_state.data, before.data);
  session.release();
  session.release();
  assert.equal(session.memoryBytes, 0);
  await assert.rejects(session.run(good), failure('closed'));
});

test('sources: path, bytes, buffer, Blob, Response; integrity; abort', async () => {
  const bytes = readFileSync(TINY);
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  const integrity = `sha256-${Buffer.from(digest).toString('base64')}`;
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
  for (const source of [TINY, bytes, buffer, new Blob([bytes]), new Response(bytes)]) {
    const phases = [];
    const session = await load(source, { integrity, onProgress: ({ phase }) => phases.push(phase) });
    assert.equal(session.inputs.length, 3);
    assert.deepEqual([...new Set(phases)], ['compile', 'download', 'decode', 'ready']);
    session.release();
  }
  await assert.rejects(load(bytes, { integrity: `sha256-${Buffer.alloc(32).toString('base64')}` }),
    failure('integrity'));
  const reason = new Error('enough');
  await assert.rejects(load(TINY, { signal: AbortSignal.abort(reason) }), (error) => error === reason);
  await assert.rejects(load(bytes, { nothing: 1 }), failure('argument', /no option 'nothing'/));
});

// --- Hostile files and memory ----------------------------------------------------------------------------------------

/** Puts a file into a graph's instance and opens it. @param {Graph} graph @param {Uint8Array} bytes */
function open(graph, bytes) {
  graph.sink.reset();
  graph.sink.reserve(bytes.length);
  graph.sink.write(bytes, { hash: false });
  graph.open();
}

test('damaged files are errors, and the instance stays usable', async () => {
  const whole = readFileSync(TINY);
  const graph = await Graph.create(wasmUrl, {});
  const ids = { dims: [1, 2], data: BigInt64Array.of(1n, 1n) };
  let refused = 0;
  const attempt = (/** @type {Uint8Array} */ bytes) => {
    try {
      open(graph, bytes);
      graph.inputs.forEach((input, i) => input.type === 'int64' && graph.set(i, ids));
      graph.run(graph.outputs.map(() => true));
    } catch (error) {
      failure(error?.code)(error);
      assert.ok(['format', 'unsupported', 'memory', 'argument'].includes(error.code),
        `${error.code}: ${error.message}`);
      refused++;
    }
  };
  for (let i = 0; i < 100; i++) attempt(whole.subarray(0, Math.floor((whole.length * i) / 100)));
  assert.equal(refused, 100);
  for (let i = 0; i < 400; i++) {
    const bytes = Uint8Array.from(whole);
    // Half of them in the first bytes, where the structure is; multiplied by a prime to reach all.
    const at = (i * 7919) % (i % 2 === 0 ? 2000 : bytes.length);
    bytes[at] ^= 1 << i % 8;
    attempt(bytes);
  }
  assert.ok(refused > 150, `${refused} refused`);
  open(graph, whole);
  graph.inputs.forEach((_, i) => graph.set(i, ids));
  const [result] = graph.run(graph.outputs.map(() => true));
  const session = await load(whole);
  const ones = [[1, 1]];
  const expected = await session.run({ input_ids: ones, attention_mask: ones, token_type_ids: ones });
  assert.deepEqual(result?.data, expected[session.outputNames[0]].data);
  graph.close();
  session.release();
});

/** A field of a protobuf message: a number, or bytes. @param {number} number @param {number | Uint8Array} value */
const field = (number, value) => (typeof value === 'number' ? Buffer.from([number << 3, value])
  : Buffer.concat([Buffer.from([(number << 3) | 2, value.length]), value]));
const message = (/** @type {[number, any][]} */ ...fields) =>
  Buffer.concat(fields.map(([number, value]) => field(number, typeof value === 'string' ? Buffer.from(value) : value)));

test('external data and files that are no ONNX are refused', async () => {
  const location = message([1, 'location'], [2, 'weights.bin']);
  const tensor = message([1, 1], [2, 1], [8, 'w'], [13, location], [14, 1]); // dims [1], float32
  const model = message([1, 8], [7, message([5, tensor])], [8, message([2, 17])]);
  await assert.rejects(load(model), failure('unsupported', /external data \('weights.bin'\)/));
  await assert.rejects(load(Buffer.from('<!doctype html><title>404</title>')), failure('format'));
  await assert.rejects(load(new Uint8Array(0)), failure('format'));
});

test('1,000 runs take no more memory', async () => {
  const session = await load(readFileSync(TINY));
  const feeds = (/** @type {number} */ n) => ({ input_ids: [Array(n).fill(5)], attention_mask: [Array(n).fill(1)] });
  for (let n = 1; n <= 30; n++) await session.run(feeds(n)); // each length once: room for all that will be
  const before = session.memoryBytes;
  for (let i = 0; i < 1000; i++) await session.run(feeds(1 + (i % 30)));
  assert.equal(session.memoryBytes, before);
  session.release();
});

test('memoryLimit is kept', async () => {
  const bytes = readFileSync(TINY);
  await assert.rejects(load(bytes, { memoryLimit: 65536 }), failure('memory'));
  const session = await load(bytes, { memoryLimit: 4 << 20 });
  const wide = { input_ids: [Array(40).fill(5)], attention_mask: [Array(40).fill(1)] };
  const many = { input_ids: Array(2000).fill(wide.input_ids[0]),
    attention_mask: Array(2000).fill(wide.attention_mask[0]) };
  await assert.rejects(session.run(many), failure('memory'));
  assert.ok(session.memoryBytes <= 4 << 20);
  await session.run({ input_ids: [[5]], attention_mask: [[1]] });
  session.release();
});

test('room that a file did not need is given back when it is opened', async () => {
  const graph = await Graph.create(wasmUrl, { memoryLimit: 8 << 20 });
  graph.sink.reserve(6 << 20);
  graph.sink.write(readFileSync(TINY));
  graph.open();
  graph.sink.reset();
  graph.sink.reserve(5 << 20);
});

// --- The real model --------------------------------------------------------------------------------------------------

const TEXTS = ['Hello world', 'A much longer sentence, which says nothing in particular but needs many more tokens.',
  'Why?'];

/** Mean over the tokens that the mask has, to length 1. */
function pooled({ data, dims: [, tokens, width] }, row, length) {
  const vector = new Float64Array(width);
  for (let t = 0; t < length; t++)
    for (let j = 0; j < width; j++) vector[j] += data[(row * tokens + t) * width + j];
  const norm = Math.hypot(...vector);
  return vector.map((x) => x / norm);
}
const dot = (/** @type {any} */ a, /** @type {any} */ b) =>
  a.reduce((/** @type {number} */ sum, /** @type {number} */ x, /** @type {number} */ i) => sum + x * b[i], 0);

const noReal = (!existsSync(join(REAL, 'onnx/model.onnx')) || !existsSync(NATIVE)) &&
  'no real model, or no build/minnow: make model';
test('MiniLM: a padded batch is its texts one by one, and what the native program gives', { skip: noReal },
  async () => {
  const native = (/** @type {string[]} */ args) =>
    execFileSync(NATIVE, args, { input: TEXTS.join('\n'), encoding: 'utf8' }).trim().split('\n');
  const ids = native(['tokenize', '--tokenizer', join(REAL, 'tokenizer.json')]).map((line) => JSON.parse(line));
  const vectors = native(['embed', '--model', join(REAL, 'onnx/model.onnx')]).map((line) => JSON.parse(line).embedding);
  const longest = Math.max(...ids.map((row) => row.length));
  const padded = (/** @type {(row: number[], i: number) => number} */ of) =>
    ids.map((row) => Array.from({ length: longest }, (_, i) => of(row, i)));
  const session = await load(join(REAL, 'onnx/model.onnx'));
  const batch = (await session.run({ input_ids: padded((row, i) => row[i] ?? 0),
    attention_mask: padded((row, i) => (i < row.length ? 1 : 0)) })).last_hidden_state;
  for (let i = 0; i < TEXTS.length; i++) {
    const { last_hidden_state: alone } =
      await session.run({ input_ids: [ids[i]], attention_mask: [ids[i].map(() => 1)] });
    const vector = pooled(batch, i, ids[i].length);
    assert.ok(dot(vector, pooled(alone, 0, ids[i].length)) >= 0.999999);
    assert.ok(dot(vector, vectors[i]) >= 0.999999);
  }
  // 90.3 MB of file, and the values of these runs: weights are not there twice.
  assert.ok(session.memoryBytes < 100e6, String(session.memoryBytes));
  session.release();
});
