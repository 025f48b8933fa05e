// Minnow - SPDX-License-Identifier: Apache-2.0
//
// Minnow in Chromium beside onnxruntime-web and transformers.js, all in one run.
//
// usage: node bench.mjs [--site FOLDER] [--chromium PROGRAM] [--only speed,cold,warm,memory,longtasks] [--out FILE]
//                       [--tokens 8,16,...] [--rounds N] [--runs N]
//
// --site is what prepare.mjs made (default: site beside this file). Nothing but this folder with its
// node_modules/playwright-core, the site and Chromium is needed, and no network: all can be carried to another machine.
// --rounds: turns of each engine at each length; --runs: cold starts of each product, and four times as many warm ones.
// --out gets JSON lines, a row each: measure 'machine', 'speed', 'cold start', 'warm start', 'memory', 'long tasks'. A
// table of the same goes to stdout, progress to stderr.

import { promises as fs } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { launch } from './chromium.mjs';
import { measureLongTasks, measureMemory } from './memory.mjs';
import { rateLimited, startSite } from './server.mjs';
import { measureSpeed } from './speed.mjs';
import { LINE, measureColdStart, measureWarmStart } from './start.mjs';
import { markdown } from './table.mjs';

const MEASURES = ['speed', 'cold', 'warm', 'memory', 'longtasks'];

function options() {
  const { values } = parseArgs({
    options: {
      site: { type: 'string', default: path.join(path.dirname(fileURLToPath(import.meta.url)), 'site') },
      chromium: { type: 'string', default: process.env.CHROMIUM ?? '/usr/bin/chromium' },
      only: { type: 'string', default: MEASURES.join(',') },
      out: { type: 'string' },
      tokens: { type: 'string', default: '8,16,32,64,128,256' },
      rounds: { type: 'string', default: '10' },
      runs: { type: 'string', default: '5' },
    },
  });
  const only = values.only.split(',');
  const unknown = only.find((name) => !MEASURES.includes(name));
  if (unknown !== undefined) throw new Error(`--only ${unknown}: there are ${MEASURES.join(', ')}`);
  const tokens = values.tokens.split(',').map(Number);
  if (!tokens.every((n) => Number.isInteger(n) && n >= 3 && n <= 512)) {
    throw new Error(`--tokens ${values.tokens}: 3 to 512 each`);
  }
  return { ...values, only, tokens, rounds: Number(values.rounds), runs: Number(values.runs) };
}

function machine(browser) {
  return {
    measure: 'machine', processor: os.cpus()[0]?.model ?? 'unknown', processors: os.availableParallelism(),
    chromium: browser.version(), node: process.version, load: Number(os.loadavg()[0].toFixed(2)),
  };
}

/** Runs `measure` with a server for it. */
async function served(site, how, measure) {
  const server = await startSite({ folders: { '/': site }, ...how });
  try {
    return await measure(server.url('/', '127.0.0.1'));
  } finally {
    await server.close();
  }
}

async function main() {
  const o = options();
  await fs.access(path.join(o.site, 'speed.html')).catch(() => {
    throw new Error(`${o.site} is not what prepare.mjs makes: run \`make bench-browser\``);
  });
  const browser = await launch(o.chromium);
  const rows = [machine(browser)];
  const isolated = { isolated: true };
  const kept = { ...isolated, headers: { 'cache-control': 'max-age=31536000, immutable' } };
  try {
    /** @type {[string, object, (url: string) => Promise<object[]>][]} */
    const measures = [
      ['speed', isolated, (url) => measureSpeed(browser, url, o)],
      ['cold', { link: rateLimited(LINE) }, (url) => measureColdStart(browser, url, o.runs)],
      ['warm', kept, (url) => measureWarmStart(browser, url, 4 * o.runs)],
      ['memory', isolated, (url) => measureMemory(browser, url)],
      ['longtasks', isolated, (url) => measureLongTasks(browser, url)],
    ];
    for (const [name, how, measure] of measures) {
      if (o.only.includes(name)) rows.push(...await served(o.site, how, measure));
    }
  } finally {
    await browser.close();
  }
  if (o.out) {
    await fs.mkdir(path.dirname(path.resolve(o.out)), { recursive: true });
    await fs.writeFile(o.out, rows.map((row) => JSON.stringify(row) + '\n').join(''));
  }
  process.stdout.write(markdown(rows));
}

main().catch((error) => {
  process.stderr.write(`bench.mjs: ${error.message}\n`);
  process.exitCode = 1;
});
