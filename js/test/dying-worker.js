// Minnow - SPDX-License-Identifier: Apache-2.0
// A worker that loads anything and dies of its first call.
import { parentPort } from 'node:worker_threads';

const port = /** @type {import('node:worker_threads').MessagePort} */ (parentPort);
const picked = { simd: 'simd', isa: 'none', threads: 1, reason: '' };
port.on('message', ({ type }) => {
  if (type === 'call') throw new Error('the power is gone');
  port.postMessage({ type: 'ready', info: { name: 'none', dimensions: 1, maxTokens: 1, maxPositions: 1, picked } });
});
port.postMessage({ type: 'hello' });
