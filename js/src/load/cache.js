// Minnow - SPDX-License-Identifier: Apache-2.0
// Models that are kept: under the SHA-256 of their bytes, and for each URL a record that says which it was. In
// browsers they lie in the Cache API, in Node in a folder (node.js), elsewhere nowhere. Nothing here is fatal: a cache
// that fails is a cache without the model.
//
// Pages that load at once do not disturb each other: a model is one entry that appears when it is whole, a record is
// written before its model, and a record without a model, or a model that is not what its record says, counts as not
// there.

import { isNode } from '../platform.js';
import { FolderShelf } from './node.js';
import { refilledChunksOf, streamOf } from './streams.js';

/**
 * What is known of a URL's file.
 * @typedef {object} Record
 * @property {string} url
 * @property {string} sha256 of its bytes, hexadecimal
 * @property {number} bytes
 * @property {string} name the model's
 * @property {boolean} named true if the page gave that name: it then stands for one model, at whatever URL
 * @property {string | null} etag
 * @property {string | null} lastModified
 */

/**
 * @typedef {object} Content
 * @property {number} bytes
 * @property {import('./streams.js').Chunks} chunks
 * @property {boolean} [lasting] true: a chunk stays what it is until it is given back
 */

/**
 * Where models and records lie. Any of these may throw.
 * @typedef {object} Shelf
 * @property {(hash: string) => Promise<Content | null>} content
 * @property {(hash: string, bytes: number, chunks: AsyncGenerator<Uint8Array>) => Promise<void>} putContent
 * @property {(hash: string) => Promise<void>} removeContent
 * @property {() => Promise<string[]>} hashes
 * @property {(url: string) => Promise<Record | null>} record
 * @property {(record: Record) => Promise<void>} putRecord
 * @property {(url: string) => Promise<void>} removeRecord
 * @property {() => Promise<(Record | null)[]>} records
 */

/** Changes when entries' meaning does. */
const CACHE_NAME = 'minnow-v1';
/** Keys of entries must be http(s) URLs. No host has a name that ends so, and none is asked. */
const KEYS = 'https://minnow-embed.invalid/';

/**
 * @param {{name?: string, folder?: string}} options
 * @returns {Promise<Store | null>} null: nothing can be kept here
 */
export async function openStore({ name = CACHE_NAME, folder }) {
  try {
    const caches = /** @type {any} */ (globalThis).caches; // not there on plain http; refused in sandboxed frames
    if (caches !== undefined && folder === undefined) return new Store(new CacheShelf(await caches.open(name)));
    if (isNode()) return new Store(new FolderShelf(folder));
  } catch {
    // As good as none.
  }
  return null;
}

export class Store {
  /** @param {Shelf} shelf */
  constructor(shelf) {
    this.shelf = shelf;
  }

  /**
   * @param {string} url
   * @param {string[]} hashes any of which the file may have; none: the one that the URL had last
   * @returns {Promise<{record: Record, content: Content} | null>}
   */
  async find(url, hashes) {
    try {
      const record = await this.shelf.record(url);
      const known = isRecord(record) ? record : null;
      for (const hash of hashes.length > 0 ? hashes : known !== null ? [known.sha256] : []) {
        const content = await this.shelf.content(hash);
        if (content === null) continue;
        if (known !== null && known.sha256 === hash) return { record: known, content };
        const { bytes } = content;
        const record = { url, sha256: hash, bytes, name: '', named: false, etag: null, lastModified: null };
        return { record, content };
      }
    } catch {
      // As good as not there.
    }
    return null;
  }

  /**
   * Keeps a model, and gives up what it takes the place of: other versions of the same URL, or of the same name.
   * @param {Record} record
   * @param {() => AsyncGenerator<Uint8Array>} chunks
   * @returns {Promise<{stored: boolean, reason?: string}>}
   */
  async keep(record, chunks) {
    try {
      await this.shelf.putRecord(record);
      await this.#retire(record);
      try {
        await this.shelf.putContent(record.sha256, record.bytes, chunks());
      } catch (error) {
        await this.shelf.removeRecord(record.url);
        throw error;
      }
      return { stored: true };
    } catch (error) {
      return { stored: false, reason: error instanceof Error ? `${error.name}: ${error.message}` : String(error) };
    }
  }

  /** @param {Record} record whose model turned out to be damaged */
  async forget(record) {
    try {
      await this.shelf.removeContent(record.sha256);
      await this.shelf.removeRecord(record.url);
    } catch {
      // What stays is found damaged again, and loaded anew again.
    }
  }

  /** @param {Record} latest whose other versions go, and whatever no record speaks of */
  async #retire(latest) {
    const used = new Set([latest.sha256]);
    for (const record of await this.shelf.records()) {
      if (!isRecord(record)) continue;
      const replaced = latest.named && record.named && record.name === latest.name && record.sha256 !== latest.sha256;
      if (replaced) await this.shelf.removeRecord(record.url);
      else used.add(record.sha256);
    }
    for (const hash of await this.shelf.hashes()) if (!used.has(hash)) await this.shelf.removeContent(hash);
  }
}

/**
 * @param {any} value that a cache gave
 * @returns {value is Record}
 */
function isRecord(value) {
  return typeof value === 'object' && value !== null && typeof value.url === 'string' &&
    /^[0-9a-f]{64}$/.test(value.sha256) && Number.isSafeInteger(value.bytes);
}

/**
 * The Cache API's.
 * @implements {Shelf}
 */
class CacheShelf {
  /** @param {Cache} cache */
  constructor(cache) {
    this.cache = cache;
  }

  /** @param {string} hash */
  async content(hash) {
    const response = await this.cache.match(contentKey(hash));
    if (response === undefined || response.body === null) return null;
    const bytes = Number(response.headers.get('content-length'));
    return { bytes, chunks: refilledChunksOf(response.body, bytes), lasting: true };
  }

  /** @param {string} hash @param {number} bytes @param {AsyncGenerator<Uint8Array>} chunks */
  async putContent(hash, bytes, chunks) {
    const headers = { 'content-type': 'application/octet-stream', 'content-length': String(bytes) };
    await this.cache.put(contentKey(hash), new Response(streamOf(chunks), { headers }));
  }

  /** @param {string} hash */
  async removeContent(hash) {
    await this.cache.delete(contentKey(hash));
  }

  async hashes() {
    return this.#keys(`${KEYS}sha256/`);
  }

  /** @param {string} url */
  async record(url) {
    const response = await this.cache.match(recordKey(url));
    return response === undefined ? null : response.json().catch(() => null);
  }

  /** @param {Record} record */
  async putRecord(record) {
    const headers = { 'content-type': 'application/json' };
    await this.cache.put(recordKey(record.url), new Response(JSON.stringify(record), { headers }));
  }

  /** @param {string} url */
  async removeRecord(url) {
    await this.cache.delete(recordKey(url));
  }

  async records() {
    const urls = await this.#keys(`${KEYS}url/`);
    return Promise.all(urls.map((url) => this.record(decodeURIComponent(url))));
  }

  /** @param {string} prefix @returns {Promise<string[]>} what comes behind it in the keys that have it */
  async #keys(prefix) {
    const keys = await this.cache.keys();
    return keys.map((key) => key.url).filter((url) => url.startsWith(prefix)).map((url) => url.slice(prefix.length));
  }
}

/** @param {string} hash */
function contentKey(hash) {
  return `${KEYS}sha256/${hash}`;
}

/** @param {string} url */
function recordKey(url) {
  return `${KEYS}url/${encodeURIComponent(url)}`;
}
