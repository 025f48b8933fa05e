// Minnow - SPDX-License-Identifier: Apache-2.0
// A model's bytes, from wherever the page says, into a sink (WASM memory): from the cache if they are there, else from
// the network. docs/JS-LOADING.md says what a page sees of it.
//
//   const opened = await openModel(source, options, sink);
//   engine.open(opened)              if it fails: opened.done(); and if opened.fromCache: await opened.forget(), and
//                                    openModel once more
//   opened.keep()                    if it opened: puts the file into the cache, from the sink, in the background
//
// What is cached has been checked before: against `integrity`, or else by the engine, which checks the file's own
// checksums when `verified` is false. For the same reason a cached file is not hashed again: it was right when it was
// stored, its length is compared here, and the engine looks at its checksums.

import { MinnowError } from '../errors.js';
import { openStore } from './cache.js';
import { contentOf, piecesOf } from './content.js';
import { PATIENCE, download } from './fetch.js';
import { Intake } from './intake.js';
import { persistIfAsked } from './persist.js';
import { progressOf } from './progress.js';
import { resolveSource } from './source.js';
import { raceAbort } from './streams.js';
import { takeTurn } from './turns.js';

/** So much is read from the cache before the module is compiled and has memory for it. */
const AHEAD_BYTES = 1 << 23;

/** @typedef {import('./intake.js').Sink} Sink */
/** @typedef {import('./source.js').Source} Source */
/** @typedef {import('./source.js').ModelSource} ModelSource */

/**
 * true or 'auto': what is there is taken, without asking the server. false: neither read nor written. 'verify': what is
 * there is hashed. 'revalidate': without `integrity`, the server is asked whether the file has changed; without an
 * answer, what is there is taken. In an object: `mode`, one of these; `name` of the cache; `persist`, which asks the
 * browser not to evict; `folder`, in Node.
 * @typedef {boolean | 'auto' | 'verify' | 'revalidate' | {mode?: 'auto' | 'verify' | 'revalidate', name?: string,
 *   persist?: boolean, folder?: string}} CacheOption
 */

/**
 * @typedef {object} OpenOptions
 * @property {string} [integrity] goes before the package's, as do bytes and name
 * @property {number} [bytes]
 * @property {string} [name]
 * @property {(event: import('./progress.js').DownloadProgress) => void} [onProgress]
 * @property {AbortSignal} [signal]
 * @property {CacheOption} [cache]
 * @property {boolean} [anyFormat] true: other files than .minnow too
 * @property {Partial<typeof import('./fetch.js').PATIENCE>} [patience]
 */

/**
 * @typedef {object} Opened
 * @property {string} name that the page gave, or the file's
 * @property {number} bytes
 * @property {string | null} sha256 hexadecimal; null where nobody needed it: a Blob, buffer, path without integrity
 * @property {boolean} fromCache
 * @property {boolean} verified true: these bytes have been hashed, and the hash is one of integrity's
 * @property {() => Promise<void>} forget takes the model out of the cache
 * @property {() => Promise<{stored: boolean, reason?: string}>} keep puts it there, if it may be. Never rejects
 * @property {() => void} done for whoever does not keep it: others, who wait for this load, go on
 */

/**
 * @param {ModelSource} model
 * @param {OpenOptions} options
 * @param {Sink} sink
 * @returns {Promise<Opened>} the sink has the file then. Rejects with MinnowError 'argument', 'network', 'integrity',
 *   'format', or what the sink throws; or with signal.reason
 */
export async function openModel(model, options, sink) {
  options.signal?.throwIfAborted();
  const source = resolveSource(model, options);
  const opening = new Opening(source, options, sink);
  if (source.origin.kind === 'url') return opening.fromUrl(source.origin.url);
  return opening.fromHand(source.origin);
}

class Opening {
  /** @param {Source} source @param {OpenOptions} options @param {Sink} sink */
  constructor(source, options, sink) {
    this.source = source;
    this.options = options;
    this.sink = sink;
    this.signal = options.signal;
    this.cache = cacheOptions(options.cache);
    /** @type {import('./turns.js').Turn | null} */
    this.turn = null;
    this.progress = progressOf(source.label, (event) => {
      options.onProgress?.(event);
      this.turn?.tell(event.loaded, event.total);
    });
    this.intake = new Intake(sink, { label: source.label, bytes: source.bytes, anyFormat: options.anyFormat === true,
      verifies: source.hashes.length > 0, onBytes: (loaded, total) => this.progress.report(loaded, total) });
  }

