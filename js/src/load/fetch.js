// Minnow - SPDX-License-Identifier: Apache-2.0
// A file from its URL into an Intake, whatever the connection does: what broke goes on where it stopped, if the server
// can do that, or else begins anew; a bounded number of times.

import { MinnowError } from '../errors.js';
import { delay, raceAbort } from './streams.js';

/** How patient a download is. Tests have less time. */
export const PATIENCE = Object.freeze({
  /** Milliseconds without a byte after which a connection counts as broken. */
  stallMs: 30000,
  /** Milliseconds to wait before each further attempt. There are as many as numbers here. */
  retryMs: Object.freeze([500, 1000, 2000]),
  /** The longest that a server's Retry-After is obeyed. */
  retryAfterMs: 30000,
});

/** Attempts are counted anew when so many further bytes have come: a long download may break more than three times. */
const PROGRESS_BYTES = 1 << 20;

/**
 * @typedef {object} Validators what tells versions of a file apart, as the server said; null: it did not
 * @property {string | null} etag
 * @property {string | null} lastModified
 */

/**
 * @typedef {object} DownloadOptions
 * @property {AbortSignal} [signal]
 * @property {boolean} [reload] past the browser's own cache
 * @property {Validators | null} [known] of a copy that the caller has: the file is wanted only if it is another
 * @property {Partial<typeof PATIENCE>} [patience]
 */

/** @typedef {Validators & {modified: boolean, resumed: boolean}} Downloaded */

/**
 * @param {string} url
 * @param {import('./intake.js').Intake} intake
 * @param {DownloadOptions} options
 * @returns {Promise<Downloaded>} modified false: the copy that the caller has is still right, and nothing came
 */
export async function download(url, intake, options) {
  return new Download(url, intake, options).run();
}

/** Why an attempt failed, if another one may not. */
class Broken {
  /** @param {string} why @param {{cause?: unknown, waitMs?: number}} [details] */
  constructor(why, { cause, waitMs = 0 } = {}) {
    this.why = why;
    this.cause = cause;
    this.waitMs = waitMs;
  }
}

class Download {
  /** @param {string} url @param {import('./intake.js').Intake} intake @param {DownloadOptions} options */
  constructor(url, intake, { signal, reload = false, known = null, patience = {} }) {
    this.url = url;
    this.intake = intake;
    this.signal = signal;
    this.reload = reload;
    this.known = known;
    this.patience = { ...PATIENCE, ...patience };
    this.sameOrigin = isSameOrigin(url);
    this.ranges = /^https?:/.test(url);
    /** @type {Validators} */
    this.validators = { etag: null, lastModified: null };
    this.resumed = false;
  }

  /** @returns {Promise<Downloaded>} */
  async run() {
    let attempts = 0;
    let furthest = 0;
    this.intake.begin(); // what came before, from elsewhere, is nothing to go on from
    for (;;) {
      this.signal?.throwIfAborted();
      const outcome = await this.#attempt();
      if (!(outcome instanceof Broken)) return { ...this.validators, modified: outcome, resumed: this.resumed };
      if (this.intake.received >= furthest + PROGRESS_BYTES) {
        furthest = this.intake.received;
        attempts = 0;
      }
      if (attempts >= this.patience.retryMs.length) throw this.#error(outcome, attempts + 1);
      await delay(Math.max(this.patience.retryMs[attempts], outcome.waitMs), this.signal);
      attempts += 1;
    }
  }

  /**
   * One request and its answer.
   * @returns {Promise<boolean | Broken>} true: the file is complete; false: it is not wanted
   */
  async #attempt() {
    const watch = new Watch(this.signal, this.patience.stallMs);
    try {
      const response = await watch.during(fetch(this.url, this.#request(watch.signal)));
      if (response instanceof Broken) return response;
      const verdict = this.#begin(response);
      if (verdict !== true) {
        response.body?.cancel().catch(() => {});
        return verdict;
      }
      return await this.#pour(response, watch);
    } finally {
      watch.stop();
    }
  }

  /**
   * @param {AbortSignal} signal
   * @returns {RequestInit}
   */
  #request(signal) {
    /** @type {Record<string, string>} */
    const headers = {};
    /** @type {RequestInit} */
    const init = { signal, headers };
    if (this.reload) init.cache = 'reload';
    if (this.intake.received > 0 && this.ranges) {
      headers.Range = `bytes=${this.intake.received}-`;
      // Of another origin If-Range would need a preflight, which few servers answer: there the answer is looked at.
      const validator = this.#strongValidator();
      if (this.sameOrigin && validator !== null) headers['If-Range'] = validator;
    } else if (this.known !== null) {
      init.cache = 'no-cache';
      if (this.sameOrigin && this.known.etag !== null) headers['If-None-Match'] = this.known.etag;
      else if (this.sameOrigin && this.known.lastModified !== null)
        headers['If-Modified-Since'] = this.known.lastModified;
    }
    return init;
  }

