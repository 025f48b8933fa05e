// Minnow - SPDX-License-Identifier: Apache-2.0
// What a caller gives, checked: clear lines for what is wrong, defaults for what is left out. And models in a form that
// can be sent to a worker.
import { MinnowError } from './errors.js';
import { absoluteUrl } from './platform.js';

const NO_MODEL = `Minnow.load needs a model: Minnow.load({ model: '/models/model.minnow' }), or a model package: \
import model from 'PACKAGE'; Minnow.load({ model })`;

/** @typedef {import('./load/source.js').ModelPackage} ModelPackage */
/** @typedef {import('./load/source.js').ModelSource} ModelInput */
/**
 * @typedef {{sent: 'response', body: ReadableStream<Uint8Array> | ArrayBuffer, status: number,
 *   headers: [string, string][], url: string}} SentResponse
 */
/** @typedef {ModelInput | SentResponse} ModelSource a model on its way to a session */

/**
 * @typedef {object} LoadOptions
 * @property {ModelInput} model a .minnow file: its URL (in Node also its path), a Response, the bytes, a Blob, or a
 *   model package's default export. Bytes are copied
 * @property {boolean} [transfer] true: an ArrayBuffer, or that of a view, is handed over to the worker instead, and is
 *   empty afterwards. Default false
 * @property {string} [integrity] 'sha256-' and base64 of the file's SHA-256, as in the HTML attribute
 * @property {(event: Progress) => void} [onProgress]
 * @property {AbortSignal} [signal] rejects with its reason
 * @property {import('./load/model.js').CacheOption} [cache] false: neither read nor written. Default true: kept in the
 *   Cache API, in Node in a folder, and taken from there
 * @property {number} [threads] wanted, 1 to 64. Default: half of the processors and at most 4 where memory can be
 *   shared (a page that is cross-origin isolated; Node), else 1
 * @property {'wasm' | 'auto'} [backend] what runs the model: only WebAssembly does
 * @property {boolean} [worker] false: in the calling thread. Default true
 * @property {string | URL} [workerUrl] of worker.js, if it lies elsewhere
 * @property {string | URL | {[variant: string]: string | URL | ArrayBuffer | WebAssembly.Module}} [wasmUrl] of the
 *   folder with the WASM modules, or each: {simd, relaxed, 'simd-threads', 'relaxed-threads'}
 * @property {number} [maxTokens] where texts are cut. Default: the model's own, 256 for MiniLM
 * @property {Pooling} [pooling] default: the model's own
 * @property {boolean} [normalize] default true: vectors of length 1
 * @property {string} [isa] for tests and measurements: 'simd', 'relaxed', or an instruction set's name as in
 *   `picked.isa`. Default: the fastest, timed
 * @property {number} [memoryLimit] bytes of WASM memory beyond which loading and calls reject with 'memory'
 */
/**
 * `loaded` of `total` bytes for 'download', else steps; neither goes back within a phase.
 * @typedef {{phase: 'download'|'decode'|'compile'|'ready', file: string, loaded: number, total: number,
 *   fromCache: boolean}} Progress
 */
/** @typedef {'mean'|'cls'|'max'} Pooling */
/** @typedef {import('./precision.js').Precision} Precision */

/**
 * Options of a call; those that are left out are the ones of `load`.
 * @typedef {object} EmbedOptions
 * @property {Pooling} [pooling]
 * @property {boolean} [normalize]
 * @property {number} [maxTokens]
 * @property {Precision} [precision] default 'float32'. 'int8': v is about q / 127. 'binary' and 'ubinary': a bit a
 *   number, packed by eights as transformers.js does
 * @property {number} [dimensions] only the first so many, scaled to length 1 again. Default all
 * @property {AbortSignal} [signal] rejects with its reason
 */
/** @typedef {Pick<EmbedOptions, 'maxTokens' | 'signal'>} TokenOptions */

const POOLINGS = ['mean', 'cls', 'max'];
const PRECISIONS = ['float32', 'int8', 'binary', 'ubinary'];
const LOAD_OPTIONS = ['model', 'transfer', 'integrity', 'onProgress', 'signal', 'cache', 'threads', 'backend', 'worker',
  'workerUrl', 'wasmUrl', 'maxTokens', 'pooling', 'normalize', 'isa', 'memoryLimit'];
