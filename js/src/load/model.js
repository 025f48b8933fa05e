// Minnow - SPDX-License-Identifier: Apache-2.0
// Stand-in.
import { isNode, nodeModule } from '../platform.js';
/**
 * @param {any} source
 * @param {any} options
 * @param {import('../engine.js').Sink} sink
 */
export async function openModel(source, { integrity, onProgress, signal }, sink) {
  let bytes;
  const url = typeof source === 'string' ? source : source.url;
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) bytes = source;
  else if (source instanceof Blob || source instanceof Response) bytes = await source.arrayBuffer();
  else if (isNode() && url.startsWith('file:')) bytes = await nodeModule('node:fs').promises.readFile(new URL(url));
  else bytes = await (await fetch(url, { signal })).arrayBuffer();
  const view = ArrayBuffer.isView(bytes) ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength) : new Uint8Array(bytes);
  sink.reserve(view.length);
  sink.write(view);
  onProgress?.({ phase: 'download', file: url ?? 'model', loaded: view.length, total: view.length, fromCache: false });
  return { name: url?.split('/').pop() ?? 'model', bytes: view.length, sha256: sink.digest(), fromCache: false, verified: integrity !== undefined };
}
