// Minnow - SPDX-License-Identifier: Apache-2.0
// Which WASM module to run: what this machine can validate, whether memory can be shared, and where the modules lie.
import { MinnowError } from './errors.js';
import { fetchWasm } from './load/wasm.js';
import { absoluteUrl, canShareMemory, ownUrl, processors } from './platform.js';

/** @typedef {'simd'|'relaxed'|'simd-threads'|'relaxed-threads'} Variant */
/** @typedef {string | WebAssembly.Module | ArrayBuffer} ModuleSource an absolute URL, or what was there */
/** @typedef {Partial<Record<Variant, ModuleSource>>} ModuleSources */

/** @type {Variant[]} */
const VARIANTS = ['simd', 'relaxed', 'simd-threads', 'relaxed-threads'];

// Modules of one function, () -> v128. WebAssembly.validate says whether this machine has their last instruction; a
// whole module with one instruction too many does not even compile.
const HEAD = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]; // "\0asm", version 1
const TYPE = [1, 5, 1, 0x60, 0, 1, 0x7b]; //           type section: one, (func (result v128))
const FUNCTION = [3, 2, 1, 0]; //                      function section: one, of type 0
const SPLAT = [0x41, 0, 0xfd, 0x0f]; //                i32.const 0, i8x16.splat
// Code section: its bytes, one body, the body's bytes, no locals, the instructions, end.
const SIMD_PROBE = [...HEAD, ...TYPE, ...FUNCTION, 10, 8, 1, 6, 0, ...SPLAT, 0x0b];
const RELAXED_PROBE = [...HEAD, ...TYPE, ...FUNCTION, 10, 19, 1, 17, 0, ...SPLAT, ...SPLAT, ...SPLAT,
  0xfd, 0x93, 0x02, 0x0b]; // i32x4.relaxed_dot_i8x16_i7x16_add_s

/** @param {number[]} bytes */
const valid = (bytes) => WebAssembly.validate(new Uint8Array(bytes));

/**
 * The package's own modules. Written out one by one, because bundlers look for just these expressions.
 * @returns {ModuleSources}
 */
function ownModules() {
  return {
    simd: ownUrl(new URL('../wasm/minnow-simd.wasm', import.meta.url)),
    relaxed: ownUrl(new URL('../wasm/minnow-relaxed.wasm', import.meta.url)),
    'simd-threads': ownUrl(new URL('../wasm/minnow-simd-threads.wasm', import.meta.url)),
    'relaxed-threads': ownUrl(new URL('../wasm/minnow-relaxed-threads.wasm', import.meta.url)),
  };
}

/**
 * @param {unknown} wasmUrl the option: a folder's URL, or modules by variant, or nothing
 * @returns {ModuleSources}
 */
export function moduleSources(wasmUrl) {
  if (wasmUrl === undefined) return ownModules();
  /** @type {ModuleSources} */
  const sources = {};
  if (typeof wasmUrl === 'string' || wasmUrl instanceof URL) {
    const folder = absoluteUrl(wasmUrl).replace(/\/?$/, '/');
    for (const variant of VARIANTS) sources[variant] = `${folder}minnow-${variant}.wasm`;
    return sources;
  }
  if (typeof wasmUrl !== 'object' || wasmUrl === null) {
    throw new MinnowError('argument', `wasmUrl is a folder's URL, or an object of URLs by ${VARIANTS.join(', ')}`);
  }
  for (const [name, source] of Object.entries(wasmUrl)) {
    const variant = VARIANTS.find((known) => known === name);
    if (variant === undefined) throw new MinnowError('argument', `wasmUrl.${name}: there are ${VARIANTS.join(', ')}`);
    const isUrl = typeof source === 'string' || source instanceof URL;
    sources[variant] = isUrl ? absoluteUrl(source) : source;
  }
  if (sources.simd === undefined && sources.relaxed === undefined) {
    throw new MinnowError('argument', 'wasmUrl names neither simd nor relaxed');
  }
  return sources;
}

/**
 * @param {ModuleSources} sources
 * @param {{threads?: number, isa?: string, inline?: boolean}} wanted
 * @returns {{simd: 'relaxed'|'simd', variant: Variant, threads: number, reason: string}}
 */
