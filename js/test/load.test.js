// Minnow - SPDX-License-Identifier: Apache-2.0
// openModel against servers and files that go wrong in every way, without a cache.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';

import { Intake } from '../src/load/intake.js';
import { openModel } from '../src/load/model.js';
import { parseIntegrity } from '../src/load/source.js';
import { FakeSink, fileAnswer, integrityOf, modelOf, serve, sha256, withLocation } from './load-server.js';

const FILE = modelOf(300_000);
const OTHER = modelOf(300_000, 2);
/** The same steps as a page's, in a moment. Only the tests of what hangs wait for it no longer than STALL_MS. */
const patience = { retryMs: [2, 2, 2], retryAfterMs: 20 };
const STALL_MS = 300;
const plain = { cache: false, patience };
const model = { integrity: integrityOf(FILE), bytes: FILE.length, name: 'model' };

/** Loads, and checks that what came is FILE. */
async function loadFile(source, options = {}) {
  const sink = new FakeSink();
  const opened = await openModel(source, { ...plain, ...options }, sink);
  assert.deepEqual(Buffer.from(sink.bytes), FILE);
  assert.equal(opened.bytes, FILE.length);
  return { sink, opened };
}

/** Loads, which must fail with a code and a message that matches. */
async function failure(source, code, pattern, options = {}) {
  const sink = new FakeSink();
  await assert.rejects(openModel(source, { ...plain, ...options }, sink), (error) => {
    assert.equal(error.name, 'MinnowError', String(error.stack));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, pattern);
    assert.ok(!error.message.includes('\n'));
    return true;
  });
  return sink;
}

/** Progress events, checked as they come. */
function listening() {
  const events = [];
  const onProgress = (event) => {
    const last = events.at(-1);
    assert.equal(event.phase, 'download');
    if (last !== undefined) assert.ok(event.loaded >= last.loaded, 'never backwards');
    if (event.total !== null) assert.ok(event.loaded <= event.total);
    events.push(event);
  };
  return { events, onProgress };
}

const status = (code, headers = {}, body = '') => (_, response) => response.writeHead(code, headers).end(body);
const hang = () => {};

test('a URL: the bytes, their hash, memory reserved once', async (t) => {
  const { url } = await serve(t, fileAnswer(FILE));
  for (const source of [url, new URL(url)]) {
    const { sink, opened } = await loadFile(source);
    assert.equal(opened.sha256, sha256(FILE));
    assert.equal(opened.name, 'model.minnow');
    assert.equal(opened.fromCache, false);
    assert.equal(opened.verified, false);
    assert.deepEqual(sink.reserved, [FILE.length]);
    assert.equal(sink.hashedEarly, FILE.length);
    assert.deepEqual(await opened.keep(), { stored: false, reason: 'no cache' });
  }
});

test('a package: its hash, size and name; options go before them', async (t) => {
  const { url } = await serve(t, fileAnswer(FILE));
  const { opened } = await loadFile({ ...model, url });
  assert.equal(opened.verified, true);
  assert.equal(opened.name, 'model');
  assert.equal((await loadFile({ ...model, url }, { name: 'mine' })).opened.name, 'mine');
  await failure({ ...model, url }, 'integrity', /expected SHA-256 0{64}/, { integrity: '0'.repeat(64) });
  await failure({ ...model, url }, 'integrity', /expected 299999 bytes, found a model of 300000/, { bytes: 299_999 });
});

test('integrity is read in both its forms', () => {
  const hex = sha256(FILE);
  assert.deepEqual(parseIntegrity(integrityOf(FILE)), [hex]);
  assert.deepEqual(parseIntegrity(hex.toUpperCase()), [hex]);
  assert.deepEqual(parseIntegrity(`sha384-AAAA  ${integrityOf(OTHER)} ${integrityOf(FILE)}?x`), [sha256(OTHER), hex]);
  assert.deepEqual(parseIntegrity(undefined), []);
  assert.throws(() => parseIntegrity('sha256-abc'), { code: 'argument' });
  assert.throws(() => parseIntegrity('sha512-abc'), { code: 'unsupported' });
});

test('bytes that are not those promised', async (t) => {
  const { url } = await serve(t, fileAnswer(OTHER));
  await failure({ ...model, url }, 'integrity',
    new RegExp(`^${url}: expected SHA-256 ${sha256(FILE)}, found ${sha256(OTHER)}$`));
});

