// Minnow - SPDX-License-Identifier: Apache-2.0
// What only Node can do: read a model from its path, and keep models in a folder.

import { MinnowError } from '../errors.js';
import { nodeModule } from '../platform.js';
import { PIECE_BYTES } from './streams.js';

/** @typedef {import('./cache.js').Shelf} Shelf */

/** Milliseconds after which a file that is still half written is taken for one that nobody writes any more. */
const ABANDONED_MS = 3600000;

/** Node's modules, untyped: their types are of no use in a browser's. @param {string} name @returns {any} */
function builtin(name) {
  return /** @type {any} */ (nodeModule)(name);
}

/** @param {URL} url of a file @returns {string} */
export function pathOf(url) {
  return builtin('node:url').fileURLToPath(url);
}

/**
 * @param {string} path of a file
 * @returns {Promise<import('./cache.js').Content>} it is opened when the first chunk is asked for
 */
export async function readPath(path) {
  try {
    const { size } = await builtin('node:fs').promises.stat(path);
    return { bytes: size, chunks: piecesOf(path) };
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/**
 * @param {string} path
 * @returns {AsyncGenerator<Uint8Array>} pieces, each valid until the next is asked for
 */
async function* piecesOf(path) {
  const piece = new Uint8Array(PIECE_BYTES);
  let file;
  try {
    file = await builtin('node:fs').promises.open(path, 'r');
    for (;;) {
      const { bytesRead } = await file.read(piece, 0, PIECE_BYTES, null);
      if (bytesRead === 0) return;
      yield piece.subarray(0, bytesRead);
    }
  } catch (cause) {
    throw unreadable(path, cause);
  } finally {
    await file?.close();
  }
}

/** @param {string} path @param {unknown} cause */
function unreadable(path, cause) {
  const why = /** @type {{code?: string}} */ (cause)?.code ?? String(cause);
  return new MinnowError('network', `${path}: cannot be read (${why})`, { cause });
}

/** @returns {string} the folder where models are kept if nothing else is said */
function defaultFolder() {
  const { env, platform } = /** @type {any} */ (globalThis).process;
  const { join } = builtin('node:path');
  const home = builtin('node:os').homedir();
  if (platform === 'win32') return join(env.LOCALAPPDATA || join(home, 'AppData', 'Local'), 'minnow-embed', 'cache');
  return join(env.XDG_CACHE_HOME || join(home, '.cache'), 'minnow-embed');
}

/**
 * Models in a folder: HASH.minnow is a model, url-HASH.json what is known of a URL. Files appear whole or not at all:
 * they are written beside and renamed, so that processes do not disturb each other.
 * @implements {Shelf}
 */
export class FolderShelf {
  /** @param {string} [folder] */
  constructor(folder) {
    this.fs = builtin('node:fs').promises;
    this.path = builtin('node:path');
    this.folder = folder ?? defaultFolder();
  }

  /** @param {string} hash */
  async content(hash) {
    try {
      return await readPath(this.#contentPath(hash));
    } catch {
      return null;
    }
  }

  /** @param {string} hash @param {number} _bytes @param {AsyncGenerator<Uint8Array>} chunks */
  async putContent(hash, _bytes, chunks) {
    await this.#write(this.#contentPath(hash), chunks);
  }

  /** @param {string} hash */
  async removeContent(hash) {
    await this.fs.rm(this.#contentPath(hash), { force: true });
  }

  async hashes() {
    await this.#sweep();
    return (await this.#list()).map((name) => /^([0-9a-f]{64})\.minnow$/.exec(name)?.[1] ?? '').filter(Boolean);
  }

  /** @param {string} url */
  async record(url) {
    return this.#readRecord(this.#recordPath(url));
  }

  /**
   * @param {import('./cache.js').Record} record
   */
  async putRecord(record) {
    await this.#write(this.#recordPath(record.url), [new TextEncoder().encode(JSON.stringify(record))]);
  }

  /** @param {string} url */
  async removeRecord(url) {
    await this.fs.rm(this.#recordPath(url), { force: true });
  }

  async records() {
    const names = (await this.#list()).filter((name) => /^url-[0-9a-f]{64}\.json$/.test(name));
    return Promise.all(names.map((name) => this.#readRecord(this.path.join(this.folder, name))));
  }

  /** Removes what processes left that were killed while they wrote. */
  async #sweep() {
    for (const name of (await this.#list()).filter((each) => each.endsWith('.part'))) {
      const path = this.path.join(this.folder, name);
      const { mtimeMs } = await this.fs.stat(path).catch(() => ({ mtimeMs: Infinity }));
      if (mtimeMs < Date.now() - ABANDONED_MS) await this.fs.rm(path, { force: true });
    }
  }

  /** @returns {Promise<string[]>} */
  async #list() {
    try {
      return await this.fs.readdir(this.folder);
    } catch {
      return [];
    }
  }

  /** @param {string} path */
  async #readRecord(path) {
    try {
      return JSON.parse(await this.fs.readFile(path, 'utf8'));
    } catch {
      return null;
    }
  }

  /**
   * @param {string} path
   * @param {AsyncIterable<Uint8Array> | Iterable<Uint8Array>} chunks
   */
  async #write(path, chunks) {
    await this.fs.mkdir(this.folder, { recursive: true });
    const beside = `${path}.${builtin('node:crypto').randomUUID()}.part`;
    const file = await this.fs.open(beside, 'wx');
    try {
      try {
        for await (const chunk of chunks) await file.writeFile(chunk);
      } finally {
        await file.close();
      }
      await this.fs.rename(beside, path);
    } catch (error) {
      await this.fs.rm(beside, { force: true });
      throw error;
    }
  }

  /** @param {string} hash */
  #contentPath(hash) {
    return this.path.join(this.folder, `${hash}.minnow`);
  }

  /** @param {string} url */
  #recordPath(url) {
    const hash = builtin('node:crypto').createHash('sha256').update(url).digest('hex');
    return this.path.join(this.folder, `url-${hash}.json`);
  }
}
