// Minnow - SPDX-License-Identifier: Apache-2.0
// Every public name as a TypeScript program uses it. Compiled, never run: package.test.mjs.

import { l2Normalize, meanPool, Minnow, MinnowError } from 'minnow-embed';
import { minnowEmbeddingModel } from 'minnow-embed/ai-sdk';
import { Session, type Tensor as GraphTensor } from 'minnow-embed/full';
import { Minnow as InlineMinnow } from 'minnow-embed/inline';
import { MinnowEmbeddings } from 'minnow-embed/langchain';
import { pipeline, Tensor } from 'minnow-embed/transformers';

export async function everything(signal: AbortSignal, bytes: ArrayBuffer, blob: Blob, response: Response) {
  const minnow: Minnow = await Minnow.load({
    model: '/model.minnow',
    integrity: 'sha256-AAAA',
    onProgress: ({ phase, file, loaded, total, fromCache }) => {
      const known: 'download' | 'decode' | 'compile' | 'ready' = phase;
      const text: string = `${known} ${file} ${loaded} ${total} ${fromCache}`;
      return void text;
    },
    signal,
    cache: false,
    threads: 2,
    backend: 'wasm',
    workerUrl: '/worker.js',
    wasmUrl: '/wasm/',
  });
  await InlineMinnow.load({ model: bytes });
  await InlineMinnow.load({ model: blob });
  await InlineMinnow.load({ model: response });
  await InlineMinnow.load({ model: { url: '/m.minnow', integrity: 'sha256-AAAA', bytes: 7, name: 'm' } });

  const one: Float32Array = await minnow.embed('text');
  const many: Float32Array[] = await minnow.embed(['a', 'b'], { pooling: 'cls', normalize: false, maxTokens: 64, signal });
  const coarse: Float32Array | Int8Array | Uint8Array = await minnow.embed('text', { precision: 'ubinary', dimensions: 64 });
  const { data, dims, tokenCounts, truncated } = await minnow.embedBatch(['a'] as const, { precision: 'int8' });
  const rows: number = dims[0] * data.length + tokenCounts[0] + truncated[0];

  const alike: number = await minnow.similarity('a', one);
  const { ids } = await minnow.tokenize('text', { maxTokens: 8 });
  const first: number = ids[0];
  const tokens = await minnow.tokenEmbeddings('text');
  const pooled: Float32Array = l2Normalize(meanPool(tokens));
  const batch = meanPool({ data: tokens.data, dims: [1, tokens.dims[0], tokens.dims[1]] }, new Uint8Array(tokens.dims[0]));
  const batchDims: [number, number] = l2Normalize(batch).dims;
  const bare: Float32Array = meanPool(tokens.data, [1, 1, 0]);

  const extractor = await pipeline('feature-extraction', minnow);
  const output: Tensor = await extractor(['a'], { pooling: 'mean', normalize: true, quantize: true, precision: 'binary' });
  await pipeline('feature-extraction', { model: '/model.minnow' });
  const list: number[][] = output.tolist();
  await extractor.dispose();

  const embeddings = new MinnowEmbeddings(minnow, { dimensions: 128 });
  const query: number[] = await embeddings.embedQuery('text');
  const documents: number[][] = await embeddings.embedDocuments(['a', 'b']);
  const result = await minnowEmbeddingModel(minnow, { modelId: 'mine' }).doEmbed({ values: ['a'], abortSignal: signal });
  const usage: number = result.usage.tokens;

  const session: Session = await Session.load('/model.onnx', {
    wasmUrl: '/wasm/minnow-full.wasm',
    integrity: 'sha256-AAAA',
    onProgress: ({ phase, loaded, total }) => void `${phase} ${loaded} ${total ?? '?'}`,
    signal,
    cache: 'verify',
    memoryLimit: 2 ** 30,
  });
  const inputs: string[] = session.inputs.map(({ name, type, dims }) => `${name} ${type} ${dims?.join() ?? ''}`);
  const results: Record<string, GraphTensor> = await session.run(
    { input_ids: [[101, 102]], attention_mask: { data: new BigInt64Array(2), dims: [1, 2] } },
    session.outputNames,
  );
  const shape: number[] = results.last_hidden_state.dims;
  // @ts-expect-error inputs are given by their names
  await session.run([[101, 102]]);
  session.release();

  try {
    await minnow.close();
  } catch (error) {
    if (error instanceof MinnowError && error.code === 'closed') throw error.cause;
  }
  // @ts-expect-error a number is no text
  await minnow.embed(7);
  // @ts-expect-error there is no such precision
  await minnow.embed('text', { precision: 'int4' });
  // @ts-expect-error a model must be named
  await Minnow.load({});
  return { many, coarse, rows, alike, first, pooled, batchDims, bare, output, list, query, documents, usage, inputs, shape };
}
