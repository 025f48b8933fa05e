// Minnow - SPDX-License-Identifier: Apache-2.0
// `precision`, `dimensions` and `normalize` of embed and embedBatch against the functions of vector.js.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { Minnow } from '../src/inline.js';
import { quantizeVector, truncateVector } from '../src/vector.js';

const texts = ['ok', '', 'The plain wire stood by the label until they came to climb it.'];
/** @type {Minnow} */
let minnow;
before(async () => {
  const bytes = readFileSync(new URL('../../tests/golden/random.minnow', import.meta.url));
  minnow = await Minnow.load({ model: bytes });
});
after(() => minnow.close());

for (const normalize of [true, false]) {
  for (const precision of /** @type {const} */ (['float32', 'int8', 'binary', 'ubinary'])) {
    for (const dimensions of [80, 50, 8, 1]) {
      test(`${precision}, ${dimensions} dimensions, normalize ${normalize}`, async () => {
        const options = { precision, dimensions, normalize };
        const full = await minnow.embed(texts, { normalize });
        const wanted = full.map((vector) => quantizeVector(truncateVector(vector, dimensions, normalize), precision));
        const batch = await minnow.embedBatch(texts, options);
        assert.deepEqual(batch.dims, [texts.length, wanted[0].length]);
        assert.deepEqual([...batch.data], wanted.flatMap((vector) => [...vector]));
        assert.equal(batch.data.constructor, wanted[0].constructor);
        assert.deepEqual(await minnow.embed(texts, options), wanted);
        assert.deepEqual(await minnow.embed(texts[0], options), wanted[0]);
      });
    }
  }
}
