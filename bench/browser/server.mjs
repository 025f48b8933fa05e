// Minnow - SPDX-License-Identifier: Apache-2.0
// Loopback servers for pages that are tested, measured or shown: files, answers made on the spot, and networks that are
// slow (network.mjs), break off, stall or lie. Every port is an origin of its own. A file FILE.br beside FILE is sent
// in place of it to whom takes brotli.
//
//   const site = await startSite({ isolated: true });
//   site.answer('/page', { type: 'text/html', body: '<!doctype html>' });
//   site.behave('/models/model.minnow', { cutAfter: 100000, times: 1 });
//   ... site.url('/page') ...
//   site.requests         what was asked for: [{method, path, range, status}]
//   await site.close();
//
// A slow network, which all connections of a site share:
//
//   const site = await startSite({ link: rateLimited({ bytesPerSecond: 29.3e6 / 8, latencyMs: 100 }) });
import { createServer } from 'node:http';
import { readFile, stat } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { dirname, extname, join, normalize, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';

export { rateLimited } from './network.mjs';

/** The repository. */
export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** @type {Record<string, string>} */
const TYPES = {
  '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.mjs': 'text/javascript', '.css': 'text/css',
  '.json': 'application/json', '.jsonl': 'text/plain; charset=utf-8', '.txt': 'text/plain; charset=utf-8',
  '.svg': 'image/svg+xml', '.wasm': 'application/wasm', '.map': 'application/json',
};
const COMPRESSED = /^(text\/|application\/(json|wasm|javascript)|image\/svg)/;
/** Sent at once; on a link, also what a byte waits for at most. */
const PIECE_BYTES = 16384;
const ISOLATED = {
  'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp',
  'cross-origin-resource-policy': 'same-origin',
};
const READABLE = {
  'access-control-allow-origin': '*', 'access-control-allow-headers': '*',
  'access-control-expose-headers': 'content-length, content-range, etag',
  'cross-origin-resource-policy': 'cross-origin',
};

/** @typedef {import('./network.mjs').Link} Link */
/**
 * How a path is answered, when not simply with its file.
 * @typedef {object} Behaviour
 * @property {number} [times] the first so many requests only. Default: all
 * @property {number} [status]
 * @property {string} [type] the Content-Type; '': none
 * @property {string | Uint8Array} [body] in place of the file
 * @property {Record<string, string>} [headers]
 * @property {boolean} [ranges] false: requests for a range get all of it. Default true
 * @property {boolean} [length] false: no Content-Length. Default true
 * @property {number} [cutAfter] the connection is broken after so many bytes of the body
 * @property {number} [stallAfter] nothing more comes after so many bytes of the body, and the connection stays
 * @property {Link} [link] in place of the site's
 */

/**
 * @typedef {{body: Uint8Array, type: string, key: string, file: string}} Found key: names this version of the file; '':
 *   no file
 */

/**
 * @typedef {object} SiteOptions
 * @property {Record<string, string>} [folders] what lies where: path prefix -> folder or file; the longest prefix
 *   counts. Default: '/' is the repository
 * @property {boolean} [isolated] sends COOP and COEP, so that pages may share memory
 * @property {boolean} [cors] other origins may read everything
 * @property {boolean} [compress] brotli or gzip for text and WASM, as browsers ask; each file is compressed once,
 *   before it counts
 * @property {Link} [link] the network. Default: as fast as it goes
 * @property {Record<string, string>} [headers] of every answer
 * @property {number} [port] default: any that is free
 */

/**
 * @param {SiteOptions} [options]
 * @returns {Promise<Site>}
 */
export async function startSite(options = {}) {
  const site = new Site(options);
  await site.start();
  return site;
}

export class Site {
  /** @type {Map<string, Behaviour & {left: number}>} */
  #behaviours = new Map();
  /** @type {Map<string, (request: import('node:http').IncomingMessage, body: string) => unknown>} */
  #handlers = new Map();
  /** @type {Map<string, Promise<Buffer>>} by file, time of its change and encoding */
  #compressed = new Map();
  /** @type {Map<string, {key: string, body: Buffer}>} files that have been sent */
  #files = new Map();
  #server;
  #options;

  /** @param {SiteOptions} options */
  constructor(options) {
    this.#options = { folders: { '/': ROOT }, ...options };
    /** @type {{method: string, path: string, range: string | null, status: number}[]} since the last `requests = []` */
    this.requests = [];
    this.port = options.port ?? 0;
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch((error) => {
        if (!response.headersSent) response.writeHead(500, { 'content-type': 'text/plain' });
        response.end(String(error));
      });
    });
  }

  /** Listens, at first or again after `close`, on the same port. */
  async start() {
    await new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.port, '127.0.0.1', () => resolve(undefined));
    });
    this.port = /** @type {import('node:net').AddressInfo} */ (this.#server.address()).port;
  }

  /** Breaks all connections and listens no more. */
  async close() {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  get origin() {
    return `http://localhost:${this.port}`;
  }

  /** @param {string} path @param {string} [host] that the browser was told leads here */
  url(path, host = 'localhost') {
    return `http://${host}:${this.port}${path}`;
  }

  /**
   * From here on the path is answered so; `null`: as a file again.
   * @param {string} path
   * @param {Behaviour | null} behaviour
   */
  behave(path, behaviour) {
    if (behaviour === null) this.#behaviours.delete(path);
    else this.#behaviours.set(path, { ...behaviour, left: behaviour.times ?? Infinity });
  }

  /** @param {string} path @param {Behaviour & {body: string | Uint8Array}} behaviour */
  answer(path, behaviour) {
    this.behave(path, behaviour);
  }

  /**
   * A path that does something: called with each request and its body, it answers with what is returned, as JSON.
   * @param {string} path
   * @param {(request: import('node:http').IncomingMessage, body: string) => unknown} handler
   */
  handle(path, handler) {
    this.#handlers.set(path, handler);
  }

  /**
   * @param {import('node:http').IncomingMessage} request
   * @param {import('node:http').ServerResponse} response
   */
  async #serve(request, response) {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname);
    const range = request.headers.range ?? null;
    const entry = { method: request.method ?? 'GET', path, range, status: 0 };
    this.requests.push(entry);
    response.on('error', () => {});
    const behaviour = this.#behaviourOf(path);
    const link = behaviour.link ?? this.#options.link;
    await link?.arrive();
    const handler = this.#handlers.get(path);
    const found = handler === undefined ? await this.#content(path, behaviour)
      : { body: Buffer.from(JSON.stringify(await handler(request, await textOf(request)) ?? null)),
        type: 'application/json', key: '', file: '' };
    const headers = { ...this.#headers(), ...behaviour.headers };
    if (found === null) {
      entry.status = 404;
      response.writeHead(404, { 'content-type': 'text/plain', ...headers }).end(`no ${path}\n`);
      return;
    }
    const { status, body, more } = await this.#part(request, found, behaviour);
    entry.status = status;
    if (found.type !== '') headers['content-type'] = found.type;
    if (behaviour.length !== false) headers['content-length'] = String(body.length);
    response.writeHead(status, { ...headers, ...more });
    if (request.method === 'HEAD') response.end();
    else await send(response, body, behaviour, link);
  }

  /** @param {string} path @returns {Behaviour} */
  #behaviourOf(path) {
    const behaviour = this.#behaviours.get(path);
    if (behaviour === undefined || behaviour.left <= 0) return {};
    behaviour.left--;
    return behaviour;
  }

  #headers() {
    const { isolated, cors, headers } = this.#options;
    return /** @type {Record<string, string>} */ ({
      'cache-control': 'no-cache', ...headers, ...(isolated && ISOLATED), ...(cors && READABLE),
    });
  }

  /**
   * @param {string} path
   * @param {Behaviour} behaviour
   * @returns {Promise<Found | null>}
   */
  async #content(path, behaviour) {
    const file = fileOf(path, this.#options.folders);
    const type = behaviour.type ?? TYPES[extname(file ?? path)] ?? 'application/octet-stream';
    if (behaviour.body !== undefined) return { body: Buffer.from(behaviour.body), type, key: '', file: '' };
    const found = file === null ? null : await this.#read(file);
    return found === null || file === null ? null : { ...found, type, file };
  }

  /**
   * @param {string} file
   * @returns {Promise<{body: Buffer, key: string} | null>} key: names this version of it
   */
  async #read(file) {
    try {
      const { mtimeMs, size } = await stat(file);
      const key = `${file} ${mtimeMs} ${size}`;
      let found = this.#files.get(file);
      if (found?.key !== key) this.#files.set(file, found = { key, body: await readFile(file) });
      return found;
    } catch {
      return null;
    }
  }

  /**
   * What of a body is sent: a range of it, or all of it compressed, or all of it.
   * @param {import('node:http').IncomingMessage} request
   * @param {Found} found
   * @param {Behaviour} behaviour
   * @returns {Promise<{status: number, body: Uint8Array, more: Record<string, string>}>}
   */
  async #part({ headers }, { body, type, key, file }, behaviour) {
    const status = behaviour.status ?? 200;
    const takesBrotli = headers.range === undefined && /\bbr\b/.test(String(headers['accept-encoding'] ?? ''));
    const coded = takesBrotli && file !== '' ? await this.#read(`${file}.br`) : null;
    if (coded !== null)
      return { status, body: coded.body, more: { 'content-encoding': 'br', vary: 'accept-encoding' } };
    if (this.#options.compress && COMPRESSED.test(type)) {
      const encoding = ['br', 'gzip'].find((name) => (headers['accept-encoding'] ?? '').includes(name));
      if (encoding !== undefined) {
        const more = { 'content-encoding': encoding, vary: 'accept-encoding' };
        return { status, body: await this.#compress(body, key, encoding), more };
      }
    }
    const etag = `"${createHash('sha256').update(key === '' ? body : key).digest('hex').slice(0, 16)}"`;
    const range = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '');
    if (behaviour.ranges === false) return { status, body, more: {} };
    const condition = headers['if-range'];
    if (range === null || status !== 200 || (condition !== undefined && condition !== etag)) {
      return { status, body, more: { etag, 'accept-ranges': 'bytes' } };
    }
    const first = Number(range[1]);
    const last = Math.min(range[2] === '' ? Infinity : Number(range[2]), body.length - 1);
    const more = { etag, 'content-range': `bytes ${first}-${last}/${body.length}` };
    return { status: 206, body: body.subarray(first, last + 1), more };
  }

  /** @param {Uint8Array} body @param {string} key @param {string} encoding */
  #compress(body, key, encoding) {
    const name = `${key} ${encoding}`;
    let result = key === '' ? undefined : this.#compressed.get(name);
    if (result === undefined) {
      // 9 and not 11, which takes seconds for a large file and gains a few percent.
      const params = { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_LGWIN]: 22 };
      result = encoding === 'br' ? promisify(brotliCompress)(body, { params }) : promisify(gzip)(body);
      this.#compressed.set(name, result);
    }
    return result;
  }
}

