// Minnow - SPDX-License-Identifier: Apache-2.0
// A page's code as a user would write it. Leaves in `window.result` what the test looks for.

import { Minnow } from 'minnow-embed';

async function run() {
  const lines = await (await fetch('/golden/same_bytes_texts.jsonl')).text();
  const texts = lines.split('\n').slice(0, 20).map((line) => JSON.parse(line));
  const minnow = await Minnow.load({ model: '/golden/random.minnow' });
  const { data } = await minnow.embedBatch(texts);
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', data));
  const sha256 = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
  const { picked } = minnow;
  await minnow.close();
  return { sha256, picked };
}

run().then(
  (result) => Object.assign(window, { result }),
  (error) => Object.assign(window, { result: { error: `${error.code ?? error.name}: ${error.message}` } }),
);