const EMBED_OPTIONS = ['pooling', 'normalize', 'maxTokens', 'precision', 'dimensions', 'signal'];
const TOKEN_OPTIONS = ['maxTokens', 'signal'];

/** @param {string} message @returns {never} */
function wrong(message) {
  throw new MinnowError('argument', message);
}

/** @param {unknown} value a value in a message */
function shown(value) {
  if (typeof value === 'string') return `'${value}'`;
  if (value === null || typeof value !== 'object') return String(value);
  return Array.isArray(value) ? 'an array' : 'an object';
}

/** @param {unknown} value in a sentence */
export function kindOf(value) {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return 'an array';
  return `${/^[aeiou]/.test(typeof value) ? 'an' : 'a'} ${typeof value}`;
}

/**
 * @param {unknown} options
 * @param {string[]} known
 * @param {string} where
 * @returns {Record<string, any>}
 */
function named(options, known, where) {
  if (options === undefined) return {};
  if (typeof options !== 'object' || options === null) wrong(`${where}: options are ${kindOf(options)}, not an object`);
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) wrong(`${where}: no option '${name}'; there are ${known.join(', ')}`);
  }
  return options;
}

/**
 * @param {string} name
 * @param {unknown} value
 * @param {number} most
 */
function checkCount(name, value, most) {
  if (value === undefined) return;
  if (!Number.isInteger(value) || /** @type {number} */ (value) < 1 || /** @type {number} */ (value) > most) {
    wrong(`${name}: ${shown(value)} is no whole number from 1 to ${most}`);
  }
}

/**
 * @param {string} name
 * @param {unknown} value
 * @param {string[]} choices
 */
function checkChoice(name, value, choices) {
  if (value !== undefined && !choices.includes(/** @type {string} */ (value))) {
    wrong(`${name}: ${shown(value)} is none of ${choices.join(', ')}`);
  }
}

/**
 * @param {string} name
 * @param {unknown} value
 * @param {string} type
 */
function checkType(name, value, type) {
  if (value !== undefined && typeof value !== type) wrong(`${name}: ${shown(value)} is no ${type}`);
}

/** @param {unknown} signal */
function checkSignal(signal) {
  if (signal === undefined) return;
  if (!(typeof AbortSignal === 'function' && signal instanceof AbortSignal)) wrong('signal: not an AbortSignal');
}

/**
 * @param {unknown} options
 * @returns {LoadOptions}
 */
export function checkLoadOptions(options) {
  if (options === undefined || options === null) wrong(NO_MODEL);
  const o = named(options, LOAD_OPTIONS, 'Minnow.load');
  if (o.model === undefined || o.model === null || o.model === '') wrong(NO_MODEL);
  if (o.backend === 'webgpu') {
    throw new MinnowError('unsupported', "backend: 'webgpu' is not there; leave it out, or say 'wasm' or 'auto'");
  }
  checkChoice('backend', o.backend, ['wasm', 'auto']);
  checkType('integrity', o.integrity, 'string');
  checkType('onProgress', o.onProgress, 'function');
  checkType('worker', o.worker, 'boolean');
  checkType('transfer', o.transfer, 'boolean');
  checkType('normalize', o.normalize, 'boolean');
  checkType('isa', o.isa, 'string');
  checkSignal(o.signal);
  checkCount('threads', o.threads, 64);
  checkCount('memoryLimit', o.memoryLimit, 2 ** 32);
  checkCount('maxTokens', o.maxTokens, 2 ** 31 - 1);
  checkChoice('pooling', o.pooling, POOLINGS);
  return /** @type {LoadOptions} */ (o);
}

/**
 * @param {unknown} options of one call
 * @param {import('./session.js').SessionInfo} info
 * @param {{maxTokens?: number, pooling?: Pooling, normalize?: boolean}} defaults
 * @param {string} where
 * @returns {{settings: import('./session.js').EmbedSettings, signal?: AbortSignal}}
 */
export function checkEmbedOptions(options, info, defaults, where) {
  const o = named(options, EMBED_OPTIONS, where);
  checkChoice('pooling', o.pooling, POOLINGS);
  checkType('normalize', o.normalize, 'boolean');
  checkCount('maxTokens', o.maxTokens, info.maxPositions);
  checkChoice('precision', o.precision, PRECISIONS);
  checkCount('dimensions', o.dimensions, info.dimensions);
  checkSignal(o.signal);
  return {
    settings: {
      pooling: o.pooling ?? defaults.pooling ?? 'default',
      normalize: o.normalize ?? defaults.normalize ?? true,
      maxTokens: o.maxTokens ?? defaults.maxTokens ?? 0,
      precision: o.precision ?? 'float32',
      dimensions: o.dimensions ?? info.dimensions,
    },
    signal: o.signal,
  };
}