  #strongValidator() {
    const { etag, lastModified } = this.validators;
    return etag !== null && !etag.startsWith('W/') ? etag : lastModified;
  }

  /**
   * Looks at an answer before its body, and readies the intake for it.
   * @param {Response} response
   * @returns {boolean | Broken} true: the body is wanted; false: the caller's copy is still right
   */
  #begin(response) {
    const { headers, status } = response;
    if (status === 304 && this.known !== null) return false;
    if (status === 416 && this.intake.received > 0) return this.#beginAnew('the file has changed');
    if (!response.ok) return this.#refusal(response);
    const validators = { etag: headers.get('etag'), lastModified: headers.get('last-modified') };
    if (status === 206) return this.#continues(headers, validators) || this.#beginAnew('the file has changed');
    if (this.known !== null && isSame(validators, this.known)) return false;
    const encoded = (headers.get('content-encoding') ?? 'identity') !== 'identity';
    const length = Number(headers.get('content-length') ?? NaN);
    // Another origin's Content-Encoding cannot be seen: its Content-Length may be that of encoded bytes.
    const announced = encoded || !this.sameOrigin || !(length > 0) ? null : length;
    this.validators = validators;
    this.resumed = false;
    this.intake.begin({ announced, contentType: headers.get('content-type') ?? '' });
    return true;
  }

  /**
   * True if a partial answer goes on where the last one stopped, as far as its headers may be seen.
   * @param {Headers} headers
   * @param {Validators} validators
   */
  #continues(headers, validators) {
    const { received, total } = this.intake;
    if (received === 0 || (headers.get('content-encoding') ?? 'identity') !== 'identity') return false;
    const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get('content-range') ?? '');
    if (range !== null && Number(range[1]) !== received) return false;
    if (range !== null && range[2] !== '*' && total !== null && Number(range[2]) !== total) return false;
    if (differ(validators.etag, this.validators.etag)) return false;
    if (differ(validators.lastModified, this.validators.lastModified)) return false;
    this.resumed = true;
    return true;
  }

  /** @param {string} why */
  #beginAnew(why) {
    this.intake.begin();
    return new Broken(why);
  }

  /**
   * @param {Response} response that is an error
   * @returns {Broken} if another attempt may help; throws if none can
   */
  #refusal(response) {
    const { status, statusText } = response;
    const broken = new Broken(`HTTP ${status}${statusText ? ` ${statusText}` : ''}`);
    if (status < 500 && status !== 408 && status !== 429) throw this.#error(broken, 1);
    const seconds = Number(response.headers.get('retry-after') ?? NaN);
    if (seconds > 0) broken.waitMs = Math.min(seconds * 1000, this.patience.retryAfterMs);
    return broken;
  }

  /**
   * @param {Response} response
   * @param {Watch} watch
   * @returns {Promise<true | Broken>}
   */
  async #pour(response, watch) {
    const reader = response.body?.getReader();
    try {
      while (reader !== undefined) {
        const piece = await watch.during(reader.read());
        if (piece instanceof Broken) return piece;
        if (piece.done) break;
        await this.intake.sink.ready;
        this.intake.add(piece.value);
      }
    } catch (error) {
      reader?.cancel().catch(() => {});
      throw error;
    }
    // A connection that just closes looks like an end where no length was announced.
    if (!this.intake.complete && this.intake.received > 0) return new Broken('the connection was closed');
    this.intake.finish();
    return true;
  }

  /** @param {Broken} broken @param {number} attempts */
  #error(broken, attempts) {
    const { received, total } = this.intake;
    const so = received > 0 ? ` after ${received}${total === null ? '' : ` of ${total}`} bytes` : '';
    const often = attempts > 1 ? ` (${attempts} attempts)` : '';
    return new MinnowError('network', `${this.url}: ${broken.why}${so}${often}`, { cause: broken.cause });
  }
}

/** Ends what hangs: aborts when the caller does, and when for too long nothing came. */
class Watch {
  /** @param {AbortSignal | undefined} signal @param {number} stallMs */
  constructor(signal, stallMs) {
    this.caller = signal;
    this.stallMs = stallMs;
    this.controller = new AbortController();
    this.signal = this.controller.signal;
    this.stalled = false;
    this.onAbort = () => this.controller.abort(signal?.reason);
    signal?.addEventListener('abort', this.onAbort);
    if (signal?.aborted) this.onAbort();
  }

  /**
   * @template T
   * @param {Promise<T>} step a request, or the read of a piece
   * @returns {Promise<T | Broken>} throws only if the caller aborts
   */
  async during(step) {
    const timer = setTimeout(() => {
      this.stalled = true;
      this.controller.abort();
    }, this.stallMs);
    try {
      return await raceAbort(step, this.signal);
    } catch (cause) {
      this.caller?.throwIfAborted();
      if (this.stalled) return new Broken(`nothing came for ${this.stallMs / 1000} s`);
      return new Broken(`the connection failed (${reasonOf(cause)})`, { cause });
    } finally {
      clearTimeout(timer);
    }
  }

  /** The answer is done with: whatever of it is still under way is not wanted. */
  stop() {
    this.caller?.removeEventListener('abort', this.onAbort);
    this.controller.abort();
  }
}

/** @param {unknown} error */
function reasonOf(error) {
  const outer = error instanceof Error ? error.message : String(error);
  const inner = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : '';
  return outer + inner;
}

/** @param {string | null} a @param {string | null} b */
function differ(a, b) {
  return a !== null && b !== null && a !== b;
}

/** @param {Validators} a @param {Validators} b true if both have an ETag, or else a date, and it is one */
function isSame(a, b) {
  if (a.etag !== null && b.etag !== null) return a.etag.replace(/^W\//, '') === b.etag.replace(/^W\//, '');
  return a.lastModified !== null && a.lastModified === b.lastModified;
}

/** Without pages (Node) there are no other origins. @param {string} url */
function isSameOrigin(url) {
  const origin = /** @type {any} */ (globalThis).location?.origin;
  return origin === undefined || origin === new URL(url).origin;
}
