// SPDX-License-Identifier: Apache-2.0
// openModel against servers that do everything wrong.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { openModel } from '../src/load/model.js';
import { FakeSink, fileAnswer, integrityOf, modelOf, serve, sha256 } from './load-server.js';

const FILE = modelOf(300_000);
/** Little patience: the same steps as a page's, in a second. */
const patience = { stallMs: 300, retryMs: [5, 5, 5], retryAfterMs: 20 };
const plain = { cache: false, patience };

test('a URL: the bytes, their hash, their count', async (t) => {
  const { url } = await serve(t, fileAnswer(FILE));
  const sink = new FakeSink();
  const opened = await openModel(url, plain, sink);
  assert.deepEqual(Buffer.from(sink.bytes), FILE);
  assert.equal(opened.sha256, sha256(FILE));
  assert.equal(opened.bytes, FILE.length);
  assert.equal(opened.name, 'model.minnow');
  assert.equal(opened.fromCache, false);
  assert.equal(opened.verified, false);
  assert.deepEqual(sink.reserved, [FILE.length]);
});

test('a cut connection goes on where it stopped', async (t) => {
  const { url, requests } = await serve(t, fileAnswer(FILE, { etag: '"1"', cutAfter: 100_000 }),
    fileAnswer(FILE, { etag: '"1"' }));
  const sink = new FakeSink();
  const opened = await openModel({ url, integrity: integrityOf(FILE) }, plain, sink);
  assert.equal(opened.verified, true);
  assert.equal(requests[1].headers.range, 'bytes=100000-');
  assert.equal(requests[1].headers['if-range'], '"1"');
  assert.deepEqual(Buffer.from(sink.bytes), FILE);
});
