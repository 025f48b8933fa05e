// Minnow - SPDX-License-Identifier: Apache-2.0
//
// What a page costs beside time: its memory with the model loaded, and whether its main thread was ever held up.

import { promises as fs } from 'node:fs';

import { openPage, rounded } from './chromium.mjs';
import { visit } from './start.mjs';

const PAGES = [
  { engine: 'empty page', config: '', page: 'empty.html' },
  { engine: 'minnow', config: 'main thread', page: 'cold-minnow.html' },
  { engine: 'minnow', config: 'in a worker', page: 'cold-minnow.html?worker' },
  { engine: 'transformers.js', config: 'main thread', page: 'cold-transformers.html' },
];
const EMBEDDINGS = 50; // calls while long tasks are watched for

/**
 * Bytes by performance.measureUserAgentSpecificMemory, after a collection. Chromium counts buffers and shared WASM
 * memory there and leaves out WASM memory that is not shared: the page knows how much, and it is added.
 */
async function memoryOf(page, devtools) {
  await devtools.send('HeapProfiler.collectGarbage');
  return page.evaluate(async () => {
    const { bytes, breakdown } = await performance.measureUserAgentSpecificMemory();
    const parts = breakdown.filter((part) => part.bytes > 0).map((part) => ({ bytes: part.bytes, types: part.types }));
    return { bytes, wasm: window.unmeasuredBytes ?? 0, parts };
  });
}

/**
 * Memory of all renderers' own pages, as the system counts it: what this site costs beside what an empty page does.
 * @returns {Promise<number | null>} bytes; null where the system does not say
 */
async function renderersOf(browser) {
  const session = await browser.newBrowserCDPSession();
  try {
    const { processInfo } = await session.send('SystemInfo.getProcessInfo');
    let kilobytes = 0;
    for (const { type, id } of processInfo) {
      if (type !== 'renderer') continue;
      const text = await fs.readFile(`/proc/${id}/smaps_rollup`, 'utf8');
      for (const match of text.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+) kB/gm)) kilobytes += Number(match[1]);
    }
    return kilobytes * 1024;
  } catch {
    return null;
  } finally {
    await session.detach();
  }
}

/**
 * @param {import('playwright-core').Browser} browser with no page open
 * @param {string} url of the site, cross-origin isolated
 */
export async function measureMemory(browser, url) {
  const rows = [];
  let empty = null;
  for (const { engine, config, page: file } of PAGES) {
    const opened = await openPage(browser);
    const { page, devtools, close } = opened;
    try {
      if (engine === 'empty page') await page.goto(url + file);
      else await visit(opened, url + file);
      const { bytes, wasm, parts } = await memoryOf(page, devtools);
      const renderers = await renderersOf(browser);
      if (engine === 'empty page') {
        empty = renderers;
        continue;
      }
      const beside = renderers === null || empty === null ? {} : { process_mb: rounded((renderers - empty) / 1e6, 1) };
      rows.push({
        measure: 'memory', engine, config, mb: rounded((bytes + wasm) / 1e6, 1), measured_mb: rounded(bytes / 1e6, 1),
        wasm_mb: rounded(wasm / 1e6, 1), ...beside, parts,
      });
      process.stderr.write(`memory: ${engine}, ${config}: ${((bytes + wasm) / 1e6).toFixed(1)} MB\n`);
    } finally {
      await close();
    }
  }
  return rows;
}

/**
 * Tasks of more than 50 ms on the main thread while the model is loaded in a worker and texts are embedded.
 * @param {import('playwright-core').Browser} browser
 * @param {string} url
 */
export async function measureLongTasks(browser, url) {
  const opened = await openPage(browser);
  const { page, close } = opened;
  try {
    await page.addInitScript(() => {
      window.longTasks = [];
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) window.longTasks.push({ start_ms: entry.startTime, ms: entry.duration });
      }).observe({ type: 'longtask', buffered: true });
    });
    await visit(opened, `${url}cold-minnow.html?worker`);
    const tasks = await page.evaluate(async (n) => {
      for (let i = 0; i < n; i++) await window.minnow.embed(`${i} `.repeat(100));
      await new Promise((resolve) => setTimeout(resolve, 100)); // observers hear of a task after it
      return window.longTasks;
    }, EMBEDDINGS);
    return [{
      measure: 'long tasks', engine: 'minnow', config: 'in a worker', embeddings: EMBEDDINGS, count: tasks.length,
      longest_ms: rounded(Math.max(0, ...tasks.map((t) => t.ms)), 1), tasks,
    }];
  } finally {
    await close();
  }
}
