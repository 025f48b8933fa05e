// Minnow - SPDX-License-Identifier: Apache-2.0
// Drives a browser: pages in, their results out. A page's script is one function, written beside the test and sent as
// text, so it sees only what it is given:
//
//   const page = await browser.open(site, async ({ Minnow, vectorsHash }, argument) => { ...; return result; },
//     { argument });
//   const result = await page.result();          JSON; rejects with what the function threw
//   await page.reload();                         runs it again
//
// It runs as a module script of the page, from the page's origin: what a Content-Security-Policy forbids, it cannot do.
// Chromium is driven by playwright-core; Firefox is only started with the page's address, and the page sends its result
// back.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { ROOT } from '../../bench/browser/server.mjs';

/** @typedef {import('../../bench/browser/server.mjs').Site} Site */
/** @typedef {(tools: any, argument: any) => unknown} PageScript */
/**
 * @typedef {object} PageOptions
 * @property {unknown} [argument] JSON, the script's second argument
 * @property {Record<string, string>} [headers] of the page
 * @property {string | null} [entry] the package's module whose exports are among the tools; null: none. Default ENTRY
 * @property {string} [host] as which the site is asked. Default localhost
 */

/** What is tested: the package's source as it is. MINNOW_ENTRY=/js/dist/index.js: what `npm run build` made of it. */
export const ENTRY = process.env.MINNOW_ENTRY ?? '/js/src/index.js';
export const ENTRY_INLINE = ENTRY.replace(/index\.js$/, 'inline.js');
const TOOLS = '/tests/browser/tools.mjs';

const CHROMIUM_FLAGS =
  ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--host-resolver-rules=MAP plain.test 127.0.0.1'];

/** @param {string} variable @param {string} usual @returns {string | null} null: it is not here */
function program(variable, usual) {
  const path = process.env[variable] ?? usual;
  return existsSync(path) ? path : null;
}
export const chromiumPath = () => program('CHROMIUM', '/usr/bin/chromium');
export const firefoxPath = () => program('FIREFOX', '/usr/bin/firefox-esr');

/** playwright-core is the package's devDependency. */
export async function playwright() {
  const module = createRequire(join(ROOT, 'js', 'package.json')).resolve('playwright-core');
  const { default: exported } = await import(pathToFileURL(module).href);
  return exported.chromium;
}

/** Thrown by a test that needs what is not here. */
export class Skip extends Error {}

let scripts = 0;

/**
 * Puts a page and its script on a site.
 * @param {Site} site
 * @param {PageScript} script
 * @param {PageOptions} options
 * @returns {string} the page's URL
 */
function publish(site, script, { argument = null, headers, entry = ENTRY, host }) {
  const number = ++scripts;
  const imports = entry === null ? 'const entry = {};' : `import * as entry from ${JSON.stringify(entry)};`;
  site.answer(`/page-${number}.mjs`, { type: 'text/javascript', body: `
import * as tools from ${JSON.stringify(TOOLS)};
${imports}
const script = ${script};
globalThis.result = tools.settled(() => script({ ...tools, ...entry }, ${JSON.stringify(argument)}));
const post = new URL(location.href).searchParams.get('post');
if (post !== null) fetch(post, { method: 'POST', body: JSON.stringify(await globalThis.result) });
` });
  site.answer(`/page-${number}`, { type: 'text/html', headers, body: `<!doctype html><meta charset=utf-8>
<title>test</title><link rel=icon href=data:,><script type=module src=/page-${number}.mjs></script>` });
  return site.url(`/page-${number}`, host);
}

/** @param {{value?: unknown, error?: {name: string, message: string, stack: string}}} settled */
function unsettle({ value, error }) {
  if (error === undefined) return value;
  throw Object.assign(new Error(`in the page: ${error.name}: ${error.message}`), { stack: error.stack });
}

/** A Chromium with a profile of its own for each context. */
export class Chromium {
  /** @param {any} browser */
  constructor(browser) {
    this.browser = browser;
  }

  /** @param {string[]} [flags] further ones */
  static async start(flags = []) {
    const chromium = await playwright();
    const args = [...CHROMIUM_FLAGS, ...flags];
    return new Chromium(await chromium.launch({ executablePath: chromiumPath(), args }));
  }

  async close() {
    await this.browser.close();
  }

  /** Cookies, caches and the like are a context's. */
  async context() {
    return new Context(await this.browser.newContext());
  }

  /**
   * A page in a context of its own, which goes with it.
   * @param {Site} site @param {PageScript} script @param {PageOptions} [options]
   */
  async open(site, script, options) {
    const context = await this.context();
    const page = await context.open(site, script, options);
    page.owner = context;
    return page;
  }