export function pickVariant(sources, { threads, isa, inline = false }) {
  if (typeof WebAssembly !== 'object' || !valid(SIMD_PROBE)) {
    throw new MinnowError('no-simd',
      'this browser has no WebAssembly SIMD: Chrome 91, Firefox 89, Safari 16.4 and later do');
  }
  /** @type {string[]} */
  const reasons = [];
  const hasRelaxed = valid(RELAXED_PROBE);
  const wantsRelaxed = isa?.includes('relaxed') ?? true;
  let simd = /** @type {'relaxed'|'simd'} */ ('simd');
  if (sources.relaxed !== undefined && hasRelaxed && (wantsRelaxed || sources.simd === undefined)) simd = 'relaxed';
  else if (isa?.includes('relaxed')) throw new MinnowError('unsupported', `isa ${isa}: no relaxed SIMD here`);
  else if (!hasRelaxed) reasons.push('no relaxed SIMD here');
  if (sources[simd] === undefined)
    throw new MinnowError('no-simd', 'no relaxed SIMD here, and wasmUrl names no simd module');

  let count = threads ?? Math.min(4, Math.ceil(processors() / 2));
  if (count > 1 && inline) {
    count = 1;
    if (threads !== undefined) reasons.push('one thread: threads need the worker');
  } else if (count > 1 && !canShareMemory()) {
    count = 1;
    reasons.push('one thread: the page is not cross-origin isolated');
  } else if (count > 1 && sources[`${simd}-threads`] === undefined) {
    count = 1;
    reasons.push(`one thread: wasmUrl has no ${simd}-threads`);
  }
  return { simd, variant: count > 1 ? `${simd}-threads` : simd, threads: count, reason: reasons.join('; ') };
}

/**
 * Fetches and compiles, as it comes where the server names its type right.
 * @param {ModuleSource} source
 * @param {AbortSignal} [signal]
 * @returns {Promise<WebAssembly.Module>}
 */
export async function compileModule(source, signal) {
  if (source instanceof WebAssembly.Module) return source;
  if (typeof source !== 'string') return compiled(WebAssembly.compile(source), 'wasmUrl');
  const content = await fetchWasm(source, signal);
  // Not instanceof: an answer may come from another realm.
  if ('headers' in content) return compiled(WebAssembly.compileStreaming(content), source);
  return compiled(WebAssembly.compile(content), source);
}

/**
 * What a module asks for.
 * @param {WebAssembly.Module} module
 * @param {WebAssembly.Memory} [memory]
 * @returns {WebAssembly.Imports}
 */
export function moduleImports(module, memory) {
  /** @type {Record<string, WebAssembly.ImportValue>} */
  const env = { now: () => performance.now() };
  if (memory !== undefined) env.memory = memory;
  /** @type {WebAssembly.Imports} */
  const imports = { env };
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    if (from !== 'env' || env[name] === undefined) {
      throw new MinnowError('unsupported', `the WASM module asks for ${kind} ${from}.${name}`);
    }
  }
  return imports;
}

/**
 * @param {Promise<WebAssembly.Module>} promise
 * @param {string} source
 */
async function compiled(promise, source) {
  try {
    return await promise;
  } catch (cause) {
    throw wasmError(cause, source);
  }
}

/**
 * What a browser throws from compile and instantiate, as one of our errors.
 * @param {unknown} cause
 * @param {string} source
 * @returns {MinnowError}
 */
export function wasmError(cause, source) {
  const message = cause instanceof Error ? cause.message : String(cause);
  if (/content security policy|blocked by csp|wasm-unsafe-eval|unsafe-eval/i.test(message)) {
    return new MinnowError('csp',
      "the Content-Security-Policy forbids WebAssembly: add 'wasm-unsafe-eval' to script-src", { cause });
  }
  if (cause instanceof RangeError || /out of memory|could not allocate|memory/i.test(message)) {
    return new MinnowError('memory', `${source}: ${message}`, { cause });
  }
  return new MinnowError('format', `${source}: ${message}`, { cause });
}