test('in a page: bytes that are not those promised are asked for past its own cache, once', async (t) => {
  const { url, origin, requests } = await serve(t, fileAnswer(OTHER), fileAnswer(FILE));
  withLocation(t, origin);
  await loadFile({ ...model, url });
  assert.equal(requests.length, 2);
  assert.match(String(requests[1].headers['cache-control']), /no-cache/);
});

test('what the page has already: buffers, views, a Blob, a Response, paths', async (t) => {
  const { url } = await serve(t, fileAnswer(FILE));
  const whole = new Uint8Array(FILE);
  const padded = new Uint8Array(FILE.length + 7);
  padded.set(FILE, 7);
  const folder = mkdtempSync(join(tmpdir(), 'minnow-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'a model.minnow');
  writeFileSync(path, FILE);
  const sources = [whole.buffer, whole, padded.subarray(7), new DataView(padded.buffer, 7), new Blob([FILE]), path,
    pathToFileURL(path), pathToFileURL(path).href, { url: path }];
  for (const source of sources) {
    const { opened, sink } = await loadFile(source);
    assert.equal(opened.sha256, null);
    assert.equal(sink.digests, 0);
    const checked = await loadFile(source, { integrity: integrityOf(FILE) });
    assert.equal(checked.opened.verified, true);
    await failure(source, 'integrity', /expected SHA-256/, { integrity: integrityOf(OTHER) });
  }
  assert.equal((await loadFile(path)).opened.name, 'a model.minnow');
  await loadFile(await fetch(url));
  await loadFile(await fetch(url), { integrity: integrityOf(FILE) });
  await loadFile(new Response(FILE));
});

test('what cannot be a model', async (t) => {
  const { origin } = await serve(t, status(404, {}, 'no'));
  for (const source of [undefined, null, 7, {}, [], () => {}])
    await failure(source, 'argument', /^model: must be a URL, a Response, an ArrayBuffer, a Blob or/);
  await failure('http://', 'argument', /'http:\/\/' is not a URL/);
  await failure('/no/such/file', 'network', /^\/no\/such\/file: cannot be read \(ENOENT\)$/);
  await failure(tmpdir(), 'network', /cannot be read \(EISDIR\)/);
  await failure(new ArrayBuffer(0), 'format', /^ArrayBuffer: is empty/);
  await failure(new Uint8Array(10), 'format', /^ArrayBuffer: is not a \.minnow model/);
  await failure(FILE.subarray(0, 1000), 'format', /header says 300000 bytes, but 1000 come/);
  await failure(new Response(FILE.subarray(0, 1000)), 'format', /ends after 1000 of 300000 bytes/);
  await failure(new Response(Buffer.concat([FILE, FILE])), 'format', /longer than the 300000 bytes/);
  await failure(await fetch(`${origin}/x`), 'network', /\/x: HTTP 404 Not Found/);
  const broken = () => new ReadableStream({ start: (controller) => controller.error(new TypeError('cable cut')) });
  await failure(new Response(broken()), 'network', /^Response: cannot be read \(cable cut\)$/);
  const blob = Object.assign(new Blob([FILE]), { stream: broken });
  await failure(blob, 'network', /^Blob: cannot be read \(cable cut\)$/);
  const used = new Response(FILE);
  await used.arrayBuffer();
  await failure(used, 'argument', /has been read already/);
  await failure(FILE, 'argument', /^bytes: -1/, { bytes: -1 });
  await failure(FILE, 'argument', /^cache: sometimes is none of/, { cache: 'sometimes' });
  const huge = Buffer.from(FILE);
  huge.writeBigUInt64LE(1n << 50n, 16);
  await failure(huge, 'format', /which no model has here/);
});

test('a page with 200 instead of a model names the URL', async (t) => {
  const page = '<!doctype html><title>Not here</title>';
  const { url, requests } = await serve(t, status(200, { 'content-type': 'text/html; charset=utf-8' }, page),
    status(200, { 'content-type': 'application/octet-stream' }, `\n ${page}`),
    status(200, { 'content-type': 'text/plain' }, 'version https://git-lfs.github.com/spec/v1\noid sha256:00'),
    status(200, { 'content-type': 'text/html' }, ''), status(200, {}, 'hello'),
    fileAnswer(FILE, { headers: { 'content-type': 'text/html' } }));
  await failure(url, 'format', new RegExp(`^${url}: a web page came instead of a model .*<!doctype.*text/html`));
  await failure(url, 'format', /a web page came instead/);
  await failure(url, 'format', /a Git LFS pointer came instead/);
  await failure(url, 'format', /is empty/);
  await failure(url, 'format', /is not a \.minnow model \(begins with "hello"\)/);
  assert.equal(requests.length, 5, 'not asked again');
  await loadFile(url); // a wrong type alone does no harm
});

test('4xx is final; 408, 429 and 5xx are asked again, so often', async (t) => {
  const { url, requests, answer } = await serve(t, status(404));
  await failure(url, 'network', /^http:.*: HTTP 404 Not Found$/);
  assert.equal(requests.length, 1);
  for (const code of [408, 429, 500, 503]) {
    answer(status(code, { 'retry-after': '1' }), fileAnswer(FILE));
    await loadFile(url);
  }
  const before = requests.length;
  answer(status(502));
  await failure(url, 'network', /HTTP 502 Bad Gateway \(4 attempts\)/);
  assert.equal(requests.length - before, 4);
});

test('redirects are followed; no server at all is named', async (t) => {
  const { url, origin, close } = await serve(t, status(302, { location: '/elsewhere' }), fileAnswer(FILE));
  await loadFile(url);
  close();
  await failure(`${origin}/gone`, 'network', /\/gone: the connection failed \(.*ECONNREFUSED.*\) \(4 attempts\)/);
});

test('a cut connection goes on where it stopped', async (t) => {
  const { url, requests } = await serve(t, fileAnswer(FILE, { etag: '"1"', cutAfter: 100_000 }),
    fileAnswer(FILE, { etag: '"1"', cutAfter: 100_000 }), fileAnswer(FILE, { etag: '"1"' }));
  const { events, onProgress } = listening();
  const { sink } = await loadFile({ ...model, url }, { onProgress });
  assert.deepEqual(requests.map(({ headers }) => headers.range), [undefined, 'bytes=100000-', 'bytes=200000-']);
  assert.equal(requests[1].headers['if-range'], '"1"');
  assert.equal(sink.resets, 2); // at the beginning, and at the first answer
  assert.equal(events.at(-1).loaded, FILE.length);
});

test('a file of unknown length: room for it grows in few steps, and never far ahead', () => {
  /** @type {number[]} */
  const rooms = [];
  const intake = new Intake({ reset() {}, reserve: (bytes) => rooms.push(bytes), write() {}, digest: () => '' },
    { label: 'x', bytes: null, anyFormat: true, verifies: false, onBytes() {} });
  const chunk = new Uint8Array(1 << 20);
  intake.begin();
  for (let i = 0; i < 1000; i++) intake.add(chunk);
  assert.ok(rooms.length < 50, String(rooms.length));
  assert.deepEqual(rooms.slice(0, 3), [4 << 20, 8 << 20, 16 << 20]);
  for (let i = 1; i < rooms.length; i++) assert.ok(rooms[i] - rooms[i - 1] <= 32 << 20);
});

test('a cut in the first bytes, byte by byte', async (t) => {
  const cuts = [1, 8, 23].map((cutAfter) => fileAnswer(FILE, { cutAfter, etag: '"1"' }));
  const { url } = await serve(t, ...cuts, fileAnswer(FILE, { etag: '"1"' }));
  await loadFile(url);
  const pieces = new ReadableStream({
    start(controller) {
      for (let at = 0; at < 40; at++) controller.enqueue(new Uint8Array(FILE.subarray(at, at + 1)));
      controller.enqueue(new Uint8Array(FILE.subarray(40)));
      controller.close();
    },
  });
  await loadFile(new Response(pieces));
});

test('a cut connection begins anew where the server has no ranges; progress does not go back', async (t) => {
  const { url } = await serve(t, fileAnswer(FILE, { ranges: false, cutAfter: 200_000 }),
    fileAnswer(FILE, { ranges: false }));
  const { events, onProgress } = listening();
  const { sink } = await loadFile({ ...model, url }, { onProgress });
  assert.equal(sink.resets, 3);
  const { length } = FILE;
  assert.deepEqual(events.at(-1), { phase: 'download', file: url, loaded: length, total: length, fromCache: false });
});

test('it breaks too often: the bytes so far are told', async (t) => {
  const { url, requests } = await serve(t, fileAnswer(FILE, { ranges: false, cutAfter: 100_000 }));
  await failure(url, 'network', /: the connection failed \(.*\) after 100000 of 300000 bytes \(4 attempts\)$/);
  assert.equal(requests.length, 4);
});

test('a long file may break more often than three times, as long as it goes on', async (t) => {
  const file = modelOf(8_000_000);
  const { url, requests } = await serve(t, fileAnswer(file, { cutAfter: 1_100_000, etag: '"1"' }));
  const sink = new FakeSink();
  await openModel({ url, integrity: integrityOf(file) }, plain, sink);
  assert.equal(requests.length, 8);
});

test('another version midway: begun anew, whether by ETag or by Content-Range', async (t) => {
  const { url } = await serve(t, fileAnswer(OTHER, { etag: '"1"', cutAfter: 100_000 }),
    fileAnswer(FILE, { etag: '"2"' }));
  await loadFile(url);
  // A server that has ranges and ignores If-Range.
  const ignoring = (file, etag) => (request, response) => {
    delete request.headers['if-range'];
    return fileAnswer(file, { headers: { etag } })(request, response);
  };
  const second = await serve(t, fileAnswer(OTHER, { etag: '"1"', cutAfter: 100_000 }), ignoring(FILE, '"2"'));
  await loadFile(second.url);
  const longer = modelOf(400_000);
  const third = await serve(t, fileAnswer(longer, { cutAfter: 100_000 }), fileAnswer(FILE));
  await loadFile(third.url);
  const fourth = await serve(t, fileAnswer(longer, { cutAfter: 350_000 }), status(416), fileAnswer(FILE));
  await loadFile(fourth.url);
});

test('two versions glued together are found by the hash, and loaded anew', async (t) => {
  const { url, requests } = await serve(t, fileAnswer(OTHER, { cutAfter: 100_000 }), fileAnswer(FILE));
  await loadFile({ ...model, url });
  assert.deepEqual(requests.map(({ headers }) => headers.range), [undefined, 'bytes=100000-', undefined]);
});

test('of another origin no header is sent that asks for a preflight', async (t) => {
  const { url, requests } = await serve(t, fileAnswer(FILE, { etag: '"1"', cutAfter: 100_000 }),
    fileAnswer(FILE, { etag: '"1"' }));
  withLocation(t, 'http://127.0.0.1:1');
  await loadFile({ ...model, url });
  assert.equal(requests[1].headers.range, 'bytes=100000-');
  assert.equal(requests[1].headers['if-range'], undefined);
});

test('an address relative to the page', async (t) => {
  const { origin, requests } = await serve(t, fileAnswer(FILE));
  withLocation(t, origin);
  await loadFile('models/a.minnow#part');
  assert.equal(requests[0].url, '/models/a.minnow');
});

test('no Content-Length: the first bytes say the total; an end too early is a broken connection', async (t) => {
  const { url } = await serve(t, fileAnswer(FILE, { length: false }));
  const { events, onProgress } = listening();
  await loadFile(url, { onProgress });
  assert.ok(events.every(({ total }) => total === FILE.length));
  const cut = await serve(t, fileAnswer(FILE, { length: false, cutAfter: 100_000, close: true }), fileAnswer(FILE));
  await loadFile(cut.url);
  assert.equal(cut.requests[1].headers.range, 'bytes=100000-');
});

test('encoded answers: Content-Length is not the file\'s', async (t) => {
  const coded = gzipSync(FILE);
  const encoding = { 'content-encoding': 'gzip', 'content-length': String(coded.length) };
  const { url } = await serve(t, (_, response) => response.writeHead(200, encoding).end(coded));
  const { events, onProgress } = listening();
  await loadFile(url, { onProgress });
  assert.ok(events.every(({ total }) => total === FILE.length));
  // What follows a break is asked for by the file's own offset, and is not encoded; where it is, all begins anew.
  const half = (_, response) => response.writeHead(200, encoding).write(coded.subarray(0, 200_000),
    () => setTimeout(() => response.destroy(), 20));
  const other = await serve(t, half, fileAnswer(FILE));
  await loadFile({ ...model, url: other.url });
  const wrong = await serve(t, half, (_, response) => response.writeHead(206, encoding).end(coded),
    (_, response) => response.writeHead(200, encoding).end(coded));
  await loadFile({ ...model, url: wrong.url });
});

test('wrong lengths', async (t) => {
  const { url } = await serve(t, fileAnswer(FILE.subarray(0, 100_000)), fileAnswer(Buffer.concat([FILE, FILE])),
    fileAnswer(Buffer.concat([FILE, FILE]), { length: false }));
  await failure(url, 'format', /its header says 300000 bytes, but 100000 come/);
  await failure(url, 'format', /its header says 300000 bytes, but 600000 come/);
  await failure(url, 'format', /is longer than the 300000 bytes/);
});

test('other formats: any length, known or not', async (t) => {
  const onnx = modelOf(9_000_000).subarray(100);
  const { url } = await serve(t, fileAnswer(onnx), fileAnswer(onnx, { length: false }));
  for (const totals of [[onnx.length], [null, onnx.length]]) {
    const { events, onProgress } = listening();
    const sink = new FakeSink();
    await openModel(url, { ...plain, anyFormat: true, onProgress }, sink);
    assert.equal(sha256(sink.bytes), sha256(onnx));
    assert.equal(events.at(-1).total, onnx.length);
    assert.ok(events.every(({ total }) => totals.includes(total)));
  }
});

test('a stalled connection counts as broken: before the answer, and within it', async (t) => {
  const impatient = { patience: { ...patience, stallMs: STALL_MS } };
  const { url } = await serve(t, hang, fileAnswer(FILE, { hangAfter: 100_000, etag: '"1"' }),
    fileAnswer(FILE, { etag: '"1"' }));
  await loadFile(url, impatient);
  const silent = await serve(t, hang);
  await failure(silent.url, 'network', /: nothing came for 0\.3 s \(4 attempts\)$/, impatient);
});

test('slow is not stalled', async (t) => {
  const { url, requests } = await serve(t, async (_, response) => {
    response.writeHead(200);
    for (let at = 0; at < FILE.length; at += 25_000) {
      response.write(FILE.subarray(at, at + 25_000));
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    response.end();
  });
  const { events, onProgress } = listening();
  await loadFile(url, { onProgress, patience: { ...patience, stallMs: 1000 } });
  assert.equal(requests.length, 1);
  assert.ok(events.length >= 2);
});

test('abort, at each phase, with the signal\'s reason', async (t) => {
  const reason = new Error('enough');
  const aborted = (source, when, options = {}) => {
    const controller = new AbortController();
    const opening = openModel(source, { ...plain, signal: controller.signal, ...options(controller) }, new FakeSink());
    when(controller);
    return assert.rejects(opening, (error) => error === reason);
  };
  const stop = (controller) => controller.abort(reason);
  const none = () => ({});
  const { url, answer } = await serve(t, hang);
  await aborted(url, stop, none);
  await aborted(FILE, stop, none);
  const seen = (request, response) => { setTimeout(() => pending(reason)); hang(request, response); };
  let pending = () => {};
  answer(seen);
  await aborted(url, (controller) => { pending = () => stop(controller); }, none);
  answer(fileAnswer(FILE, { hangAfter: 100_000 }));
  await aborted(url, () => {}, (controller) => ({ onProgress: () => setTimeout(() => stop(controller)) }));
  answer((_, response) => { response.writeHead(503).end(); setTimeout(() => pending(), 20); });
  await aborted(url, (controller) => { pending = () => stop(controller); },
    () => ({ patience: { ...patience, retryMs: [60_000] } }));
  await aborted(new Response(new ReadableStream({})), (controller) => setTimeout(() => stop(controller), 5), none);
  const before = new AbortController();
  before.abort(reason);
  await assert.rejects(openModel(url, { signal: before.signal }, new FakeSink()), (error) => error === reason);
});

test('abort of one load leaves the others alone', async (t) => {
  const { url } = await serve(t, fileAnswer(FILE));
  const controller = new AbortController();
  const one = openModel(url, { ...plain, signal: controller.signal }, new FakeSink());
  const two = loadFile(url);
  controller.abort();
  await assert.rejects(one, { name: 'AbortError' });
  await two;
});

test('errors of the sink and of the listener are given as they are, and nothing is asked again', async (t) => {
  const { url, requests } = await serve(t, fileAnswer(FILE));
  const full = Object.assign(new FakeSink(), { reserve() { throw new RangeError('memory'); } });
  await assert.rejects(openModel(url, plain, full), RangeError);
  const onProgress = () => { throw new EvalError('listener'); };
  await assert.rejects(openModel(url, { ...plain, onProgress }, new FakeSink()), EvalError);
  assert.equal(requests.length, 2);
});
