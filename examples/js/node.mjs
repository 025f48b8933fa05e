// Minnow - SPDX-License-Identifier: Apache-2.0
// Searches a few texts: node node.mjs MODEL.minnow 'a question'

import { Minnow } from 'minnow-embed';

const [model, question = 'How do I get a new password?'] = process.argv.slice(2);
const texts = ['Resetting a forgotten password', 'What shipping costs', 'Closing an account'];

const minnow = await Minnow.load({ model });
const scores = await Promise.all(texts.map((text) => minnow.similarity(question, text)));
texts
  .map((text, i) => ({ text, score: scores[i] }))
  .sort((a, b) => b.score - a.score)
  .forEach(({ text, score }) => console.log(score.toFixed(3), text));
await minnow.close();
