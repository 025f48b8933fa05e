// Minnow - SPDX-License-Identifier: Apache-2.0
// examples/js in Chromium, as they are: the package as it is built (`make js`) and a model lie beside them.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Skip } from '../harness.mjs';
import { ROOT, startSite } from '../../../bench/browser/server.mjs';
import { RANDOM } from '../tools.mjs';

const FOLDER = '/examples/js';

async function startExamples() {
  if (!existsSync(join(ROOT, 'js/dist/index.js'))) throw new Skip('not built: make js');
  const site = await startSite({ folders: { '/': ROOT, [`${FOLDER}/minnow-embed/`]: join(ROOT, 'js') } });
  site.answer(`${FOLDER}/model.minnow`, { body: readFileSync(join(ROOT, RANDOM)) });
  return site;
}

/** The page shows how alike its texts are, and again when one of them changes. @param {any} browser */
async function page(browser) {
  const site = await startExamples();
  const { context } = await browser.context();
  try {
    const opened = await context.newPage();
    await opened.goto(site.url(`${FOLDER}/browser.html`));
    await opened.waitForFunction(
      "!/^(Loading|[a-z]+: \\d+ of \\d+)$/.test(document.getElementById('out').textContent)");
    assert.match(await opened.textContent('#out'), /^-?\d\.\d{3}$/);
    await opened.fill('#b', await opened.inputValue('#a'));
    await opened.waitForFunction("document.getElementById('out').textContent === '1.000'", null, { timeout: 10_000 });
  } finally {
    await context.close();
    await site.close();
  }
}

/** In a page: asks the example's service worker for two vectors, and for one of what is no text. */
async function asksServiceWorker() {
  const registration = await navigator.serviceWorker.register('/examples/js/service-worker.js', { type: 'module' });
  const coming = registration.installing;
  await new Promise((resolve) => {
    if (registration.active) resolve(undefined);
    else coming?.addEventListener('statechange', () => coming.state === 'activated' && resolve(undefined));
  });
  const answerTo = (/** @type {unknown} */ text) => new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }) => resolve(data instanceof Float32Array ? [...data] : data);
    registration.active?.postMessage({ text }, [port2]);
  });
  return [await answerTo('one text'), await answerTo('one text'), await answerTo(7)];
}

/** @param {any} browser */
async function serviceWorker(browser) {
  const site = await startExamples();
  try {
    const [first, second, wrong] = await browser.run(site, asksServiceWorker, { entry: null });
    assert.equal(first.length, 80, JSON.stringify(first));
    assert.deepEqual(second, first);
    assert.match(wrong.error, /a number is no string/);
    assert.equal(site.requests.filter(({ path }) => path.endsWith('/model.minnow')).length, 1,
      'the model is loaded once');
  } finally {
    await site.close();
  }
}

/** @type {import('../run.mjs').Scenario[]} */
export const scenarios = [
  { name: 'examples: browser.html', run: page },
  { name: 'examples: service-worker.js', run: serviceWorker },
];
