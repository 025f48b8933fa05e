// SPDX-License-Identifier: Apache-2.0
// Runs a WASM command (a program of C's main, for WASI) in Node or a page: arguments and standard input in, lines out,
// no files. What check_kernels and bench_stages need of WASI and no more.

/** Thrown by proc_exit, to leave the program. */
class Exit {
  /** @param {number} code */
  constructor(code) {
    this.code = code;
  }
}

/**
 * @param {WebAssembly.Module} module
 * @param {string[]} args without the program's name
 * @param {(line: string, stream: number) => void} print one line of stdout (1) or stderr (2), without its end
 * @param {Uint8Array} [input] standard input
 * @returns {number} the exit code
 */
export function runCommand(module, args, print, input = new Uint8Array(0)) {
  const strings = ['command', ...args].map((a) => new TextEncoder().encode(a + '\0'));
  const decoder = new TextDecoder();
  const pending = ['', '', ''];
  /** @type {WebAssembly.Memory} */
  let memory;
  const view = () => new DataView(memory.buffer);

  const write = (stream, vectors, n, written) => {
    let total = 0;
    for (let i = 0; i < n; i++) {
      const at = view().getUint32(vectors + 8 * i, true);
      const bytes = view().getUint32(vectors + 8 * i + 4, true);
      pending[stream] += decoder.decode(new Uint8Array(memory.buffer, at, bytes));
      total += bytes;
    }
    const lines = pending[stream].split('\n');
    pending[stream] = lines.pop() ?? '';
    for (const line of lines) print(line, stream);
    view().setUint32(written, total, true);
    return 0;
  };
  let taken = 0; // bytes of input
  const read = (_stream, vectors, n, got) => {
    const before = taken;
    for (let i = 0; i < n; i++) {
      const bytes = input.subarray(taken, taken + view().getUint32(vectors + 8 * i + 4, true));
      new Uint8Array(memory.buffer).set(bytes, view().getUint32(vectors + 8 * i, true));
      taken += bytes.length;
    }
    view().setUint32(got, taken - before, true);
    return 0;
  };
  const known = {
    fd_read: read,
    fd_write: write,
    fd_fdstat_get: (_descriptor, out) => {
      new Uint8Array(memory.buffer, out, 24).fill(0);
      view().setUint8(out, 2); // a character device: lines are written as they end
      return 0;
    },
    args_sizes_get: (count, bytes) => {
      view().setUint32(count, strings.length, true);
      view().setUint32(bytes, strings.reduce((sum, s) => sum + s.length, 0), true);
      return 0;
    },
    args_get: (pointers, at) => {
      strings.forEach((s, i) => {
        view().setUint32(pointers + 4 * i, at, true);
        new Uint8Array(memory.buffer).set(s, at);
        at += s.length;
      });
      return 0;
    },
    environ_sizes_get: (count, bytes) => {
      view().setUint32(count, 0, true);
      view().setUint32(bytes, 0, true);
      return 0;
    },
    environ_get: () => 0,
    proc_exit: (code) => {
      throw new Exit(code);
    },
  };
  const badDescriptor = () => 8;
  const wasi = new Proxy(known, { get: (functions, name) => functions[name] ?? badDescriptor });
  const imports = { env: { now: () => performance.now() }, wasi_snapshot_preview1: {} };
  for (const { module: from, name } of WebAssembly.Module.imports(module))
    if (from === 'wasi_snapshot_preview1') imports.wasi_snapshot_preview1[name] = wasi[name];
  const { exports } = new WebAssembly.Instance(module, imports);
  memory = exports.memory;
  try {
    exports._start();
    return 0;
  } catch (error) {
    if (error instanceof Exit) return error.code;
    throw error;
  } finally {
    for (const stream of [1, 2]) if (pending[stream] !== '') print(pending[stream], stream);
  }
}