  /**
   * Opens a page, waits for its result and closes it.
   * @param {Site} site @param {PageScript} script @param {PageOptions} [options]
   * @returns {Promise<any>}
   */
  async run(site, script, options) {
    return resultOf(await this.open(site, script, options));
  }
}

/**
 * A page's result; the page is closed.
 * @param {Page} page
 * @returns {Promise<any>}
 */
async function resultOf(page) {
  try {
    return await page.result();
  } finally {
    await page.close();
  }
}

export class Context {
  /** @param {any} context */
  constructor(context) {
    this.context = context;
  }

  /** @param {Site} site @param {PageScript} script @param {PageOptions} [options] */
  async open(site, script, options = {}) {
    const page = new Page(await this.context.newPage());
    await page.page.goto(publish(site, script, options));
    return page;
  }

  /**
   * @param {Site} site @param {PageScript} script @param {PageOptions} [options]
   * @returns {Promise<any>}
   */
  async run(site, script, options) {
    return resultOf(await this.open(site, script, options));
  }

  async close() {
    await this.context.close();
  }
}

export class Page {
  /** @param {any} page */
  constructor(page) {
    this.page = page;
    /** @type {Context | null} closed with the page */
    this.owner = null;
    /** @type {string[]} what the console said in red, and errors that nobody caught */
    this.errors = [];
    page.on('console', (/** @type {any} */ message) => message.type() === 'error' && this.errors.push(message.text()));
    page.on('pageerror', (/** @type {Error} */ error) => this.errors.push(String(error)));
  }

  /** @returns {Promise<any>} what the page's script returned */
  async result() {
    const settled = await this.page.evaluate('globalThis.result');
    if (settled === undefined) throw new Error(`the page's script did not run: ${this.errors.join('; ')}`);
    return unsettle(settled);
  }

  async reload() {
    await this.page.reload();
  }

  /** Bytes that JavaScript's objects take after a collection. @returns {Promise<number>} */
  async heapBytes() {
    const session = await this.page.context().newCDPSession(this.page);
    await session.send('HeapProfiler.collectGarbage');
    const { usedSize } = await session.send('Runtime.getHeapUsage');
    await session.detach();
    return usedSize;
  }

  /** Memory that the browser's renderer processes have, after a collection. @returns {Promise<number>} */
  async residentBytes() {
    await this.heapBytes();
    const session = await this.page.context().browser().newBrowserCDPSession();
    const { processInfo } = await session.send('SystemInfo.getProcessInfo');
    await session.detach();
    const sizes = processInfo.filter((/** @type {any} */ { type }) =>
      type === 'renderer').map((/** @type {any} */ { id }) =>
      Number(/VmRSS:\s*(\d+)/.exec(readFileSync(`/proc/${id}/status`, 'utf8'))?.[1]) * 1024);
    return sizes.reduce((/** @type {number} */ sum, /** @type {number} */ size) => sum + size, 0);
  }

  async close() {
    await this.page.close();
    await this.owner?.close();
  }
}

/** Firefox as it is installed: each page is a process with a profile of its own. */
export class Firefox {
  /**
   * @param {Site} site @param {PageScript} script @param {PageOptions & {limitMs?: number}} [options]
   * @returns {Promise<any>}
   */
  async run(site, script, { limitMs = 110000, ...options } = {}) {
    const url = publish(site, script, options);
    const profile = await mkdtemp(join(tmpdir(), 'minnow-firefox-'));
    /** @type {import('node:child_process').ChildProcess | undefined} */
    let process;
    /** @type {NodeJS.Timeout | undefined} */
    let timer;
    try {
      const settled = await new Promise((resolve, reject) => {
        site.handle('/result', (_, body) => resolve(JSON.parse(body)));
        const args = ['--headless', '--no-remote', '--profile', profile, `${url}?post=/result`];
        process = spawn(/** @type {string} */ (firefoxPath()), args, { stdio: 'ignore' });
        process.on('error', reject);
        process.on('exit', (code) => reject(new Error(`Firefox ended with ${code}`)));
        timer = setTimeout(() => reject(new Error(`Firefox: no result after ${limitMs} ms`)), limitMs);
      });
      return unsettle(settled);
    } finally {
      clearTimeout(timer);
      await ended(process);
      await rm(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    }
  }
}

/** @param {import('node:child_process').ChildProcess | undefined} process */
async function ended(process) {
  if (process === undefined || process.exitCode !== null || process.signalCode !== null) return;
  const exit = new Promise((resolve) => process.once('exit', resolve));
  process.kill('SIGTERM');
  const hard = setTimeout(() => process.kill('SIGKILL'), 5000);
  await exit;
  clearTimeout(hard);
}
