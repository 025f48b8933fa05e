// Minnow - SPDX-License-Identifier: Apache-2.0
// What the tests of js/src/load share: a sink outside of WASM, a server on loopback whose answers a test scripts, the
// Cache API in memory.

import { createHash } from 'node:crypto';
import { createServer } from 'node:http';

/** @param {number} bytes @returns {Buffer} the head of a .minnow file, and noise that never changes */
export function modelOf(bytes, seed = 1) {
  const file = Buffer.alloc(bytes);
  let state = seed;
  for (let i = 0; i < bytes; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    file[i] = state >>> 24;
  }
  Buffer.from([0x89, 0x4d, 0x4e, 0x57, 0x0d, 0x0a, 0x1a, 0x0a, 1, 0, 0, 0, 1, 0, 0, 0]).copy(file);
  file.writeBigUInt64LE(BigInt(bytes), 16);
  return file;
}

/** @param {Uint8Array} bytes @param {'hex' | 'base64'} form */
export function sha256(bytes, form = 'hex') {
  return createHash('sha256').update(bytes).digest(form);
}

/** @param {Uint8Array} bytes */
export function integrityOf(bytes) {
  return `sha256-${sha256(bytes, 'base64')}`;
}

/** A sink as openModel wants it, which notes how it is used. */
export class FakeSink {
  constructor() {
    this.memory = new Uint8Array(0);
    this.written = 0;
    this.hashedEarly = 0;
    this.summed = 0;
    /** @type {number[]} */
    this.reserved = [];
    this.resets = 0;
    this.digests = 0;
  }

  reset() {
    this.memory = new Uint8Array(0);
    this.written = 0;
    this.hashedEarly = 0;
    this.summed = 0;
    this.resets += 1;
  }

  /** @param {number} bytes */
  reserve(bytes) {
    this.reserved.push(bytes);
    const memory = new Uint8Array(bytes);
    memory.set(this.memory.subarray(0, this.written));
    this.memory = memory;
  }

  /** @param {Uint8Array} chunk @param {import('../src/load/intake.js').Checks} [checks] */
  write(chunk, { hash = true, sums = false } = {}) {
    if (this.written + chunk.length > this.memory.length) throw new RangeError('more than reserved');
    this.memory.set(chunk, this.written);
    this.written += chunk.length;
    if (hash) this.hashedEarly += chunk.length;
    if (sums) this.summed += chunk.length;
  }

  digest() {
    this.digests += 1;
    return sha256(this.bytes);
  }

  /** @param {number} offset @param {number} length */
  read(offset, length) {
    return this.bytes.slice(offset, offset + length);
  }

  get bytes() {
    return this.memory.subarray(0, this.written);
  }
}

/**
 * A server whose n-th request is answered by the n-th handler, further ones by the last.
 * @param {import('node:test').TestContext} t
 * @param {...import('node:http').RequestListener} handlers
 */
export async function serve(t, ...handlers) {
  /** @type {import('node:http').IncomingMessage[]} */
  const requests = [];
  const server = createServer((request, response) => {
    requests.push(request);
    response.on('error', () => {});
    handlers[Math.min(requests.length, handlers.length) - 1](request, response);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  return { url: `http://127.0.0.1:${port}/model.minnow`, origin: `http://127.0.0.1:${port}`, requests,
    /** @param {...typeof handlers[0]} more answers from the next request on */
    answer(...more) {
      handlers = [...Array(requests.length).fill(more[0]), ...more];
    },
    close() {
      server.closeAllConnections();
      server.close();
    } };
}

/**
 * An answer as a static host gives it.
 * @param {Uint8Array} file
 * @param {object} [options]
 * @param {string} [options.etag]
 * @param {boolean} [options.ranges] false: a Range is ignored
 * @param {boolean} [options.length] false: no Content-Length
 * @param {number} [options.cutAfter] the connection breaks after so many bytes of this answer
 * @param {boolean} [options.close] true: it is ended instead, as if nothing more came
 * @param {number} [options.hangAfter] nothing more comes after so many bytes
 * @param {Record<string, string>} [options.headers]
 * @param {number} [options.pieceBytes]
 */
export function fileAnswer(file, { etag, ranges = true, length = true, cutAfter, close = false, hangAfter, headers = {},
  pieceBytes = 1 << 16 } = {}) {
  /** @param {import('node:http').IncomingMessage} request @param {import('node:http').ServerResponse} response */
  return async (request, response) => {
    if (etag !== undefined && request.headers['if-none-match'] === etag) {
      response.writeHead(304, { etag }).end();
      return;
    }
    const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
    const condition = request.headers['if-range'];
    const partial = ranges && range !== null && (condition === undefined || condition === etag);
    const from = partial ? Number(range[1]) : 0;
    const body = file.subarray(from);
    response.writeHead(partial ? 206 : 200, { 'content-type': 'application/octet-stream', ...(etag && { etag }),
      ...(length && { 'content-length': String(body.length) }),
      ...(partial && { 'content-range': `bytes ${from}-${file.length - 1}/${file.length}` }), ...headers });
    const stop = Math.min(cutAfter ?? Infinity, hangAfter ?? Infinity, body.length);
    for (let at = 0; at < stop; at += pieceBytes)
      await new Promise((resolve) => response.write(body.subarray(at, Math.min(at + pieceBytes, stop)), resolve));
    if (hangAfter !== undefined) return;
    if (cutAfter === undefined || close) response.end();
    else setTimeout(() => response.destroy(), 20); // so that what was written gets there
  };
}

/** The Cache API, as much of it as is used, over a Map that outlives "reloads". */
export class FakeCaches {
  constructor() {
    /** @type {Map<string, Map<string, {headers: [string, string][], body: Uint8Array}>>} */
    this.stores = new Map();
    /** @type {(key: string) => void} a test may throw here */
    this.beforePut = () => {};
  }

  /** @param {string} name */
  async open(name) {
    if (!this.stores.has(name)) this.stores.set(name, new Map());
    const store = /** @type {Map<string, {headers: [string, string][], body: Uint8Array}>} */ (this.stores.get(name));
    return {
      match: async (/** @type {string} */ key) => {
        const entry = store.get(key);
        return entry && new Response(entry.body.slice(), { headers: entry.headers });
      },
      put: async (/** @type {string} */ key, /** @type {Response} */ response) => {
        this.beforePut(key);
        const body = new Uint8Array(await response.arrayBuffer());
        store.set(key, { headers: [...response.headers], body });
      },
      delete: async (/** @type {string} */ key) => store.delete(key),
      keys: async () => [...store.keys()].map((url) => ({ url })),
    };
  }

  /** @param {string} [name] */
  keys(name = 'minnow-v1') {
    return [...(this.stores.get(name) ?? new Map()).keys()].map((key) => decodeURIComponent(new URL(key).pathname));
  }
}

/**
 * Makes `caches` there for a test.
 * @param {import('node:test').TestContext} t
 */
export function withCaches(t) {
  const caches = new FakeCaches();
  Object.defineProperty(globalThis, 'caches', { value: caches, configurable: true });
  t.after(() => { delete /** @type {any} */ (globalThis).caches; });
  return caches;
}

/**
 * Makes it a page of some origin for a test.
 * @param {import('node:test').TestContext} t
 * @param {string} origin
 */
export function withLocation(t, origin) {
  Object.defineProperty(globalThis, 'location', { value: { origin, href: `${origin}/` }, configurable: true });
  t.after(() => { delete /** @type {any} */ (globalThis).location; });
}
