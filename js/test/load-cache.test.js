// Minnow - SPDX-License-Identifier: Apache-2.0
// What openModel keeps, finds again and gives up: the same tests over the Cache API and over a folder.

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, utimesSync,
  writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { openModel } from '../src/load/model.js';
import { FakeSink, fileAnswer, integrityOf, modelOf, serve, sha256, withCaches } from './load-server.js';

const FILE = modelOf(300_000);
const OTHER = modelOf(300_000, 2);
const integrity = integrityOf(FILE);
const patience = { retryMs: [2] };

/** The two kinds of cache, and what tests do to them behind their back. */
const KINDS = {
  caches(t) {
    const caches = withCaches(t);
    const entry = (hash) => caches.stores.get('minnow-v1').get(`https://minnow-embed.invalid/sha256/${hash}`);
    return {
      option: {},
      models: () => caches.keys().filter((key) => key.startsWith('/sha256/')).map((key) => key.slice(8)),
      cut(hash) { entry(hash).body = entry(hash).body.subarray(0, 1000); },
      scribble(hash) { entry(hash).body[200_000] ^= 1; },
      nonsense() {
        for (const [key, each] of caches.stores.get('minnow-v1'))
          if (key.includes('/url/')) each.body = Buffer.from('{"a":');
      },
      fill() {
        caches.beforePut = (key) => {
          if (key.includes('sha256')) throw new DOMException('full', 'QuotaExceededError');
        };
      },
    };
  },
  folder(t) {
    const parent = mkdtempSync(join(tmpdir(), 'minnow-'));
    const folder = join(parent, 'deep', 'cache');
    t.after(() => rmSync(parent, { recursive: true }));
    const names = () => (existsSync(folder) ? readdirSync(folder) : []);
    const path = (hash) => join(folder, `${hash}.minnow`);
    return {
      option: { folder },
      folder,
      models: () => names().filter((name) => name.endsWith('.minnow')).map((name) => name.slice(0, -7)),
      cut(hash) { truncateSync(path(hash), 1000); },
      scribble(hash) {
        const bytes = readFileSync(path(hash));
        bytes[200_000] ^= 1;
        writeFileSync(path(hash), bytes);
      },
      nonsense() {
        for (const name of names()) if (name.startsWith('url-')) writeFileSync(join(folder, name), '{"a":');
      },
      fill() { rmSync(parent, { recursive: true, force: true }); writeFileSync(parent, ''); },
    };
  },
};

/** @param {string} what @param {(t: any, kind: any, open: any) => Promise<void>} run */
function eachKind(what, run) {
  for (const [name, make] of Object.entries(KINDS)) {
    test(`${name}: ${what}`, async (t) => {
      const kind = make(t);
      /** Loads, keeps, and gives both. */
      const open = async (source, options = {}, sink = new FakeSink()) => {
        const { cache, ...rest } = options;
        const mode = typeof cache === 'string' ? { mode: cache } : {};
        const where = cache === false ? false : { ...kind.option, ...mode };
        const opened = await openModel(source, { patience, ...rest, cache: where }, sink);
        const kept = await opened.keep();
        return { ...opened, kept, sink };
      };
      await run(t, kind, open);
    });
  }
}

eachKind('loaded once, then offline; not hashed again', async (t, kind, open) => {
  const { url, requests, close } = await serve(t, fileAnswer(FILE));
  for (const source of [url, { url, integrity, bytes: FILE.length, name: 'model' }]) {
    const first = await open(source);
    assert.equal(first.fromCache, source !== url); // found by its hash, though it was kept without integrity
  }
  assert.equal(requests.length, 1);
  close();
  const events = [];
  for (const source of [url, { url, integrity }]) {
    const { sink, ...opened } = await open(source, { onProgress: (event) => events.push(event) });
    assert.equal(opened.fromCache, true);
    assert.equal(opened.verified, false);
    assert.equal(opened.sha256, sha256(FILE));
    assert.deepEqual(Buffer.from(sink.bytes), FILE);
    assert.equal(sink.hashedEarly + sink.digests, 0);
    assert.deepEqual(sink.reserved, [FILE.length]);
  }
  assert.ok(events.every((event) => event.fromCache && event.total === FILE.length));
  const { sink, ...checked } = await open({ url, integrity }, { cache: 'verify' });
  assert.equal(checked.verified, true);
  assert.equal(sink.digests, 1);
});

eachKind('cache: false neither reads nor writes', async (t, kind, open) => {
  const { url, requests } = await serve(t, fileAnswer(FILE));
  assert.deepEqual((await open(url, { cache: false })).kept, { stored: false, reason: 'no cache' });
  assert.deepEqual(kind.models(), []);
  await open(url);
  await open(url, { cache: false });
  assert.equal(requests.length, 3);
});

