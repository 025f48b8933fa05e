// Minnow - SPDX-License-Identifier: Apache-2.0
// What `minnow quantize --to onnx` writes, in onnxruntime-web and in minnow-full.wasm, both in Chromium.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { PEERS, inChromium } from '../../everywhere/peers.mjs';
import { compared, pooled } from '../../everywhere/vectors.mjs';
import { Skip } from '../harness.mjs';
import { ROOT } from '../../../bench/browser/server.mjs';

const GOLDEN = join(ROOT, 'tests/golden/onnx/bert_minnow_qdq');
const FULL = join(ROOT, 'js/wasm/minnow-full.wasm');

/** Single texts of token type 0, with what onnxruntime makes of them. */
function goldenTexts() {
  const { cases } = JSON.parse(readFileSync(`${GOLDEN}.json`, 'utf8'));
  const single = cases.filter((/** @type {any} */ { inputs }) => inputs.input_ids.length === 1 &&
    inputs.token_type_ids[0][0] === 0);
  return {
    rows: single.map((/** @type {any} */ { inputs }) => inputs.input_ids[0]),
    vectors: single.map((/** @type {any} */ { outputs }) => {
      const [hidden] = outputs.last_hidden_state;
      return pooled(hidden.flat(), hidden.length);
    }),
  };
}

/** @param {any} browser @param {'minnow' | 'onnxruntime'} way */
async function check(browser, way) {
  const { rows, vectors } = goldenTexts();
  const got = await inChromium(browser, way, { model: readFileSync(`${GOLDEN}.onnx`), full: FULL, rows });
  const { mean, least } = compared(got, vectors);
  assert.ok(least > 0.9995, `cosines to onnxruntime: mean ${mean}, least ${least}`);
  return `cosine to onnxruntime ${least.toFixed(6)} at least`;
}

/** @type {import('../run.mjs').Scenario[]} */
export const scenarios = [
  { name: 'onnx: INT8 in onnxruntime-web', run: async (browser) => {
    if (!existsSync(join(PEERS, 'onnxruntime-web')))
      throw new Skip('no onnxruntime-web: make test-js-peers installs it');
    return check(browser, 'onnxruntime');
  } },
  { name: 'onnx: INT8 in minnow-full.wasm', run: async (browser) => {
    if (!existsSync(FULL)) throw new Skip('no js/wasm/minnow-full.wasm: make wasm');
    return check(browser, 'minnow');
  } },
];
