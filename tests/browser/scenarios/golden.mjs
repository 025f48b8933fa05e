// Minnow - SPDX-License-Identifier: Apache-2.0
// The same bytes as the native engine: every module, every instruction set in it, with and without threads, in a worker
// and inline, against the hashes of tests/golden/same_bytes.json.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Skip } from '../harness.mjs';
import { ROOT, startSite } from '../../../bench/browser/server.mjs';
import { RANDOM, REAL } from '../tools.mjs';

const golden = JSON.parse(readFileSync(join(ROOT, 'tests/golden/same_bytes.json'), 'utf8'));
/** @param {string} name @param {number} n */
const expected = (name, n) => golden.models.find((/** @type {any} */ model) => model.name === name).vectors[n];

const ISAS = ['wasm-relaxed', 'wasm-relaxed-pairs', 'wasm-simd128', 'scalar'];

/** In the page: loads as told, embeds the first n texts at once and the last of them alone. */
async function hashes({ Minnow, goldenTexts, vectorsHash, similarity }, { model, n, load }) {
  const texts = await goldenTexts(n);
  const minnow = await Minnow.load({ model, cache: false, ...load });
  const vectors = await minnow.embed(texts);
  const alone = await minnow.embed(texts[n - 1]);
  await minnow.close();
  const same = alone.every((value, i) => Object.is(value, vectors[n - 1][i]));
  return { hash: await vectorsHash(vectors), same, picked: minnow.picked };
}

/**
 * @param {any} browser
 * @param {{model: string, n: number, load: object}} argument
 * @param {{isolated?: boolean}} [options]
 */
async function check(browser, argument, { isolated = true } = {}) {
  const site = await startSite({ isolated });
  try {
    const name = argument.model === RANDOM ? 'random' : 'all-MiniLM-L6-v2';
    const { hash, same, picked } = await browser.run(site, hashes, { argument });
    assert.equal(hash, expected(name, argument.n), JSON.stringify(picked));
    assert.ok(same, 'a text alone has other bytes than in its batch');
    return picked;
  } finally {
    await site.close();
  }
}

/** @param {any} picked */
const shown = ({ isa, threads, worker, reason }) =>
  [isa, `${threads} thread${threads > 1 ? 's' : ''}`, worker, reason].filter(Boolean).join(', ');

/** @type {import('../run.mjs').Scenario[]} */
export const scenarios = [];

for (const isa of ISAS) {
  for (const threads of [1, 2, 3]) {
    const n = isa === 'scalar' ? 100 : 2000;
    scenarios.push({
      name: `golden: random model, ${isa}, ${threads} thread${threads > 1 ? 's' : ''}, ${n} texts`,
      run: async (browser) => {
        const picked = await check(browser, { model: RANDOM, n, load: { isa, threads } });
        assert.equal(picked.isa, isa);
        assert.equal(picked.threads, threads);
      },
    });
  }
}

for (const load of [{ worker: false }, { isa: 'simd' }, { isa: 'relaxed' }, { threads: 1 }, {}]) {
  scenarios.push({
    name: `golden: random model, ${JSON.stringify(load)}`,
    run: async (browser) => shown(await check(browser, { model: RANDOM, n: 100, load })),
  });
}

for (const load of [{ isa: 'wasm-relaxed' }, { isa: 'wasm-relaxed-pairs' }, { isa: 'wasm-simd128' }, { threads: 1 },
  { threads: 2 }, {}]) {
  scenarios.push({
    name: `golden: real model, ${JSON.stringify(load)}, 100 texts`,
    run: async (browser) => {
      if (!existsSync(join(ROOT, REAL))) throw new Skip('no real model (make model)');
      return shown(await check(browser, { model: REAL, n: 100, load }));
    },
  });
}

scenarios.push({
  name: 'golden: a page that is not isolated runs one thread, and says so',
  run: async (browser) => {
    const picked = await check(browser, { model: RANDOM, n: 100, load: { threads: 2 } }, { isolated: false });
    assert.equal(picked.threads, 1);
    assert.match(picked.reason, /not cross-origin isolated/);
  },
});

for (const load of [{ isa: 'simd', threads: 1 }, { isa: 'simd', threads: 2 }, {}]) {
  scenarios.push({
    name: `golden: Firefox, random model, ${JSON.stringify(load)}`,
    in: 'firefox',
    run: async (browser) => shown(await check(browser, { model: RANDOM, n: 2000, load })),
  });
}
