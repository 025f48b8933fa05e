// Minnow - SPDX-License-Identifier: Apache-2.0
//
// Which characters of a text each token stands for, from nothing but the tokenizer. In: a Minnow and a text. Out:
// pieces.
//
// A word's tokens are found greedily, the longest first, so the first k tokens of a word are all tokens of some
// beginning of it, and their end is where the longest such beginning ends.

/** Words, as the tokenizer sees them: letters and digits together, anything else that is not space by itself. */
const WORD = /[\p{L}\p{N}\p{M}]+|[^\s]/gu;

/** @typedef {{ids: number[], parts: string[]}} Split a word's tokens, and the part of it that each stands for */
/** @typedef {{text: string, word: number}} Piece what a token stands for; tokens of one word have its number */

/** Ids of a text, without the two that the model puts around it. */
async function idsOf(minnow, text) {
  const { ids } = await minnow.tokenize(text);
  return Array.from(ids.subarray(1, ids.length - 1));
}

const starts = (ids, first) => first.length <= ids.length && first.every((id, i) => id === ids[i]);

/**
 * @param {Map<string, Split>} known words that have been split before
 * @returns {Promise<Split>}
 */
async function split(minnow, known, word) {
  const seen = known.get(word);
  if (seen) return seen;
  const ids = await idsOf(minnow, word);
  const characters = [...word];
  const ends = [];
  for (let end = 1; ids.length > 1 && end < characters.length; end++) {
    const beginning = await idsOf(minnow, characters.slice(0, end).join(''));
    if (starts(ids, beginning)) ends[beginning.length - 1] = end;
  }
  ends[ids.length - 1] = characters.length;
  const parts = ids.map((_, k) => characters.slice(k === 0 ? 0 : ends[k - 1], ends[k]).join(''));
  known.set(word, { ids, parts });
  return known.get(word);
}

/**
 * @param {import('./minnow/src/index.js').Minnow} minnow
 * @param {Map<string, Split>} known kept by the caller from text to text
 * @param {string} text
 * @returns {Promise<{count: number, truncated: boolean, pieces: Piece[] | null}>} count with the model's own two;
 * pieces null
 *   where a text is not the sum of its words, so that no token is shown on the wrong letters
 */
export async function piecesOf(minnow, known, text) {
  const { ids, truncated } = await minnow.tokenize(text);
  const wanted = Array.from(ids.subarray(1, ids.length - 1));
  const pieces = [];
  const found = [];
  for (const [word, match] of (text.match(WORD) ?? []).entries()) {
    if (found.length >= wanted.length) break;
    const { ids: ofWord, parts } = await split(minnow, known, match);
    found.push(...ofWord);
    for (const part of parts) pieces.push({ text: part, word });
  }
  const right = starts(found, wanted) && (truncated || found.length === wanted.length);
  return { count: ids.length, truncated, pieces: right ? pieces.slice(0, wanted.length) : null };
}