eachKind('nothing is kept that is not what integrity says', async (t, kind, open) => {
  const { url } = await serve(t, fileAnswer(OTHER));
  await assert.rejects(open({ url, integrity }), { code: 'integrity' });
  assert.deepEqual(kind.models(), []);
});

eachKind('damaged entries are loaded anew', async (t, kind, open) => {
  const { url, requests } = await serve(t, fileAnswer(FILE));
  await open({ url, integrity });
  kind.cut(sha256(FILE));
  const healed = await open({ url, integrity });
  assert.equal(healed.fromCache, false);
  assert.deepEqual(Buffer.from(healed.sink.bytes), FILE);
  assert.equal(healed.kept.stored, true);
  assert.equal((await open({ url, integrity })).fromCache, true);
  kind.nonsense();
  assert.equal((await open(url)).fromCache, false);
  assert.equal((await open(url)).fromCache, true);
  assert.equal(requests.length, 3);
});

eachKind('a flipped bit: found by verify, or by the engine, which lets forget', async (t, kind, open) => {
  const { url, requests } = await serve(t, fileAnswer(FILE));
  await open({ url, integrity });
  kind.scribble(sha256(FILE));
  const unnoticed = await open({ url, integrity });
  assert.equal(unnoticed.fromCache, true);
  assert.equal(unnoticed.verified, false);
  await unnoticed.forget();
  assert.equal((await open({ url, integrity })).fromCache, false);
  kind.scribble(sha256(FILE));
  assert.equal((await open(url, { cache: 'verify' })).fromCache, false);
  assert.equal((await open(url, { cache: 'verify' })).fromCache, true);
  assert.equal(requests.length, 3);
});

eachKind('another version takes the place of the one before', async (t, kind, open) => {
  const { url, origin, answer } = await serve(t, fileAnswer(FILE));
  await open({ url, integrity, name: 'model' });
  await open({ url: `${origin}/second`, integrity });
  answer(fileAnswer(OTHER));
  const next = { url: `${origin}/v2.minnow`, integrity: integrityOf(OTHER), name: 'model' };
  assert.equal((await open(next)).fromCache, false);
  assert.deepEqual(kind.models(), [sha256(OTHER)]); // of that name
  answer(fileAnswer(FILE));
  assert.equal((await open({ ...next, integrity, name: 'b' })).fromCache, false);
  assert.deepEqual(kind.models(), [sha256(FILE)]); // of that URL
  answer(fileAnswer(OTHER));
  await open({ url: `${origin}/third`, name: 'c' });
  assert.equal(kind.models().length, 2); // another name, another URL
});

