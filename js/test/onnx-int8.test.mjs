// Minnow - SPDX-License-Identifier: Apache-2.0
// What `minnow quantize --to onnx -o DIR/` writes, opened by transformers.js as a folder of the Hub's (test/peers;
// skipped where that is not installed): the small random model of tests/golden.

import assert from 'node:assert/strict';
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { transformersOfNode } from '../../tests/everywhere/peers.mjs';
import { missing as skip } from './peers/index.mjs';

const TESTS = fileURLToPath(new URL('../../tests/', import.meta.url));
const golden = JSON.parse(readFileSync(join(TESTS, 'golden/onnx/bert_minnow_qdq.json'), 'utf8'));

/** A tokenizer.json of the vocabulary. @param {string[]} tokens */
const tokenizerOf = (tokens) => ({
  version: '1.0', truncation: null, padding: null,
  added_tokens: ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'].map((content) => ({
    id: tokens.indexOf(content), content, single_word: false, lstrip: false, rstrip: false, normalized: false,
    special: true,
  })),
  normalizer: { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, strip_accents: null,
    lowercase: true },
  pre_tokenizer: { type: 'BertPreTokenizer' },
  post_processor: { type: 'BertProcessing', sep: ['[SEP]', tokens.indexOf('[SEP]')],
    cls: ['[CLS]', tokens.indexOf('[CLS]')] },
  decoder: null,
  model: { type: 'WordPiece', unk_token: '[UNK]', continuing_subword_prefix: '##', max_input_chars_per_word: 100,
    vocab: Object.fromEntries(tokens.map((token, i) => [token, i])) },
});

/** @type {string} */
let models;
/** @type {string[]} */
let tokens;
before(() => {
  models = mkdtempSync(join(tmpdir(), 'minnow-hub-'));
  cpSync(join(TESTS, 'golden/tiny-bert/gelu-f32'), join(models, 'tiny'), { recursive: true });
  mkdirSync(join(models, 'tiny/onnx'));
  copyFileSync(join(TESTS, 'golden/onnx/bert_minnow_qdq.onnx'), join(models, 'tiny/onnx/model_quantized.onnx'));
  tokens = readFileSync(join(TESTS, 'cli/data/vocab.txt'), 'utf8').trimEnd().split('\n');
  writeFileSync(join(models, 'tiny/tokenizer.json'), JSON.stringify(tokenizerOf(tokens)));
  writeFileSync(join(models, 'tiny/tokenizer_config.json'), JSON.stringify({
    tokenizer_class: 'BertTokenizer', pad_token: '[PAD]', unk_token: '[UNK]', cls_token: '[CLS]', sep_token: '[SEP]',
    mask_token: '[MASK]',
  }));
});
after(() => rmSync(models, { recursive: true, force: true }));

test("transformers.js opens the folder with dtype 'q8', and pads", { skip }, async () => {
  const extract = await (await transformersOfNode(models))('tiny', 'q8');
  const [one] = golden.cases;
  const [ids] = one.inputs.input_ids;
  const [wanted] = one.outputs.last_hidden_state;
  const text = ids.slice(1, -1).map((/** @type {number} */ id) => tokens[id]).join(' ').replaceAll(' ##', '');
  const longer = `${text} ${text}`;
  for (const texts of [[text], [text, longer]]) {
    const { dims, data } = await extract(texts);
    assert.deepEqual([dims[0], dims[2]], [texts.length, wanted[0].length]);
    const got = data.subarray(0, wanted.flat().length);
    wanted.flat().forEach((/** @type {number} */ x, /** @type {number} */ i) => {
      assert.ok(Math.abs(x - got[i]) < golden.tolerance_abs, `number ${i}: ${got[i]}, not ${x}`);
    });
  }
  await extract.dispose();
});
