// Minnow - SPDX-License-Identifier: Apache-2.0
// The public API in Node, in a worker and inline: the native engine's bytes, every kind of model, options, and how
// calls and loading fail.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Minnow, MinnowError, l2Normalize, meanPool } from '../src/index.js';
import { Minnow as InlineMinnow } from '../src/inline.js';
import { startThreads } from '../src/threads.js';
import { DIMENSIONS, goldenHashes, integrityOf, modelBytes, modelPath, modelUrl, sha256, texts } from './fixtures.js';

/** @param {string} code @param {RegExp} message */
const failure = (code, message) => (/** @type {any} */ error) => {
  assert.ok(error instanceof MinnowError, String(error?.stack ?? error));
  assert.match(error.message, message);
  assert.equal(error.code, code);
  assert.ok(!error.message.includes('\n'));
  return true;
};

describe('the bytes of the native engine', () => {
  for (const [name, options] of Object.entries({
    'worker, one thread': { threads: 1 },
    'worker, two threads': { threads: 2 },
    'inline': { worker: false },
    'worker, scalar kernels': { threads: 1, isa: 'scalar' },
  })) {
    test(name, async () => {
      const minnow = await Minnow.load({ model: modelUrl, ...options });
      const count = options.isa === 'scalar' ? 20 : 100;
      const { data, dims, tokenCounts, truncated } = await minnow.embedBatch(texts.slice(0, count));
      assert.equal(sha256(data), goldenHashes[count]);
      assert.deepEqual(dims, [count, DIMENSIONS]);
      assert.equal(tokenCounts.length, count);
      assert.equal(truncated.length, count);
      assert.equal(minnow.picked.worker, options.worker === false ? 'inline' : 'worker');
      assert.equal(minnow.picked.threads, options.threads ?? 1);
      if (options.isa) assert.equal(minnow.picked.isa, options.isa);
      await minnow.close();
    });
  }
  test('./inline', async () => {
    const minnow = await InlineMinnow.load({ model: modelUrl });
    assert.equal(sha256((await minnow.embedBatch(texts.slice(0, 20))).data), goldenHashes[20]);
    await minnow.close();
  });
});

describe('models', () => {
  const bytes = modelBytes();
  const shifted = new Uint8Array(bytes.length + 3);
  shifted.set(bytes, 3);
  const integrity = integrityOf(bytes);
  /** @type {Record<string, () => any>} */
  const kinds = {
    path: () => modelPath,
    'URL as a string': () => modelUrl.href,
    URL: () => modelUrl,
    ArrayBuffer: () => bytes.buffer,
    'a view': () => shifted.subarray(3),
    Blob: () => new Blob([bytes]),
    Response: () => new Response(bytes),
    package: () => ({ url: modelUrl, integrity, bytes: bytes.length, name: 'random' }),
  };
  for (const [kind, make] of Object.entries(kinds)) {
    test(kind, async () => {
      for (const worker of [true, false]) {
        const minnow = await Minnow.load({ model: make(), worker, cache: false });
        assert.equal(sha256((await minnow.embedBatch(texts.slice(0, 20))).data), goldenHashes[20]);
        if (kind === 'package') assert.equal(minnow.name, 'random');
        await minnow.close();
      }
      assert.equal(bytes.length, bytes.buffer.byteLength, 'the caller keeps its bytes');
    });
  }
});

test('transfer: bytes are handed over to the worker, and stay where there is none', async () => {
  for (const worker of [true, false]) {
    for (const make of [(/** @type {Uint8Array} */ copy) => copy.buffer, (/** @type {Uint8Array} */ copy) => copy]) {
      const copy = new Uint8Array(modelBytes()); // of a buffer of its own
      const minnow = await Minnow.load({ model: make(copy), transfer: true, worker, threads: 1 });
      assert.equal(copy.buffer.byteLength === 0, worker);
      assert.equal(sha256((await minnow.embedBatch(texts.slice(0, 20))).data), goldenHashes[20]);
      await minnow.close();
    }
  }
  const copy = new Uint8Array(modelBytes());
  const minnow = await Minnow.load({ model: copy, transfer: true, workerUrl: new URL('none.js', import.meta.url) });
  assert.equal(minnow.picked.worker, 'inline', 'without a worker it goes on with what it was given');
  await minnow.close();
});