  /**
   * What the page has already: a Response, a Blob, bytes, a path. It is not cached.
   * @param {Exclude<import('./source.js').Origin, {kind: 'url'}>} origin
   * @returns {Promise<Opened>}
   */
  async fromHand(origin) {
    const { intake, source } = this;
    const { chunks, bytes, contentType } = await contentOf(origin, source.label, this.signal);
    const hash = source.hashes.length > 0;
    intake.begin({ hash, announced: bytes, contentType });
    await this.#take(chunks);
    intake.finish();
    const sha256 = hash ? this.sink.digest() : null;
    if (sha256 !== null) this.#check(sha256);
    return this.#opened({ sha256, fromCache: false, verified: hash });
  }

  /**
   * @param {string} url
   * @returns {Promise<Opened>}
   */
  async fromUrl(url) {
    const { hashes } = this.source;
    const store = this.cache.on && /^https?:/.test(url) ? await openStore(this.cache) : null;
    const found = await store?.find(url, hashes) ?? null;
    if (store === null) return this.#download(url, store);
    if (found === null) return this.#inTurn(url, store);
    if (this.cache.mode !== 'revalidate' || hashes.length > 0)
      return await this.#fromCache(store, found) ?? this.#download(url, store);
    return this.#revalidate(url, store, found);
  }