eachKind('revalidate: asks, takes what changed, does without an answer', async (t, kind, open) => {
  const { url, requests, answer, close } = await serve(t, fileAnswer(FILE, { etag: '"1"' }));
  const revalidate = { cache: 'revalidate' };
  await open(url);
  assert.equal((await open(url, revalidate)).fromCache, true);
  assert.equal(requests[1].headers['if-none-match'], '"1"');
  answer((_, response) => response.writeHead(200, { etag: '"1"', 'content-length': '300000' }).write('x'));
  assert.equal((await open(url, revalidate)).fromCache, true); // a server that ignores the question
  answer(fileAnswer(OTHER, { etag: '"2"' }));
  assert.equal((await open(url)).sha256, sha256(FILE));
  assert.equal((await open(url, revalidate)).sha256, sha256(OTHER));
  assert.equal((await open(url)).sha256, sha256(OTHER));
  assert.deepEqual(kind.models(), [sha256(OTHER)]);
  answer((_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Please log in</h1>'));
  assert.equal((await open(url, revalidate)).fromCache, true);
  answer(fileAnswer(FILE, { etag: '"3"', cutAfter: 1000, ranges: false }));
  const broken = await open(url, revalidate);
  assert.deepEqual(Buffer.from(broken.sink.bytes), OTHER);
  close();
  assert.equal((await open(url, revalidate)).fromCache, true);
  kind.cut(sha256(OTHER));
  await assert.rejects(open(url, revalidate), { code: 'network' });
});

eachKind('with integrity the server need not be asked', async (t, kind, open) => {
  const { url, requests } = await serve(t, fileAnswer(FILE));
  await open({ url, integrity });
  assert.equal((await open({ url, integrity }, { cache: 'revalidate' })).fromCache, true);
  assert.equal(requests.length, 1);
});

eachKind('a full disk is not fatal', async (t, kind, open) => {
  const { url } = await serve(t, fileAnswer(FILE));
  kind.fill();
  const { kept, sink } = await open(url);
  assert.equal(kept.stored, false);
  assert.match(kept.reason, /QuotaExceeded|ENOTDIR|EEXIST/);
  assert.deepEqual(Buffer.from(sink.bytes), FILE);
  assert.equal((await open(url)).fromCache, false);
});

eachKind('memory that was given back while it was being kept leaves nothing', async (t, kind, open) => {
  const file = modelOf(3_000_000);
  const { url } = await serve(t, fileAnswer(file));
  const sink = new FakeSink();
  let reads = 0;
  sink.read = (offset, length) => {
    reads += 1;
    if (reads === 2) throw new Error('closed');
    return sink.bytes.slice(offset, offset + length);
  };
  const { kept } = await open(url, {}, sink);
  assert.deepEqual(kept, { stored: false, reason: 'Error: closed' });
  assert.deepEqual(kind.models(), []);
  if (kind.folder) assert.deepEqual(readdirSync(kind.folder), []);
});

eachKind('two at once', async (t, kind, open) => {
  const { url, origin, answer } = await serve(t, fileAnswer(FILE));
  const all = await Promise.all([open({ url, integrity }), open({ url, integrity }), open(url)]);
  for (const { sink } of all) assert.deepEqual(Buffer.from(sink.bytes), FILE);
  assert.equal((await open(url)).fromCache, true);
  answer(fileAnswer(OTHER));
  const name = 'model';
  const sources = [{ url, integrity, name }, { url: `${origin}/b`, integrity: integrityOf(OTHER), name }];
  await Promise.allSettled(sources.map((source) => open(source)));
  for (const source of sources) {
    answer(fileAnswer(source.url === url ? FILE : OTHER));
    assert.equal(sha256((await open(source)).sink.bytes), sha256(source.url === url ? FILE : OTHER));
  }
});

eachKind('abort while it is read from the cache', async (t, kind, open) => {
  const { url, requests } = await serve(t, fileAnswer(FILE));
  await open(url);
  const controller = new AbortController();
  const reason = new Error('enough');
  const onProgress = () => controller.abort(reason);
  const sink = new FakeSink();
  await assert.rejects(open(url, { signal: controller.signal, onProgress }, sink), (error) => error === reason);
  assert.equal((await open(url)).fromCache, true); // it was not taken for damaged
  assert.equal(requests.length, 1);
});

test('caches that cannot be opened, or fail, are as good as none', async (t) => {
  const { url, requests } = await serve(t, fileAnswer(FILE));
  const caches = withCaches(t);
  caches.open = async () => { throw new DOMException('sandboxed', 'SecurityError'); };
  assert.equal((await (await openModel(url, {}, new FakeSink())).keep()).stored, false);
  caches.open = async () => ({ match: async () => { throw new Error('broken'); } });
  assert.equal((await (await openModel(url, {}, new FakeSink())).keep()).stored, false);
  assert.equal(requests.length, 2);
});

test('persist is asked for only if the page says so; a sink that cannot be read keeps nothing', async (t) => {
  const { url } = await serve(t, fileAnswer(FILE));
  withCaches(t);
  let asked = 0;
  const storage = { persist: async () => { asked += 1; } };
  const navigator = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  Object.defineProperty(globalThis, 'navigator', { value: { storage }, configurable: true });
  t.after(() => {
    delete globalThis.navigator;
    if (navigator !== undefined) Object.defineProperty(globalThis, 'navigator', navigator);
  });
  const mute = Object.assign(new FakeSink(), { read: undefined });
  assert.equal((await (await openModel(url, {}, mute)).keep()).stored, false);
  assert.equal((await (await openModel(url, { cache: { name: 'mine' } }, new FakeSink())).keep()).stored, true);
  assert.equal(asked, 0);
  assert.equal((await (await openModel(url, { cache: { persist: true } }, new FakeSink())).keep()).stored, true);
  assert.equal(asked, 1);
});

test('a folder: half-written files that nobody writes any more go', async (t) => {
  const { url, origin } = await serve(t, fileAnswer(FILE));
  const folder = mkdtempSync(join(tmpdir(), 'minnow-'));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const name of ['old.part', 'young.part', 'notes.txt']) writeFileSync(join(folder, name), '');
  utimesSync(join(folder, 'old.part'), 1, 1);
  await (await openModel(url, { cache: { folder } }, new FakeSink())).keep();
  await (await openModel(`${origin}/b`, { cache: { folder } }, new FakeSink())).keep();
  const names = readdirSync(folder).filter((name) => !name.startsWith('url-'));
  assert.deepEqual(names.sort(), [`${sha256(FILE)}.minnow`, 'notes.txt', 'young.part'].sort());
});

test('the folder follows XDG_CACHE_HOME', async (t) => {
  const { url } = await serve(t, fileAnswer(FILE));
  const home = mkdtempSync(join(tmpdir(), 'minnow-'));
  const before = process.env.XDG_CACHE_HOME;
  process.env.XDG_CACHE_HOME = home;
  t.after(() => {
    if (before === undefined) delete process.env.XDG_CACHE_HOME;
    else process.env.XDG_CACHE_HOME = before;
    rmSync(home, { recursive: true });
  });
  await (await openModel(url, {}, new FakeSink())).keep();
  assert.ok(process.platform === 'win32' || existsSync(join(home, 'minnow-embed', `${sha256(FILE)}.minnow`)));
});
