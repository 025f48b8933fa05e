// SPDX-License-Identifier: Apache-2.0
// Times the tiers of the WASM modules: the linear layers by themselves, whole encodes of texts of 8 to 256 tokens, and
// the engine's steps (bench_stages). Prints JSON lines. `make vnni-bench` makes a folder with all it needs; there, in
// Node 22 or later (relaxed SIMD):
//
//   node bench.mjs [--quick]           in Node
//   node bench.mjs --browser [PROGRAM] in Chromium (PROGRAM, or $CHROMIUM, or /usr/bin/chromium)
//
// Tiers take turns, so that what slows the machine slows all; figures are medians, and `best_*` the quickest.
import { runCommand } from './wasi.mjs';

const inNode = typeof process !== 'undefined';
const base = new URL('.', import.meta.url);

/** @returns {Promise<Uint8Array | null>} a file of the folder; null: it is not there */
async function readFile(name) {
  if (inNode) {
    const { readFile: read } = await import('node:fs/promises');
    return read(new URL(name, base)).catch(() => null);
  }
  const response = await fetch(new URL(name, base));
  return response.ok ? new Uint8Array(await response.arrayBuffer()) : null;
}

const median = (times) => [...times].sort((a, b) => a - b)[times.length >> 1];
const round = (x, digits = 4) => Number(x.toFixed(digits));
/** A line of a program in C. A clock that goes in steps makes times of 0, and speeds that JSON has no number for. */
const parseLine = (line) => JSON.parse(line.replace(/:(inf|-?nan)/g, ':null'));
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** One instance of a run-time module with a model open. */
class Engine {
  constructor(module, model) {
    const imports = { env: { now: () => performance.now() } };
    for (const { module: from, name } of WebAssembly.Module.imports(module)) // none of these is ever called
      if (from !== 'env') (imports[from] ??= {})[name] = () => 0;
    this.exports = new WebAssembly.Instance(module, imports).exports;
    this.exports._initialize?.();
    const at = this.exports.minnow_wasm_allocate(model.length);
    new Uint8Array(this.exports.memory.buffer).set(model, at);
    this.check(this.exports.minnow_wasm_open(at, model.length, 0));
    const info = new Uint32Array(this.exports.memory.buffer, this.exports.minnow_wasm_info_get(), 6);
    this.dimensions = info[0];
    this.vector = this.exports.minnow_wasm_allocate(4 * this.dimensions);
    this.offsets = this.exports.minnow_wasm_allocate(64);
    this.text = this.exports.minnow_wasm_allocate(1 << 16);
    this.tiers = [];
    for (let i = 0; this.exports.minnow_wasm_isa(i) !== 0; i++) this.tiers.push(this.exports.minnow_wasm_isa(i));
  }

  string(at) {
    const bytes = new Uint8Array(this.exports.memory.buffer, at, 512);
    return new TextDecoder().decode(bytes.slice(0, bytes.indexOf(0)));
  }

  check(status) {
    if (status !== 0) throw new Error(this.string(this.exports.minnow_wasm_error()));
  }

  /** @param {number} tier a name's address, or 0: what the module chooses; returns its name */
  use(tier) {
    this.check(this.exports.minnow_wasm_configure(tier, 1, 0, 0, 0));
    return this.string(new Uint32Array(this.exports.memory.buffer, this.exports.minnow_wasm_info_get(), 6)[4]);
  }

  /** Returns the number of tokens. */
  encode(text) {
    const bytes = new TextEncoder().encode(text);
    new Uint8Array(this.exports.memory.buffer).set(bytes, this.text);
    new Uint32Array(this.exports.memory.buffer, this.offsets, 3).set([0, bytes.length, 0]);
    this.check(this.exports.minnow_wasm_encode(this.text, this.offsets, 1, this.vector, this.offsets + 8));
    return new Uint32Array(this.exports.memory.buffer, this.offsets, 3)[2] & 0x7fffffff;
  }

