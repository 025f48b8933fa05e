// Minnow - SPDX-License-Identifier: Apache-2.0
// fetchWasm: right and wrong MIME types, pages instead of modules, errors that name the URL.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';

import { fetchWasm } from '../src/load/wasm.js';
import { serve } from './load-server.js';

const EMPTY = Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
const answer = (code, type, body) => (_, response) => response.writeHead(code, { 'content-type': type }).end(body);

test('of the right type it is an answer to compile while it comes; of another, or from a file, bytes', async (t) => {
  const { origin } = await serve(t, answer(200, 'Application/WASM; x=y', EMPTY),
    answer(200, 'application/octet-stream', EMPTY));
  const response = await fetchWasm(`${origin}/a.wasm`);
  assert.ok(response instanceof Response);
  assert.ok(await WebAssembly.compile(await response.arrayBuffer()));
  const folder = mkdtempSync(join(tmpdir(), 'minnow-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'a.wasm'), EMPTY);
  for (const url of [`${origin}/a.wasm`, pathToFileURL(join(folder, 'a.wasm'))]) {
    const bytes = await fetchWasm(url);
    assert.ok(bytes instanceof Uint8Array);
    assert.ok(await WebAssembly.compile(bytes));
  }
});

test('errors name the URL', async (t) => {
  const { origin, close } =
    await serve(t, answer(200, 'text/html', '<!doctype html>'), answer(200, 'text/plain', 'hello'),
    answer(404, 'text/html', ''), (_, response) => { response.writeHead(200, { 'content-length': '9' }).write('x',
      () => response.destroy()); });
  const url = `${origin}/a.wasm`;
  await assert.rejects(fetchWasm(url),
    { code: 'format', message: new RegExp(`^${url}: a web page came instead of a WASM module \\(text/html\\); `) });
  await assert.rejects(fetchWasm(url),
    { code: 'format', message: new RegExp(`^${url}: is not a WASM module \\(text/plain\\); `) });
  await assert.rejects(fetchWasm(url), { code: 'network', message: new RegExp(`^${url}: HTTP 404 Not Found; `) });
  await assert.rejects(fetchWasm(url), { code: 'network', message: new RegExp(`^${url}: the connection failed`) });
  close();
  await assert.rejects(fetchWasm(url), { code: 'network' });
  await assert.rejects(fetchWasm('file:///no/such.wasm'),
    { code: 'network', message: /no.such\.wasm: cannot be read \(ENOENT\)/ });
});

test('abort, with the signal\'s reason', async (t) => {
  const { url } = await serve(t, () => {});
  const controller = new AbortController();
  const reason = new Error('enough');
  setTimeout(() => controller.abort(reason), 5);
  await assert.rejects(fetchWasm(url, controller.signal), (error) => error === reason);
  await assert.rejects(fetchWasm(url, controller.signal), (error) => error === reason);
});
