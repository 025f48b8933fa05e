// Minnow - SPDX-License-Identifier: Apache-2.0
//
// A small file server on loopback, for pages that are measured or shown. In: folders by the path they are served under.
// Out: files with the headers that a page needs. A file FILE.br beside FILE is sent instead of it to whom takes brotli.
//
// A line to the world can be imitated: `rate` bytes a second, shared by all connections, each piece of a body waiting
// for its turn; and `latencyMs` before each answer's first byte.

import { createServer } from 'node:http';
import { createReadStream, promises as fs } from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';

const PIECE = 16384; // bytes sent at a time
const BURST_MS = 20; // of the line that may be made up for: timers oversleep

const TYPES = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
};

/** What makes a page cross-origin isolated, without which it has neither threads nor a measure of its memory. */
const ISOLATED = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
};

/**
 * The line's free time: a piece is on its way from then on, so pieces go out in the order in which they asked, one
 * of each connection in turn.
 */
class Line {
  /** @param {number} rate bytes a second */
  constructor(rate) {
    this.rate = rate;
    this.free = 0;
  }

  /** Waits until `bytes` more have gone out. */
  async send(bytes) {
    const now = performance.now();
    this.free = Math.max(this.free, now - BURST_MS) + (bytes / this.rate) * 1000;
    if (this.free > now) await sleep(this.free - now);
  }
}

/** The file for a request's path, or null. Folders give their index.html. */
async function find(folders, pathname) {
  for (const [prefix, folder] of folders) {
    if (!pathname.startsWith(prefix)) continue;
    const root = path.resolve(folder);
    let file = path.join(root, pathname.slice(prefix.length));
    if (file !== root && !file.startsWith(root + path.sep)) continue;
    try {
      if ((await fs.stat(file)).isDirectory()) file = path.join(file, 'index.html');
      return { file, bytes: (await fs.stat(file)).size };
    } catch {
      continue;
    }
  }
  return null;
}

async function withBrotli(found, request) {
  if (!/\bbr\b/.test(String(request.headers['accept-encoding'] ?? ''))) return found;
  try {
    return { file: found.file + '.br', bytes: (await fs.stat(found.file + '.br')).size };
  } catch {
    return found;
  }
}

/** First and last byte of a `Range: bytes=a-b` that can be answered, or null. */
function rangeOf(header, bytes) {
  const match = /^bytes=(\d+)-(\d*)$/.exec(header ?? '');
  if (!match) return null;
  const first = Number(match[1]);
  const last = match[2] === '' ? bytes - 1 : Math.min(Number(match[2]), bytes - 1);
  return first <= last ? { first, last } : null;
}

async function answer(request, response, options, line) {
  const pathname = decodeURIComponent(new URL(request.url, 'http://localhost').pathname);
  if (options.latencyMs) await sleep(options.latencyMs);
  const found = await find(options.folders, pathname);
  const headers = { 'Cache-Control': options.cacheControl ?? 'no-cache', ...(options.isolated ? ISOLATED : {}) };
  if (!found || (request.method !== 'GET' && request.method !== 'HEAD')) {
    response.writeHead(found ? 405 : 404, { ...headers, 'Content-Type': 'text/plain; charset=utf-8' });
    response.end(`${pathname}: ${found ? 'only GET is answered' : 'no such file'}\n`);
    return;
  }
  const range = rangeOf(request.headers.range, found.bytes);
  const sent = range ? found : await withBrotli(found, request);
  const { first, last } = range ?? { first: 0, last: sent.bytes - 1 };
  headers['Content-Type'] = TYPES[path.extname(found.file)] ?? 'application/octet-stream';
  headers['Content-Length'] = String(last - first + 1);
  headers['Accept-Ranges'] = 'bytes';
  headers.Vary = 'Accept-Encoding';
  if (sent !== found) headers['Content-Encoding'] = 'br';
  if (range) headers['Content-Range'] = `bytes ${first}-${last}/${found.bytes}`;
  response.writeHead(range ? 206 : 200, headers);
  if (request.method === 'HEAD' || last < first) {
    response.end();
    return;
  }
  const pieces = createReadStream(sent.file, { start: first, end: last, highWaterMark: PIECE });
  await pipeline(pieces, async function* paced(source) {
    for await (const piece of source) {
      if (line) await line.send(piece.length);
      yield piece;
    }
  }, response);
}

/**
 * Starts a server.
 *
 * @param {{folders: [string, string][], port?: number, isolated?: boolean, rate?: number, latencyMs?: number,
 *          cacheControl?: string}} options folders: path prefix and folder, the first that has the file answers; rate in
 *     bytes a second
 * @returns {Promise<{url: string, close: () => Promise<void>}>} url ends in a slash
 */
export async function serve(options) {
  const line = options.rate ? new Line(options.rate) : null;
  const server = createServer((request, response) => {
    answer(request, response, options, line).catch((error) => {
      if (response.destroyed) return; // the page went away
      if (!response.headersSent) response.writeHead(500, { 'Content-Type': 'text/plain; charset=utf-8' });
      response.end(`${error.message}\n`);
    });
  });
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', () => resolve(undefined));
  });
  const address = /** @type {import('node:net').AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${address.port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