  vectorBytes() {
    return new Uint8Array(this.exports.memory.buffer, this.vector, 4 * this.dimensions).slice();
  }
}

/** Words until the text has n tokens. */
function textOf(engine, n) {
  const words = 'the river runs past a small house near some trees and old stones under bright open skies'.split(' ');
  let text = 'the';
  for (let i = 0; engine.encode(text) < n; i++) text += ' ' + words[i % words.length];
  return text;
}

/** Bytes of the first n texts' vectors on each tier against the hash that the native engine has. */
async function checkBytes(engine, name, golden, texts, print) {
  const expected = golden.models.find((m) => m.name === name)?.vectors['100'];
  for (const tier of engine.tiers) {
    const isa = engine.use(tier);
    const all = new Uint8Array(100 * 4 * engine.dimensions);
    texts.slice(0, 100).forEach((text, i) => {
      engine.encode(text);
      all.set(engine.vectorBytes(), i * 4 * engine.dimensions);
    });
    const digest = new Uint8Array(await globalThis.crypto.subtle.digest('SHA-256', all));
    const hex = [...digest].map((b) => b.toString(16).padStart(2, '0')).join('');
    print({ bench: 'same_bytes', model: name, isa, ok: hex === expected });
  }
}

/** Medians of encodes of texts of each length, the tiers taking turns. */
function benchEncode(engine, name, lengths, milliseconds, print) {
  engine.use(0);
  const texts = lengths.map((n) => textOf(engine, n));
  lengths.forEach((n, i) => {
    const tiers = engine.tiers.filter((t) => engine.string(t) !== 'scalar').map((at) => ({ at, times: [], isa: '' }));
    for (const t of tiers) t.isa = engine.use(t.at);
    const end = performance.now() + milliseconds;
    while (performance.now() < end || tiers[0].times.length < 5) {
      for (const t of tiers) {
        engine.use(t.at);
        engine.encode(texts[i]);
        const start = performance.now();
        const times = Math.max(1, Math.round(64 / n));
        for (let r = 0; r < times; r++) engine.encode(texts[i]);
        t.times.push((performance.now() - start) / times);
      }
    }
    for (const t of tiers)
      print({ bench: 'encode', model: name, isa: t.isa, tokens: n, median_ms: round(median(t.times)),
              best_ms: round(Math.min(...t.times)), rounds: t.times.length });
  });
}

/** What the module chooses when first asked: anew in each instance, as a page would meet it. */
async function benchChoice(module, model, name, print) {
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    const engine = new Engine(module, model);
    const opened = performance.now();
    const isa = engine.use(0);
    print({ bench: 'choice', model: name, isa, open_ms: round(opened - start, 2) });
    await sleep(20);
  }
}

/** The engine's steps on each tier, if there is a model. */
async function benchStages(variant, quick, print) {
  const model = await readFile('model.minnow');
  if (model === null) return;
  const stages = await WebAssembly.compile(await readFile(`bench_stages-${variant}.wasm`));
  const args = ['-', '--tokens', quick ? '16,128' : '8,16,32,64,128,256'];
  const line = (text, stream) => stream === 1 && print({ bench: 'stage', variant, ...parseLine(text) });
  runCommand(stages, args, line, model);
}

