// Minnow - SPDX-License-Identifier: Apache-2.0
// Writes test/golden/pooling.json: what the native engine makes of a few texts, token by token and pooled, as base64
// of little-endian numbers. Usage: node make_pooling.mjs MINNOW_PROGRAM

import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const program = process.argv[2] ?? fileURLToPath(new URL('../../build/minnow', import.meta.url));
const model = fileURLToPath(new URL('../../tests/golden/random.minnow', import.meta.url));
const texts = ['ok', 'a b c', 'The wire'];

/** @param {string[]} options @param {string} text */
function embed(options, text) {
  return JSON.parse(execFileSync(program, ['embed', '--model', model, ...options, text], { encoding: 'utf8' }));
}

/** @param {ArrayBufferView} view */
function base64(view) {
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString('base64');
}

const rows = texts.map((text) => {
  const tokens = embed(['--tokens'], text).embeddings;
  return {
    text,
    tokens: tokens.length,
    token_vectors: base64(Float32Array.from(tokens.flat())),
    float32: base64(Float32Array.from(embed([], text).embedding)),
    no_normalize: base64(Float32Array.from(embed(['--no-normalize'], text).embedding)),
    dimensions_50: base64(Float32Array.from(embed(['--dimensions', '50'], text).embedding)),
    int8: base64(Int8Array.from(embed(['--precision', 'int8'], text).embedding)),
    binary: base64(Int8Array.from(embed(['--precision', 'binary'], text).embedding)),
    ubinary: base64(Uint8Array.from(embed(['--precision', 'ubinary'], text).embedding)),
    ubinary_50: base64(Uint8Array.from(embed(['--precision', 'ubinary', '--dimensions', '50'], text).embedding)),
  };
});
const { cosine } = JSON.parse(
  execFileSync(program, ['similarity', '--json', '--model', model, texts[0], texts[1]], { encoding: 'utf8' }),
);
writeFileSync(
  new URL('../test/golden/pooling.json', import.meta.url),
  `${JSON.stringify({ about: 'by make_pooling.mjs, of random.minnow', rows, cosine }, null, 1)}\n`,
);