test('a helper thread that dies before it is in the module', async () => {
  let terminated = 0;
  const spawn = () => {
    /** @type {((reason: string) => void)[]} */
    const listeners = [];
    return {
      postMessage: () => setTimeout(() => listeners.forEach((listener) => listener('no memory')), 5),
      onMessage: (/** @type {any} */ listener) => setTimeout(() => listener({ type: 'thread-ready' }), 1),
      onError: (/** @type {any} */ listener) => listeners.push(listener),
      terminate: () => terminated++,
    };
  };
  const exports = { minnow_wasm_thread_stack: () => 8, minnow_wasm_threads_ready: () => 0,
    minnow_wasm_threads_end() {} };
  const options = /** @type {any} */ ({ exports, count: 2, spawn });
  await assert.rejects(startThreads(options), failure('unsupported', /^a thread ended: no memory$/));
  assert.equal(terminated, 1);
});

describe('loading fails', () => {
  const bytes = modelBytes();
  const cut = bytes.slice(0, 1000);
  const wrongHash = integrityOf(cut);
  const gone = new Uint8Array(bytes);
  structuredClone(gone, { transfer: [gone.buffer] });
  /** @type {[string, any, string, RegExp][]} */
  const cases = [
    ['no options', undefined, 'argument', /Minnow\.load\(\{ model: /],
    ['no model', {}, 'argument', /Minnow\.load\(\{ model: /],
    ['a model of no kind', { model: 5 }, 'argument', /model/],
    ['WebGPU', { model: modelUrl, backend: 'webgpu' }, 'unsupported', /backend: 'webgpu'/],
    ['an unknown backend', { model: modelUrl, backend: 'cuda' }, 'argument', /backend: 'cuda' is none of wasm, auto/],
    ['an unknown option', { model: modelUrl, treads: 2 }, 'argument', /no option 'treads'.*threads/],
    ['threads', { model: modelUrl, threads: 0 }, 'argument', /threads: 0/],
    ['pooling', { model: modelUrl, pooling: 'sum' }, 'argument', /pooling: 'sum' is none of mean, cls, max/],
    ['maxTokens', { model: modelUrl, maxTokens: 100000 }, 'argument', /maxTokens: 100000/],
    ['a signal', { model: modelUrl, signal: {} }, 'argument', /AbortSignal/],
    ['onProgress', { model: modelUrl, onProgress: 'log' }, 'argument', /onProgress/],
    ['isa', { model: modelUrl, isa: 'avx512' }, 'argument', /isa avx512: this module has .*scalar/],
    ['wasmUrl', { model: modelUrl, wasmUrl: { smid: 'x' } }, 'argument', /wasmUrl\.smid/],
    ['wasmUrl of nothing', { model: modelUrl, wasmUrl: modelUrl }, 'network', /random\.minnow\/minnow-/],
    ['a module that is none', { model: modelUrl, wasmUrl: { simd: modelUrl } }, 'format', /random\.minnow/],
    ['no such file', { model: `${modelPath}.none` }, 'network', /random\.minnow\.none/],
    ['no model file', { model: new TextEncoder().encode('<!doctype html>'.repeat(9)) }, 'format', /./],
    ['bytes that were handed over', { model: gone }, 'argument', /^model.* (detached|handed over already)/],
    ['a cut file', { model: cut }, 'format', /./],
    ['integrity', { model: bytes, integrity: wrongHash }, 'integrity', /SHA-256/],
    ['memoryLimit', { model: modelUrl, memoryLimit: 400_000 }, 'memory', /memory/],
  ];
  for (const [name, options, code, message] of cases) {
    test(name, async () => {
      await assert.rejects(Minnow.load(options), failure(code, message));
      if (options) await assert.rejects(Minnow.load({ ...options, worker: false }), failure(code, message));
    });
  }

  test('what cannot be sent to a worker', async () => {
    const model = { url: modelUrl, bytes: bytes.length, describe() {} };
    await assert.rejects(Minnow.load({ model }), failure('argument', /^model or another option.* could not be cloned/));
  });

  test('abort, before and while it loads, with the signal\'s reason', async () => {
    for (const worker of [true, false]) {
      const reason = new Error('the user left');
      await assert.rejects(Minnow.load({ model: modelUrl, worker, signal: AbortSignal.abort(reason) }), reason);
      const controller = new AbortController();
      const onProgress = () => controller.abort(reason);
      const other = Minnow.load({ model: modelUrl, worker });
      await assert.rejects(Minnow.load({ model: modelUrl, worker, onProgress, signal: controller.signal }), reason);
      await (await other).close();
    }
  });
});

test('progress: phases in order, and never back', async () => {
  for (const worker of [true, false]) {
    /** @type {any[]} */
    const events = [];
    const minnow = await Minnow.load(
      { model: new Response(modelBytes()), worker, onProgress: (event) => events.push(event) });
    await minnow.close();
    const phases = ['compile', 'download', 'decode', 'ready'];
    assert.deepEqual([...new Set(events.map(({ phase }) => phase))], phases);
    events.forEach(({ phase, file, loaded, total, fromCache }, i) => {
      assert.equal(typeof file, 'string');
      assert.equal(fromCache, false);
      assert.ok(loaded <= total && total > 0);
      if (i > 0 && events[i - 1].phase === phase)
        assert.ok(loaded >= events[i - 1].loaded && total === events[i - 1].total);
    });
    const last = events.filter(({ phase }) => phase === 'download').at(-1);
    assert.equal(last.loaded, modelBytes().length);
  }
});

test('where no worker starts it runs inline and says why', async () => {
  const minnow = await Minnow.load({ model: modelUrl, workerUrl: new URL('none.js', import.meta.url) });
  assert.equal(minnow.picked.worker, 'inline');
  assert.match(minnow.picked.reason, /the worker did not start \(.*none\.js/);
  assert.equal(sha256((await minnow.embedBatch(texts.slice(0, 20))).data), goldenHashes[20]);
  await minnow.close();
});

test('a worker that dies rejects its calls, and later ones', async () => {
  const minnow = await Minnow.load({ model: modelUrl, workerUrl: new URL('dying-worker.js', import.meta.url) });
  await assert.rejects(minnow.embed('text'), failure('closed', /the worker stopped: the power is gone/));
  await assert.rejects(minnow.embed('text'), failure('closed', /the worker stopped/));
  await minnow.close();
});

for (const worker of [true, false]) {
  describe(worker ? 'calls of a worker' : 'calls inline', () => {
    /** @type {Minnow} */
    let minnow;
    before(async () => {
      minnow = await Minnow.load({ model: modelUrl, worker });
    });
    after(() => minnow.close());

    test('embed: a text, texts, none', async () => {
      const { data } = await minnow.embedBatch(texts.slice(0, 3));
      const vectors = await minnow.embed(texts.slice(0, 3));
      assert.equal(vectors.length, 3);
      vectors.forEach((vector, i) => {
        assert.ok(vector instanceof Float32Array);
        assert.deepEqual(vector, data.slice(i * DIMENSIONS, (i + 1) * DIMENSIONS));
        assert.equal(vector.buffer.byteLength, 4 * DIMENSIONS);
      });
      assert.deepEqual(await minnow.embed(texts[1]), vectors[1]);
      assert.deepEqual(await minnow.embed([]), []);
      assert.deepEqual((await minnow.embedBatch([])).dims, [0, DIMENSIONS]);
      assert.equal((await minnow.embed('')).length, DIMENSIONS);
    });

    test('options of a call do not outlast it', async () => {
      const usual = await minnow.embed(texts[0]);
      const cls = await minnow.embed(texts[0], { pooling: 'cls' });
      const raw = await minnow.embed(texts[0], { normalize: false });
      assert.notDeepEqual(cls, usual);
      assert.notDeepEqual(raw, usual);
      const cut = await minnow.embedBatch([texts[0]], { maxTokens: 3 });
      assert.deepEqual([...cut.tokenCounts, ...cut.truncated], [3, 1]);
      assert.deepEqual(await minnow.embed(texts[0]), usual);
    });

    test('tokens, and the mean of their vectors', async () => {
      const { ids, truncated } = await minnow.tokenize(texts[0]);
      assert.ok(ids instanceof Int32Array);
      assert.equal(truncated, false);
      const { data, dims } = await minnow.tokenEmbeddings(texts[0]);
      assert.deepEqual(dims, [ids.length, DIMENSIONS]);
      assert.deepEqual(l2Normalize(meanPool({ data, dims })), await minnow.embed(texts[0]));
      const cut = await minnow.tokenize(texts[0], { maxTokens: 4 });
      assert.equal(cut.ids.length, 4);
      assert.equal(cut.truncated, true);
    });

    test('similarity of texts and vectors', async () => {
      const [a, b] = await minnow.embed(texts.slice(0, 2));
      const expected = await minnow.similarity(a, b);
      assert.equal(await minnow.similarity(texts[0], b), expected);
      assert.equal(await minnow.similarity(a, texts[1]), expected);
      assert.equal(await minnow.similarity(texts[0], texts[1]), expected);
      assert.ok(Math.abs(await minnow.similarity(a, a) - 1) < 1e-6);
    });

    test('texts that change after the call, and a proxy of an array', async () => {
      const list = texts.slice(0, 20);
      const pending = minnow.embedBatch(new Proxy(list, {}));
      list.length = 0;
      assert.equal(sha256((await pending).data), goldenHashes[20]);
    });
    test('half a surrogate pair is U+FFFD', async () => {
      assert.deepEqual(await minnow.embed('a\ud800b'), await minnow.embed('a\ufffdb'));
    });

    test('bad input is named', async () => {
      const any = /** @type {any} */ (minnow);
      /** @type {[() => Promise<unknown>, RegExp][]} */
      const cases = [
        [() => any.embed(), /embed: undefined is no string/],
        [() => any.embed(['a', 'b', 'c', 5]), /texts\[3\] is a number/],
        [() => any.embed(['a', undefined, 'c']), /texts\[1\] is undefined/],
        [() => any.embedBatch('text'), /embedBatch: texts is a string/],
        [() => any.embedBatch([null]), /texts\[0\] is null/],
        [() => any.embed('a', { dimension: 8 }), /no option 'dimension'; there are .*dimensions/],
        [() => any.embed('a', 5), /options are a number/],
        [() => any.embed('a', { precision: 'int4' }), /precision: 'int4'/],
        [() => any.embed('a', { dimensions: DIMENSIONS + 1 }), /dimensions: 81/],
        [() => any.embed('a', { maxTokens: 1e6 }), /maxTokens: 1000000/],
        [() => any.embed('a', { normalize: 1 }), /normalize/],
        [() => any.embed('a', { signal: 'x' }), /signal/],
        [() => any.tokenize(5), /tokenize: text is a number/],
        [() => any.tokenize('a', { pooling: 'cls' }), /no option 'pooling'/],
        [() => any.tokenEmbeddings(['a']), /tokenEmbeddings: text is an array/],
        [() => any.similarity('a'), /similarity: b is undefined/],
        [() => any.similarity('a', new Float32Array(3)), /similarity: a has 80 numbers, b 3/],
      ];
      for (const [call, message] of cases) await assert.rejects(call, failure('argument', message));
      assert.equal((await minnow.embed('a')).length, DIMENSIONS);
    });

    test('turns: a query is not behind a long batch, and batches go side by side', async () => {
      /** @type {string[]} */
      const order = [];
      const done = (/** @type {string} */ name) => () => order.push(name);
      await Promise.all([
        minnow.embedBatch(texts.slice(0, 600)).then(done('long')),
        minnow.embedBatch(texts.slice(0, 60)).then(done('shorter')),
        minnow.embed('query').then(done('query')),
      ]);
      assert.deepEqual(order, ['query', 'shorter', 'long']);
    });

    test('turns do not change a byte', async () => {
      const [a, , b] = await Promise.all(
        [minnow.embedBatch(texts.slice(0, 100)), minnow.embed(texts.slice(50, 90), { pooling: 'max' }),
        minnow.embedBatch(texts.slice(0, 20))]);
      assert.equal(sha256(a.data), goldenHashes[100]);
      assert.equal(sha256(b.data), goldenHashes[20]);
    });

    test('abort rejects one call with its reason', async () => {
      const controller = new AbortController();
      const reason = new Error('too late');
      const aborted = minnow.embedBatch(texts, { signal: controller.signal });
      const kept = minnow.embedBatch(texts.slice(0, 100));
      setTimeout(() => controller.abort(reason), 5);
      await assert.rejects(aborted, reason);
      assert.equal(sha256((await kept).data), goldenHashes[100]);
      await assert.rejects(minnow.embed('text', { signal: AbortSignal.abort(reason) }), reason);
      const finished = new AbortController();
      const vector = await minnow.embed('text', { signal: finished.signal });
      finished.abort(reason);
      assert.deepEqual(await minnow.embed('text'), vector);
    });

    test('10,000 calls in the same memory', async () => {
      const calls = async (/** @type {number} */ count) => {
        for (let i = 0; i < count; i++) {
          const text = texts[i % 50];
          if (i % 10 === 0) await minnow.embed(text, { precision: 'int8', maxTokens: 4 + (i % 60) });
          else if (i % 10 === 3) await minnow.tokenize(text);
          else if (i % 10 === 6) await minnow.tokenEmbeddings(text);
          else await minnow.embed('a b');
        }
      };
      await calls(500);
      const bytes = await minnow.memoryBytes();
      await calls(10_000);
      assert.equal(await minnow.memoryBytes(), bytes);
    });
  });

  test(`close, ${worker ? 'worker' : 'inline'}: pending and later calls reject`, async () => {
    const minnow = await Minnow.load({ model: modelUrl, worker });
    const pending = [minnow.embedBatch(texts), minnow.embed('a'), minnow.tokenize('b')];
    const settled = Promise.allSettled(pending);
    await minnow.close();
    for (const result of await settled) {
      assert.equal(result.status, 'rejected');
      failure('closed', /closed/)(/** @type {PromiseRejectedResult} */ (result).reason);
    }
    await assert.rejects(minnow.embed('a'), failure('closed', /closed/));
    await assert.rejects(minnow.memoryBytes(), failure('closed', /closed/));
    await minnow.close();
  });
}
