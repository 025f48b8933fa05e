// Minnow - SPDX-License-Identifier: Apache-2.0
//
// The rows of bench.mjs as Markdown tables.

function line(cells) {
  return `| ${cells.join(' | ')} |`;
}

function table(head, rows) {
  return [line(head), line(head.map(() => '---')), ...rows.map(line), ''];
}

function speedTables(rows) {
  const lines = [];
  for (const threads of [...new Set(rows.map((row) => row.threads))]) {
    const here = rows.filter((row) => row.threads === threads);
    const lengths = [...new Set(here.map((row) => row.tokens))];
    const engines = [...new Set(here.map((row) => `${row.engine} ${row.config}`))];
    const cell = (engine, n) => here.find((row) => `${row.engine} ${row.config}` === engine && row.tokens === n);
    const body = engines.map((e) => [e, ...lengths.map((n) => cell(e, n)?.median_ms.toFixed(2) ?? '')]);
    for (const e of engines.filter((name) => name.startsWith('minnow'))) {
      body.push([`**${e}: times onnxruntime-web INT8's speed**`,
        ...lengths.map((n) => cell(e, n)?.ratio_to_onnxruntime_int8?.toFixed(2) ?? '')]);
    }
    lines.push(...table([`ms, ${threads} thread${threads > 1 ? 's' : ''}`, ...lengths], body));
  }
  return lines;
}

const mb = (bytes) => (bytes / 1e6).toFixed(2);

function startTables(rows) {
  const cold = rows.filter((row) => row.measure === 'cold start');
  const warm = rows.filter((row) => row.measure === 'warm start');
  const lines = [];
  if (cold.length) {
    lines.push(...table(['cold start', 's', 'least', 'script runs at', 'ready at', 'scripts MB', 'WASM MB', 'model MB',
      'all MB'],
      cold.map((r) => [r.engine, (r.median_ms / 1000).toFixed(2), (r.least_ms / 1000).toFixed(2),
        (r.script_ms / 1000).toFixed(2),
        (r.ready_ms / 1000).toFixed(2), mb(r.script_bytes), mb(r.wasm_bytes), mb(r.model_bytes), mb(r.total_bytes)])));
    for (const r of cold) {
      lines.push(...table([`${r.engine}: file`, 'asked at ms', 'first byte', 'end', 'bytes on the wire'],
        r.waterfall.map((w) => [w.file || 'page', w.start_ms, w.first_byte_ms, w.end_ms, w.wire_bytes])));
    }
  }
  if (warm.length) {
    lines.push(...table(['warm start', 'ms', 'least', 'script runs at', 'ready at', 'vector at'],
      warm.map((r) => [r.config, r.median_ms, r.least_ms,
        ...['script_ms', 'ready_ms', 'vector_ms'].map((k) => r.middle[k].toFixed(1))])));
  }
  return lines;
}

/** @param {any[]} rows @returns {string} */
export function markdown(rows) {
  const of = (measure) => rows.filter((row) => row.measure === measure);
  const lines = [];
  for (const r of of('machine')) lines.push(
    `${r.processor}, ${r.processors} processors; Chromium ${r.chromium}; load ${r.load}`, '');
  if (of('speed').length) lines.push(...speedTables(of('speed')));
  lines.push(...startTables(rows));
  if (of('memory').length) {
    lines.push(...table(['memory, MB', 'the page says', 'WASM memory beside it', 'both',
      "renderer's own, over an empty page"],
      of('memory').map((r) => [`${r.engine}, ${r.config}`, r.measured_mb, r.wasm_mb, r.mb, r.process_mb ?? ''])));
  }
  if (of('long tasks').length) {
    lines.push(...table(['main thread, model in a worker', 'tasks over 50 ms', 'longest ms'],
      of('long tasks').map((r) => [`loading and ${r.embeddings} texts`, r.count, r.longest_ms])));
  }
  return lines.join('\n') + '\n';
}
