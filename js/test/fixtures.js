// Minnow - SPDX-License-Identifier: Apache-2.0
// What the tests share: the random model, texts, and what the native engine made of them (tests/golden).
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const golden = (/** @type {string} */ name) => new URL(`../../tests/golden/${name}`, import.meta.url);

export const modelUrl = golden('random.minnow');
export const modelPath = fileURLToPath(modelUrl);
export const modelBytes = () => new Uint8Array(readFileSync(modelUrl));
export const DIMENSIONS = 80;

/** @type {string[]} */
export const texts = readFileSync(golden('same_bytes_texts.jsonl'), 'utf8').trim().split('\n').map((line) =>
  JSON.parse(line));

/** SHA-256 of the vectors of the first 20, 100, 2000 texts. @type {Record<string, string>} */
export const goldenHashes = JSON.parse(readFileSync(golden('same_bytes.json'), 'utf8')).models
  .find((/** @type {{name: string}} */ model) => model.name === 'random').vectors;

/** @param {ArrayBufferView} array */
export function sha256(array) {
  return createHash('sha256').update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength)).digest('hex');
}

/** @param {Uint8Array} bytes @returns {string} as `integrity` takes it */
export function integrityOf(bytes) {
  return `sha256-${createHash('sha256').update(bytes).digest('base64')}`;
}