async function main(quick, print) {
  const golden = JSON.parse(new TextDecoder().decode(await readFile('same_bytes.json')));
  const lines = new TextDecoder().decode(await readFile('same_bytes_texts.jsonl')).trim().split('\n');
  const texts = lines.map((line) => JSON.parse(line));
  for (const variant of ['relaxed', 'simd']) {
    const bytes = await readFile(`minnow-${variant}.wasm`);
    if (!WebAssembly.validate(bytes)) {
      print({ bench: 'module', variant, valid: false });
      continue;
    }
    const module = await WebAssembly.compile(bytes);
    for (const [name, file] of [['random', 'random.minnow'], ['all-MiniLM-L6-v2', 'model.minnow']]) {
      const model = await readFile(file);
      if (model === null) continue;
      await benchChoice(module, model, name, print);
      const engine = new Engine(module, model);
      await checkBytes(engine, name, golden, texts, print);
      benchEncode(engine, name, quick ? [16, 128] : [8, 16, 32, 64, 128, 256], quick ? 300 : 1200, print);
    }
    await benchStages(variant, quick, print);
    const check = await WebAssembly.compile(await readFile(`check_kernels-${variant}.wasm`));
    for (const kernel of quick ? ['linear'] : ['linear', 'linear_add', 'linear_codes', 'linear_gelu_codes', 'gelu',
                                               'quantize', 'norm_codes', 'attention'])
      runCommand(check, ['--bench', '--json', '--kernel', kernel], (line, stream) => {
        if (stream === 1 && line.startsWith('{"kernel"')) print({ bench: 'kernel', variant, ...parseLine(line) });
      });
  }
}

/** Serves the folder on loopback, opens it in Chromium, prints the lines that the page sends. */
async function inChromium(program, quick) {
  const http = await import('node:http');
  const { spawn } = await import('node:child_process');
  const { mkdtemp, rm } = await import('node:fs/promises');
  const { tmpdir } = await import('node:os');
  const types = { html: 'text/html', mjs: 'text/javascript', wasm: 'application/wasm' };
  let finished;
  const done = new Promise((resolve) => (finished = resolve));
  const server = http.createServer(async (request, response) => {
    const name = new URL(request.url, 'http://localhost').pathname.slice(1);
    if (request.method === 'POST') {
      let body = '';
      for await (const piece of request) body += piece;
      response.end();
      if (name === 'done') finished(body);
      else console.log(body);
      return;
    }
    const page = `<script type=module>import { page } from './bench.mjs'; page(${quick});</script>`;
    const data = name === '' ? page : name.includes('/') ? null : await readFile(name);
    response.writeHead(data === null ? 404 : 200, { 'content-type': types[name.split('.').pop() || 'html'] ?? '' });
    response.end(data);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const profile = await mkdtemp(`${tmpdir()}/bench-`);
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync',
                 '--disable-background-networking', '--disable-component-update', `--user-data-dir=${profile}`];
  const browser = spawn(program, [...flags, `http://127.0.0.1:${server.address().port}/`], { stdio: 'ignore' });
  const failure = await Promise.race([done, new Promise((resolve) => browser.on('exit', () => resolve('it ended')))]);
  browser.kill();
  if (browser.exitCode === null) await new Promise((resolve) => browser.on('exit', resolve));
  server.close();
  await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  if (failure) throw new Error(`Chromium: ${failure}`);
}

/** The page's part. */
export async function page(quick) {
  const send = (path, body) => fetch(path, { method: 'POST', body });
  let last = Promise.resolve();
  const print = (o) => (last = last.then(() => send('/line', JSON.stringify(o))));
  try {
    print({ bench: 'machine', agent: navigator.userAgent });
    await main(quick, print);
    await last;
    await send('/done', '');
  } catch (error) {
    await send('/done', String(error));
  }
}

if (inNode) {
  const args = process.argv.slice(2);
  const quick = args.includes('--quick');
  const browser = args.indexOf('--browser');
  if (browser >= 0) {
    const named = args[browser + 1]?.startsWith('--') ? undefined : args[browser + 1];
    await inChromium(named ?? process.env.CHROMIUM ?? '/usr/bin/chromium', quick);
  } else {
    const { cpus } = await import('node:os');
    const { node, v8 } = process.versions;
    console.log(JSON.stringify({ bench: 'machine', cpu: cpus()[0].model, node: `v${node}`, v8 }));
    await main(quick, (o) => console.log(JSON.stringify(o)));
  }
}