/**
 * @param {import('node:http').ServerResponse} response
 * @param {Uint8Array} body
 * @param {Behaviour} behaviour
 * @param {Link} [link]
 */
async function send(response, body, { cutAfter = Infinity, stallAfter = Infinity }, link) {
  const stop = Math.min(body.length, cutAfter, stallAfter);
  const piece = link === undefined ? 1 << 20 : PIECE_BYTES;
  for (let at = 0; at < stop && !response.destroyed; at += piece) {
    const part = body.subarray(at, Math.min(at + piece, stop));
    await link?.take(part.length);
    await new Promise((resolve) => response.write(part, resolve));
  }
  if (stop === body.length) response.end();
  else if (cutAfter <= stallAfter) setTimeout(() => response.destroy(), 20); // what was written gets there first
}

/**
 * @param {string} path
 * @param {Record<string, string>} folders
 * @returns {string | null} null: it lies in none of them
 */
function fileOf(path, folders) {
  const prefix = Object.keys(folders).filter((name) => path.startsWith(name)).sort((a, b) => b.length - a.length)[0];
  if (prefix === undefined) return null;
  const rest = path.slice(prefix.length);
  if (rest === '' && !prefix.endsWith('/')) return folders[prefix];
  const folder = normalize(folders[prefix] + sep);
  const file = normalize(join(folder, rest));
  if (!file.startsWith(folder)) return null;
  return file.endsWith(sep) ? join(file, 'index.html') : file;
}

/** @param {import('node:http').IncomingMessage} request */
async function textOf(request) {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk;
  return text;
}
