// Minnow - SPDX-License-Identifier: Apache-2.0
//
// The demo: two texts, their similarity as one types, their tokens, and what runs. The model is loaded in a worker, so
// typing is never held up; of the texts typed meanwhile only the last is embedded.

import { MODEL, Minnow } from './settings.js';
import { piecesOf } from './tokens.js';

const EXAMPLES = [
  ['A refund', 'How do I get my money back?', 'Refunds are paid out within fourteen days of the return.'],
  ['The same, reworded', 'The cat sat quietly on the mat.', 'A feline was resting on the rug without a sound.'],
  ['The opposite', 'The shop is open on Sundays.', 'The shop is closed on Sundays.'],
  ['Unrelated', 'Photosynthesis turns light into sugar.', 'The train to the airport leaves at nine.'],
  ['Rare words', 'Electroencephalography records brain activity.', 'EEG measures voltage fluctuations of neurons.'],
];

/** @param {string} id @returns {any} */
const at = (id) => document.getElementById(id);
const inputs = [at('text-0'), at('text-1')];
const megabytes = (bytes) => (bytes / 1e6).toFixed(1) + ' MB';

let minnow = null;
let loading = null; // AbortController of the load that is under way

// --- Loading -------------------------------------------------------------------------------------------------------

function showProgress({ phase, loaded, total, fromCache }) {
  if (phase !== 'download') return;
  at('progress').value = total > 0 ? loaded / total : 0;
  at('progress-text').textContent =
    `${megabytes(loaded)} of ${megabytes(total)}${fromCache ? ', from this browser’s cache' : ''}`;
}

function showProblem(text) {
  at('problem').textContent = text;
  at('problem').hidden = text === '';
}

/** The line for an error: what to run where the files are not there, else the library's own. */
function problemOf(error) {
  if (error?.code === 'network')
    return `${error.message}. Locally, \`make web\` serves this page, the engine and the model.`;
  return error?.message ?? String(error);
}

async function load() {
  const started = performance.now();
  loading = new AbortController();
  showProblem('');
  at('loading').hidden = false;
  at('cancel').hidden = false;
  at('load').hidden = true;
  try {
    minnow = await Minnow.load({ model: MODEL, signal: loading.signal, onProgress: showProgress });
    at('loading').hidden = true;
    at('fact-load').textContent = `${Math.round(performance.now() - started)} ms`;
    await showPicked();
    update();
  } catch (error) {
    at('cancel').hidden = true;
    at('load').hidden = false;
    if (loading.signal.aborted) at('progress-text').textContent = 'Cancelled.';
    else showProblem(problemOf(error));
  }
}

async function showPicked() {
  const { simd, isa, threads, worker, reason } = minnow.picked;
  at('fact-simd').textContent = `${simd === 'relaxed' ? 'relaxed SIMD' : 'SIMD128'} (${isa})`;
  at('fact-threads').textContent = String(threads);
  at('fact-where').textContent = worker === 'inline' ? 'in the page' : 'in a worker';
  at('fact-reason').textContent = reason;
  at('fact-memory').textContent = megabytes(await minnow.memoryBytes());
}

// --- Embedding -----------------------------------------------------------------------------------------------------

const vectors = [null, null]; // of the texts in `embedded`
const embedded = [null, null];
const known = new Map(); // words that have been split into tokens
let busy = false;

/** Brings everything up to the texts as they are when it is done. */
async function update() {
  if (minnow === null || busy) return;
  busy = true;
  try {
    for (let i = changed(); i >= 0; i = changed()) await embed(i, inputs[i].value);
    showScore();
  } catch (error) {
    at('loading').hidden = false;
    showProblem(problemOf(error));
  } finally {
    busy = false;
  }
}

const changed = () => inputs.findIndex((input, i) => input.value !== embedded[i]);

async function embed(i, text) {
  const started = performance.now();
  vectors[i] = text.trim() === '' ? null : await minnow.embed(text);
  const took = performance.now() - started;
  embedded[i] = text;
  const { count, truncated, pieces } = await piecesOf(minnow, known, text);
  showTokens(i, pieces, text);
  at(`count-${i}`).textContent = `${count} tokens, two of them the model's own${truncated ? '; cut there' : ''}`;
  if (vectors[i] !== null) at('fact-time').textContent = `${took.toFixed(1)} ms for ${count} tokens`;
}

function showTokens(i, pieces, text) {
  const spans = (pieces ?? [{ text, word: 0 }]).map(({ text: part, word }, k, all) => {
    const span = document.createElement('span');
    const joined = k > 0 && all[k - 1].word === word;
    span.className = `t${k % 4}${joined ? ' joined' : ''}`;
    span.textContent = part;
    return k > 0 && !joined ? [' ', span] : [span];
  });
  at(`tokens-${i}`).replaceChildren(...spans.flat());
}

function showScore() {
  const [a, b] = vectors;
  if (a === null || b === null) {
    at('score').textContent = '–';
    at('meter').style.width = '0';
    at('verdict').textContent = 'Type two texts.';
    return;
  }
  const cosine = a.reduce((sum, value, k) => sum + value * b[k], 0);
  at('score').textContent = cosine.toFixed(3);
  at('meter').style.width = `${Math.max(0, cosine) * 100}%`;
  at('verdict').textContent = 'Cosine similarity: 1 means the same, about 0 means unrelated.';
}

// --- The page ------------------------------------------------------------------------------------------------------

for (const input of inputs) input.addEventListener('input', update);
at('cancel').addEventListener('click', () => loading?.abort());
at('load').addEventListener('click', load);
for (const [name, ...texts] of EXAMPLES) {
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = name;
  button.addEventListener('click', () => {
    inputs.forEach((input, i) => { input.value = texts[i]; });
    update();
  });
  at('examples').append(button);
}

// Whoever saves data is asked first.
if (navigator.connection?.saveData) {
  at('cancel').hidden = true;
  at('load').hidden = false;
} else load();