  /**
   * Downloads, unless somebody else is just doing that: then it is in the cache afterwards.
   * @param {string} url
   * @param {import('./cache.js').Store} store
   */
  async #inTurn(url, store) {
    const { stallMs } = { ...PATIENCE, ...this.options.patience };
    const onBytes = this.progress.report.bind(this.progress);
    const turn = await takeTurn(url, { signal: this.signal, stallMs, onBytes });
    this.turn = turn;
    try {
      const found = turn === null ? null : await store.find(url, this.source.hashes);
      if (found === null) return await this.#download(url, store);
      turn?.end();
      this.turn = null;
      return await this.#fromCache(store, found) ?? await this.#download(url, store);
    } catch (error) {
      turn?.end();
      throw error;
    }
  }

  /**
   * @param {string} url
   * @param {import('./cache.js').Store} store
   * @param {{record: import('./cache.js').Record, content: import('./cache.js').Content}} found
   */
  async #revalidate(url, store, found) {
    let failure = null;
    try {
      const opened = await this.#downloadUnless(url, store, found.record);
      if (opened !== null) return opened;
    } catch (error) {
      this.signal?.throwIfAborted();
      if (!(error instanceof MinnowError) || !['network', 'format'].includes(error.code)) throw error;
      failure = error; // no connection, or one that wants a login first: what is there still works
    }
    const opened = await this.#fromCache(store, found);
    if (opened !== null) return opened;
    if (failure !== null) throw failure;
    return this.#download(url, store);
  }

  /**
   * @param {import('./cache.js').Store} store
   * @param {{record: import('./cache.js').Record, content: import('./cache.js').Content}} found
   * @returns {Promise<Opened | null>} null: it was damaged, and is no longer there
   */
  async #fromCache(store, { record, content }) {
    const { intake, source, sink } = this;
    const hash = this.cache.mode === 'verify';
    try {
      this.progress.fromCache = true;
      intake.begin({ hash, announced: content.bytes });
      if (content.bytes !== record.bytes) throw new MinnowError('integrity', 'not the length that was stored');
      await this.#take(content.chunks, content.lasting ? AHEAD_BYTES : 0);
      intake.finish();
      if (hash && sink.digest() !== record.sha256) throw new MinnowError('integrity', 'not the bytes that were stored');
    } catch (error) {
      this.signal?.throwIfAborted();
      if (error instanceof MinnowError && error.code === 'memory') throw error;
      await content.chunks.return(undefined).catch(() => {});
      await store.forget(record);
      this.progress.fromCache = false;
      return null;
    }
    const opened = this.#opened({ sha256: record.sha256, fromCache: true, verified: hash && source.hashes.length > 0 });
    opened.forget = () => store.forget(record);
    return opened;
  }

  /**
   * @param {string} url
   * @param {import('./cache.js').Store | null} store
   */
  async #download(url, store) {
    return /** @type {Opened} */ (await this.#downloadUnless(url, store, null));
  }

  /**
   * @param {string} url
   * @param {import('./cache.js').Store | null} store
   * @param {import('./cache.js').Record | null} known a copy that is in the cache
   * @returns {Promise<Opened | null>} null: that copy is still right
   */
  async #downloadUnless(url, store, known) {
    const { patience } = this.options;
    const request = { signal: this.signal, known, patience };
    let came;
    let sha256 = '';
    try {
      came = await download(url, this.intake, request);
      if (!came.modified) return null;
      sha256 = this.sink.digest();
      this.#check(sha256);
    } catch (error) {
      // The browser's own cache may have the version before, and a file that changed meanwhile two halves.
      const again = error instanceof MinnowError && error.code === 'integrity' && (came?.resumed || hasHttpCache());
      if (!again) throw error;
      came = await download(url, this.intake, { ...request, known: null, reload: true });
      sha256 = this.sink.digest();
      this.#check(sha256);
    }
    const opened = this.#opened({ sha256, fromCache: false, verified: this.source.hashes.length > 0 });
    if (store !== null) this.#mayKeep(opened, store, { url, sha256, bytes: opened.bytes, name: opened.name,
      named: this.source.named, etag: came.etag, lastModified: came.lastModified });
    return opened;
  }

  /**
   * @param {Opened} opened
   * @param {import('./cache.js').Store} store
   * @param {import('./cache.js').Record} record
   */
  #mayKeep(opened, store, record) {
    const { sink } = this;
    opened.forget = () => store.forget(record);
    if (sink.read === undefined) return;
    const readable = /** @type {Required<Sink>} */ (sink);
    opened.keep = async () => {
      const result = await store.keep(record, () => piecesOf(readable, record.bytes));
      opened.done();
      if (result.stored) await persistIfAsked(this.options.cache);
      return result;
    };
  }

  /**
   * Chunks into the intake. The next one is asked for before one is copied, so that both go on at the same time. What
   * has been copied is given back.
   * @param {import('./streams.js').Chunks} chunks
   * @param {number} [ahead] bytes of chunks that may wait for the sink to be ready; 0: a chunk is valid only until the
   *   next one is asked for
   */
  async #take(chunks, ahead = 0) {
    const { ready } = this.intake.sink;
    let started = ready === undefined;
    ready?.then(() => { started = true; }, () => { started = true; }); // awaited below, where it rejects
    /** @type {Uint8Array[]} */
    const waiting = [];
    let waitingBytes = 0;
    /** @type {Uint8Array[]} */
    const spare = [];
    try {
      let next = chunks.next();
      for (;;) {
        const { done, value } = await raceAbort(next, this.signal);
        if (!done) {
          if (ahead > 0) next = quiet(chunks.next(spare.pop()));
          waiting.push(value);
          waitingBytes += value.length;
          if (!started && waitingBytes < ahead) continue;
        }
        await ready;
        for (const chunk of waiting) this.intake.add(chunk);
        spare.push(...waiting.splice(0));
        waitingBytes = 0;
        if (done) return;
        if (ahead === 0) next = chunks.next(spare.pop());
      }
    } catch (error) {
      chunks.return(undefined).catch(() => {});
      throw error;
    }
  }

  /** @param {string} sha256 */
  #check(sha256) {
    const { hashes, label } = this.source;
    if (hashes.length === 0 || hashes.includes(sha256)) return;
    throw new MinnowError('integrity', `${label}: expected SHA-256 ${hashes.join(' or ')}, found ${sha256}`);
  }

  /**
   * @param {{sha256: string | null, fromCache: boolean, verified: boolean}} result
   * @returns {Opened}
   */
  #opened(result) {
    const bytes = this.intake.received;
    this.progress.finish(bytes);
    const done = () => this.turn?.end();
    return { name: this.source.name, bytes, ...result, forget: async () => {}, done,
      keep: async () => {
        done();
        return { stored: false, reason: result.fromCache ? 'it is there' : 'no cache' };
      } };
  }
}

/**
 * @param {CacheOption | undefined} option
 * @returns {{on: boolean, mode: 'auto' | 'verify' | 'revalidate', name?: string, folder?: string}}
 */
function cacheOptions(option = true) {
  const fields = typeof option === 'object' && option !== null ? option : {};
  const mode = typeof option === 'string' ? option : fields.mode ?? 'auto';
  if (!['auto', 'verify', 'revalidate'].includes(mode) || !['boolean', 'string', 'object'].includes(typeof option))
    throw new MinnowError('argument', `cache: ${String(typeof option === 'object' ? mode : option)} is none of true, ` +
      `false, 'auto', 'verify', 'revalidate' and an object`);
  return { name: fields.name, folder: fields.folder, on: option !== false, mode };
}

/**
 * @template T
 * @param {Promise<T>} promise that nobody may come to wait for
 * @returns {Promise<T>} the same
 */
function quiet(promise) {
  promise.catch(() => {});
  return promise;
}

/** True in browsers, which keep answers on their own. */
function hasHttpCache() {
  return /** @type {any} */ (globalThis).location !== undefined;
}
