// Minnow - SPDX-License-Identifier: Apache-2.0
// web/ in Chromium: the demo from typing to a similarity, and what both pages say where something is not there.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { ROOT, startSite } from '../../../bench/browser/server.mjs';
import { RANDOM } from '../tools.mjs';

const FOLDERS = { '/': join(ROOT, 'web'), '/minnow/': join(ROOT, 'js') };
const MODEL = { '/models/model.minnow': join(ROOT, RANDOM) };

/**
 * A page of web/, open; what it says in red on its console fails the test, but for files that are not there.
 * @param {any} browser
 * @param {string} name
 * @param {{folders: Record<string, string>}} options
 * @param {(page: any) => Promise<void>} test
 */
async function withPage(browser, name, { folders }, test) {
  const site = await startSite({ folders, isolated: true });
  const { context } = await browser.context();
  /** @type {string[]} */
  const errors = [];
  try {
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    page.on('pageerror', (/** @type {Error} */ error) => errors.push(String(error)));
    page.on('console', (/** @type {any} */ message) => {
      if (message.type() === 'error' && !/Failed to load resource/.test(message.text())) errors.push(message.text());
    });
    await page.goto(site.url(`/${name}`));
    await test(page);
    assert.deepEqual(errors, []);
  } finally {
    await context.close();
    await site.close();
  }
}

/** @param {any} page @param {string} id @param {RegExp} text that the element comes to have */
async function says(page, id, text) {
  await page.waitForFunction(([of, source]) => new RegExp(source).test(document.getElementById(of).textContent),
    [id, text.source]);
}

/** @param {any} browser */
async function demo(browser) {
  await withPage(browser, '', { folders: { ...FOLDERS, ...MODEL } }, async (page) => {
    await says(page, 'score', /^-?\d\.\d{3}$/);
    await page.fill('#text-0', 'the same words');
    await page.fill('#text-1', 'other words than those');
    await says(page, 'count-1', /^\d+ tokens/);
    assert.notEqual(await page.textContent('#score'), '1.000');
    await page.fill('#text-1', 'the same words');
    await says(page, 'score', /^1\.000$/);
    assert.match(await page.textContent('#tokens-1'), /the.*same.*words/);
    assert.match(await page.textContent('#fact-time'), /^\d+\.\d ms for \d+ tokens$/);
    assert.match(await page.textContent('#fact-where'), /^in a worker$/);
    assert.match(await page.textContent('#fact-memory'), /^\d+\.\d MB$/);
    await page.fill('#text-0', '');
    await says(page, 'verdict', /^Type two texts\.$/);
    await page.click('#examples button');
    await says(page, 'score', /^-?\d\.\d{3}$/);
    assert.ok(!(await page.isVisible('#loading')) && !(await page.isVisible('#problem')));
  });
}

/** @param {any} browser */
async function demoWithoutModel(browser) {
  await withPage(browser, '', { folders: FOLDERS }, async (page) => {
    await says(page, 'problem', /model\.minnow: HTTP 404.*`make web`/);
    assert.ok(await page.isVisible('#load'), 'it can be tried again');
  });
}

/** @param {any} browser */
async function compare(browser) {
  await withPage(browser, 'compare.html', { folders: { ...FOLDERS, ...MODEL } }, async (page) => {
    await says(page, 'problem', /`make web-peers`/);
    await page.click('#start');
    await says(page, 'problem', /`make web-peers`/);
    assert.ok(await page.isVisible('#problem'));
    assert.ok(await page.isEnabled('#start') && !(await page.isVisible('#results')));
  });
  await withPage(browser, 'compare.html', { folders: FOLDERS }, (page) => says(page, 'problem', /`make model`/));
}

/** @type {import('../run.mjs').Scenario[]} */
export const scenarios = [
  { name: 'pages: the demo, two texts typed', run: demo },
  { name: 'pages: the demo without a model', run: demoWithoutModel },
  { name: 'pages: side by side, peers not installed', run: compare },
];
