// SPDX-License-Identifier: Apache-2.0
// Every kernel of the WASM modules against the reference: runs check_kernels-*.wasm of a folder.
//
//   node check_wasm.mjs FOLDER                      in this Node; a module that it cannot compile is left out, and said
//   node check_wasm.mjs FOLDER --browser [PROGRAM]  in Chromium (PROGRAM, or $CHROMIUM, or /usr/bin/chromium)
//
// The last line is "N passed, N failed"; a test is one kernel in one tier. Exit code 1 if one fails.
import { readFile, mkdtemp, rm } from 'node:fs/promises';
import { spawn } from 'node:child_process';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { runCommand } from './wasi.mjs';

const variants = ['simd', 'relaxed'];
const [folder, where, named] = process.argv.slice(2);
if (folder === undefined || (where !== undefined && where !== '--browser')) {
  console.error('usage: check_wasm.mjs FOLDER [--browser [PROGRAM]]');
  process.exit(2);
}
const total = { passed: 0, failed: 0 };

/** Prints a module's lines; its last one is counted and not shown. */
function report(variant, lines, code) {
  const count = /^(\d+) passed, (\d+) failed$/.exec(lines.at(-1) ?? '');
  for (const line of count ? lines.slice(0, -1) : lines) console.log(`${variant}: ${line}`);
  total.passed += Number(count?.[1] ?? 0);
  total.failed += Number(count?.[2] ?? 1);
  if (count && code !== 0 && Number(count[2]) === 0) total.failed++;
}

async function inNode() {
  for (const variant of variants) {
    const bytes = await readFile(`${folder}/check_kernels-${variant}.wasm`);
    if (!WebAssembly.validate(bytes)) {
      console.log(`${variant}: left out, Node ${process.version} has no relaxed SIMD`);
      continue;
    }
    const lines = [];
    const code = runCommand(new WebAssembly.Module(bytes), [], (line) => lines.push(line));
    report(variant, lines, code);
  }
}

const page = `<script type=module>
import { runCommand } from './wasi.mjs';
const send = (path, body) => fetch(path, { method: 'POST', body: JSON.stringify(body) });
try {
  for (const variant of ${JSON.stringify(variants)}) {
    const module = await WebAssembly.compile(await (await fetch('check_kernels-' + variant + '.wasm')).arrayBuffer());
    const lines = [];
    const code = runCommand(module, [], (line) => lines.push(line));
    await send('/report', { variant, lines, code });
  }
  await send('/done', null);
} catch (error) {
  await send('/done', String(error));
}
</script>`;

async function inChromium(program) {
  const files = { '/': ['text/html', page], '/wasi.mjs': ['text/javascript', await readFile(new URL('wasi.mjs', import.meta.url))] };
  for (const variant of variants) {
    const name = `check_kernels-${variant}.wasm`;
    files[`/${name}`] = ['application/wasm', await readFile(`${folder}/${name}`)];
  }
  let finish;
  const finished = new Promise((resolve) => (finish = resolve));
  const server = http.createServer(async (request, response) => {
    if (request.method === 'POST') {
      let body = '';
      for await (const piece of request) body += piece;
      const sent = JSON.parse(body);
      if (request.url === '/report') report(sent.variant, sent.lines, sent.code);
      else finish(sent);
    }
    const file = files[request.url];
    response.writeHead(file ? 200 : 404, { 'content-type': file?.[0] ?? 'text/plain' });
    response.end(file?.[1] ?? '');
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const profile = await mkdtemp(`${tmpdir()}/check-wasm-`);
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync',
                 '--disable-background-networking', '--disable-component-update', `--user-data-dir=${profile}`];
  const browser = spawn(program, [...flags, `http://127.0.0.1:${server.address().port}/`], { stdio: 'ignore' });
  const ended = new Promise((resolve) => {
    browser.on('exit', () => resolve('it ended early'));
    browser.on('error', (error) => resolve(error.message));
  });
  const limit = new Promise((resolve) => setTimeout(resolve, 120e3, 'no answer in 120 s').unref());
  const failure = await Promise.race([finished, ended, limit]);
  browser.kill();
  await ended;
  server.close();
  server.closeAllConnections();
  await rm(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  if (failure !== null) report('browser', [`${program}: ${failure}`], 1);
}

if (where === undefined) await inNode();
else await inChromium(named ?? process.env.CHROMIUM ?? '/usr/bin/chromium');
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
