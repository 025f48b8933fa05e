// Minnow - SPDX-License-Identifier: Apache-2.0
// Ids in, pooled vectors out, by whatever runs an ONNX encoder in JavaScript. Works in Node and in pages.

/**
 * Mean over the tokens of a text, length 1.
 * @param {ArrayLike<number>} hidden [tokens, dimensions]
 * @param {number} tokens
 */
export function pooled(hidden, tokens) {
  const dimensions = hidden.length / tokens;
  const vector = Array.from({ length: dimensions }, (_, j) => {
    let sum = 0;
    for (let i = 0; i < tokens; i++) sum += hidden[i * dimensions + j];
    return sum / tokens;
  });
  const length = Math.hypot(...vector);
  return vector.map((x) => x / length);
}

/**
 * @param {any} ort onnxruntime-web
 * @param {string | Uint8Array} model its URL, or its bytes
 * @param {number[][]} rows ids of each text
 */
export async function byOnnxruntime(ort, model, rows) {
  const session = await ort.InferenceSession.create(model, { executionProviders: ['wasm'] });
  const vectors = [];
  for (const row of rows) {
    const tensor = (/** @type {number[]} */ values) =>
      new ort.Tensor('int64', BigInt64Array.from(values, BigInt), [1, values.length]);
    const { last_hidden_state: hidden } = await session.run({
      input_ids: tensor(row), attention_mask: tensor(row.map(() => 1)), token_type_ids: tensor(row.map(() => 0)),
    });
    vectors.push(pooled(hidden.data, row.length));
  }
  await session.release();
  return vectors;
}

/**
 * @param {any} Session of minnow-embed/full
 * @param {any} model a URL or bytes
 * @param {number[][]} rows
 * @param {object} options of Session.load
 */
export async function byMinnowFull(Session, model, rows, options) {
  const session = await Session.load(model, options);
  const vectors = [];
  for (const row of rows) {
    const { last_hidden_state: hidden } = await session.run({
      input_ids: [row], attention_mask: [row.map(() => 1)], token_type_ids: [row.map(() => 0)],
    });
    vectors.push(pooled(hidden.data, row.length));
  }
  session.release();
  return vectors;
}

/**
 * @param {ArrayLike<number>[]} vectors
 * @param {ArrayLike<number>[]} reference all of length 1
 * @returns {{mean: number, least: number, difference: number}} cosines, and the largest difference of two elements
 */
export function compared(vectors, reference) {
  if (vectors.length !== reference.length) throw new Error(`${vectors.length} vectors for ${reference.length} texts`);
  let mean = 0;
  let least = Infinity;
  let difference = 0;
  vectors.forEach((vector, i) => {
    let cosine = 0;
    for (let j = 0; j < reference[i].length; j++) {
      cosine += vector[j] * reference[i][j];
      const apart = Math.abs(vector[j] - reference[i][j]);
      if (!(apart <= difference)) difference = apart; // NaN too
    }
    mean += cosine / vectors.length;
    if (!(cosine >= least)) least = cosine;
  });
  return { mean, least, difference };
}
