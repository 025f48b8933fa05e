// Minnow - SPDX-License-Identifier: Apache-2.0
// What a page may give as a model, brought into one form; and `integrity`, read.

import { MinnowError } from '../errors.js';
import { isNode } from '../platform.js';
import { pathOf } from './node.js';

/**
 * A model package's default export.
 * @typedef {object} ModelPackage
 * @property {string | URL} url
 * @property {string} [integrity] of the file: 'sha256-' and base64
 * @property {number} [bytes] of the file
 * @property {string} [name]
 */

/** @typedef {string | URL | Response | ArrayBuffer | ArrayBufferView | Blob | ModelPackage} ModelSource */

/**
 * @typedef {{kind: 'url', url: string} | {kind: 'path', path: string} | {kind: 'response', response: Response} |
 *   {kind: 'blob', blob: Blob} | {kind: 'bytes', data: Uint8Array}} Origin
 */

/**
 * @typedef {object} Source
 * @property {Origin} origin
 * @property {string} label for messages and progress: the URL, the path, or what kind of object it is
 * @property {string} name the model's, or its file's
 * @property {boolean} named true if the page gave the name
 * @property {number | null} bytes
 * @property {string[]} hashes SHA-256 that the file may have, hexadecimal; none: anything goes
 */

/**
 * @param {unknown} model what the page gave
 * @param {{integrity?: string, bytes?: number, name?: string}} options which go before those of a package
 * @returns {Source}
 */
export function resolveSource(model, options) {
  /** @type {any} */
  const given = model;
  const isPackage = isObject(given) && 'url' in given && !isClass(given, 'Response') && !isClass(given, 'URL');
  const described = { ...(isPackage ? given : {}), ...definedOf(options) };
  const origin = resolveOrigin(isPackage ? given.url : given);
  const label = labelOf(origin);
  const bytes = described.bytes ?? null;
  if (bytes !== null && !(Number.isSafeInteger(bytes) && bytes > 0))
    throw new MinnowError('argument', `bytes: ${String(bytes)} is not a number of bytes`);
  const named = typeof described.name === 'string' && described.name !== '';
  const name = named ? /** @type {string} */ (described.name) : fileNameOf(label);
  return { origin, label, bytes, hashes: parseIntegrity(described.integrity), name, named };
}

/**
 * @param {any} given
 * @returns {Origin}
 */
function resolveOrigin(given) {
  if (typeof given === 'string' || isClass(given, 'URL')) return resolveAddress(String(given));
  if (isClass(given, 'Response')) {
    if (given.bodyUsed) throw new MinnowError('argument', 'model: the body of this Response has been read already');
    return { kind: 'response', response: given };
  }
  if (isClass(given, 'Blob') || isClass(given, 'File')) return { kind: 'blob', blob: given };
  if (ArrayBuffer.isView(given)) return bytesIn(given.buffer, given.byteOffset, given.byteLength);
  if (isClass(given, 'ArrayBuffer') || isClass(given, 'SharedArrayBuffer')) return bytesIn(given);
  throw new MinnowError('argument',
    'model: must be a URL, a Response, an ArrayBuffer, a Blob or the default export of a model package');
}

/**
 * @param {ArrayBufferLike} buffer
 * @param {number} [offset]
 * @param {number} [length]
 * @returns {Origin}
 */
function bytesIn(buffer, offset, length) {
  try {
    return { kind: 'bytes', data: new Uint8Array(buffer, offset, length) };
  } catch (cause) {
    throw new MinnowError('argument', 'model: the bytes of this ArrayBuffer have been handed over already', { cause });
  }
}

/**
 * @param {string} address a URL, whole or relative to the page; in Node a path too
 * @returns {Origin}
 */
function resolveAddress(address) {
  const scope = /** @type {any} */ (globalThis);
  const base = scope.document?.baseURI ?? scope.location?.href;
  const hasScheme = /^[a-z][a-z0-9+.-]+:/i.test(address); // one letter is a drive
  if (isNode() && !hasScheme && base === undefined) return { kind: 'path', path: address };
  let url;
  try {
    url = new URL(address, hasScheme ? undefined : base);
  } catch (cause) {
    const why = base === undefined ? ' (relative to what?)' : '';
    throw new MinnowError('argument', `model: '${address}' is not a URL${why}`, { cause });
  }
  if (isNode() && url.protocol === 'file:') return { kind: 'path', path: pathOf(url) };
  url.hash = '';
  return { kind: 'url', url: url.href };
}

/**
 * @param {unknown} integrity in the syntax of the attribute of that name: hashes with blanks between; or 64 hexadecimal
 *   digits. Of several, any may fit; those other than SHA-256 are left out
 * @returns {string[]} SHA-256, hexadecimal
 */
export function parseIntegrity(integrity) {
  if (integrity === undefined || integrity === null || integrity === '') return [];
  const hashes = [];
  for (const part of String(integrity).trim().split(/\s+/)) {
    const hex = /^(?:sha256[-:])?([0-9a-f]{64})$/i.exec(part);
    const base64 = /^sha256-([A-Za-z0-9+/_-]{43})=?(?:\?.*)?$/.exec(part);
    if (hex !== null) hashes.push(hex[1].toLowerCase());
    else if (base64 !== null) hashes.push(hexOf(base64[1]));
    else if (!/^sha(?:384|512)-/.test(part))
      throw new MinnowError('argument', `integrity: '${part}' is not 'sha256-' and base64 of 32 bytes`);
  }
  if (hashes.length === 0) throw new MinnowError('unsupported', 'integrity: only SHA-256 is checked; none is given');
  return hashes;
}

/**
 * @param {string} base64 43 characters
 * @returns {string} 64 hexadecimal digits
 */
function hexOf(base64) {
  const bytes = atob(base64.replaceAll('-', '+').replaceAll('_', '/') + '=');
  return Array.from(bytes, (c) => c.charCodeAt(0).toString(16).padStart(2, '0')).join('');
}

/** @param {Origin} origin */
function labelOf(origin) {
  if (origin.kind === 'url') return origin.url.startsWith('data:') ? `${origin.url.slice(0, 40)}...` : origin.url;
  if (origin.kind === 'path') return origin.path;
  if (origin.kind === 'response') return origin.response.url || 'Response';
  if (origin.kind === 'blob') return /** @type {{name?: string}} */ (origin.blob).name ?? 'Blob';
  return 'ArrayBuffer';
}

/** @param {string} label */
function fileNameOf(label) {
  return label.replace(/[?#].*$/, '').split(/[\\/]/).filter(Boolean).pop() ?? label;
}

/** @param {unknown} value @returns {value is object} */
function isObject(value) {
  return typeof value === 'object' && value !== null;
}

/**
 * By name and not by instanceof: objects of another realm (an iframe, a test's sandbox) count too.
 * @param {unknown} value
 * @param {string} name of a class
 */
function isClass(value, name) {
  return isObject(value) && Object.prototype.toString.call(value) === `[object ${name}]`;
}

/** @param {{integrity?: string, bytes?: number, name?: string}} options */
function definedOf({ integrity, bytes, name }) {
  return { ...(integrity !== undefined && { integrity }), ...(bytes !== undefined && { bytes }),
    ...(name !== undefined && { name }) };
}