/**
 * @param {unknown} options of one call
 * @param {import('./session.js').SessionInfo} info
 * @param {{maxTokens?: number}} defaults
 * @param {string} where
 * @returns {{maxTokens: number, signal?: AbortSignal}}
 */
export function checkTokenOptions(options, info, defaults, where) {
  const o = named(options, TOKEN_OPTIONS, where);
  checkCount('maxTokens', o.maxTokens, info.maxPositions);
  checkSignal(o.signal);
  return { maxTokens: o.maxTokens ?? defaults.maxTokens ?? 0, signal: o.signal };
}

/**
 * @param {unknown} texts
 * @param {string} where
 * @returns {asserts texts is string[]}
 */
export function checkTexts(texts, where) {
  if (!Array.isArray(texts)) wrong(`${where}: texts is ${kindOf(texts)}, not an array of strings`);
  for (let i = 0; i < texts.length; i++) {
    if (typeof texts[i] !== 'string') wrong(`${where}: texts[${i}] is ${kindOf(texts[i])}, not a string`);
  }
}

/**
 * @param {unknown} text
 * @param {string} where
 * @returns {asserts text is string}
 */
export function checkText(text, where) {
  if (typeof text !== 'string') wrong(`${where}: text is ${kindOf(text)}, not a string`);
}

/**
 * A model as it can be given to a session here.
 * @param {ModelInput} model
 * @returns {ModelSource}
 */
export function resolveModel(model) {
  try {
    if (typeof model === 'string' || model instanceof URL) return absoluteUrl(model);
    if (isPackage(model)) return { ...model, url: absoluteUrl(model.url) };
  } catch (cause) {
    throw new MinnowError('argument', `model: ${/** @type {Error} */ (cause).message}`, { cause });
  }
  return model;
}

/**
 * @param {ModelSource} model
 * @param {boolean} transfer
 * @returns {boolean} sending it to a worker takes it from here
 */
export function isSentOnce(model, transfer) {
  return isResponse(model) || (transfer && bufferOf(model) !== null);
}

/**
 * The same as it can be sent to a worker.
 * @param {ModelSource} model
 * @param {boolean} transfer bytes are handed over, not copied
 * @returns {Promise<{model: ModelSource, transfer: Transferable[]}>}
 */
export async function packModel(model, transfer) {
  if (!isResponse(model)) {
    const buffer = transfer ? bufferOf(model) : null;
    return { model, transfer: buffer === null ? [] : [buffer] };
  }
  if (model.bodyUsed) wrong('model: the Response has been read already');
  const body = canTransferStreams() && model.body !== null ? model.body : await model.arrayBuffer();
  const headers = /** @type {[string, string][]} */ ([...model.headers]);
  return { model: { sent: 'response', body, status: model.status, headers, url: model.url }, transfer: [body] };
}

/**
 * In the session: what packModel made.
 * @param {ModelSource} model
 * @returns {ModelInput}
 */
export function unpackModel(model) {
  if (typeof model !== 'object' || !('sent' in model)) return model;
  const response = new Response(model.body, { status: model.status, headers: model.headers });
  // A Response that was not fetched has no URL; messages name it.
  Object.defineProperty(response, 'url', { value: model.url });
  return response;
}

/** @param {ModelSource} model @returns {model is Response} */
function isResponse(model) {
  return typeof Response === 'function' && model instanceof Response;
}

/** @param {ModelSource} model @returns {ArrayBuffer | null} that can be handed over */
function bufferOf(model) {
  const buffer = ArrayBuffer.isView(model) ? model.buffer : model;
  return buffer instanceof ArrayBuffer ? buffer : null;
}

/** @param {ModelInput} model @returns {model is ModelPackage} */
function isPackage(model) {
  return typeof model === 'object' && Object.prototype.toString.call(model) === '[object Object]' && 'url' in model;
}

/** Safari cannot. */
function canTransferStreams() {
  try {
    const stream = new ReadableStream();
    structuredClone(stream, { transfer: [stream] });
    return true;
  } catch {
    return false;
  }
}
