// SPDX-License-Identifier: Apache-2.0
// What the modules weigh, what they import, and what they tell of the machine that built them.
import assert from 'node:assert/strict';
import test from 'node:test';
import { brotliCompressSync } from 'node:zlib';
import { moduleBytes } from './module.mjs';

const BUDGET = 90_000; // bytes, after brotli at its best: 90 kB for the run-time half

for (const name of ['simd', 'relaxed', 'simd-threads', 'relaxed-threads']) {
  const bytes = moduleBytes(name);
  test(`minnow-${name}.wasm: size`, () => {
    const compressed = brotliCompressSync(bytes).length;
    console.log(`minnow-${name}.wasm: ${bytes.length} bytes, ${compressed} after brotli, of ${BUDGET}`);
    assert.ok(compressed <= BUDGET, `${compressed} bytes`);
  });
  test(`minnow-${name}.wasm: no path of the machine that built it`, () => {
    const text = bytes.toString('latin1');
    assert.doesNotMatch(text, /\.[ch]\0|(src|wasm|include)\/[a-z_/]+\.[ch]|\/(home|root|tmp|usr|build)\//);
    assert.ok(!text.includes(process.cwd()));
  });
  const skip = WebAssembly.validate(bytes) ? false : 'this Node has no relaxed SIMD';
  test(`minnow-${name}.wasm: imports and exports`, { skip }, () => {
    const module = new WebAssembly.Module(bytes);
    const threads = name.endsWith('threads');
    const imports = WebAssembly.Module.imports(module).map((i) => `${i.module}.${i.name} ${i.kind}`).sort();
    const expected = threads ? ['env.memory memory'] : [];
    if (name.startsWith('relaxed')) expected.push('env.now function'); // where there is a choice to be timed
    assert.deepEqual(imports, expected);
    const others = WebAssembly.Module.exports(module).filter((e) => !e.name.startsWith('minnow_wasm_')).map((e) =>
      e.name);
    assert.deepEqual(others.sort(), threads ? ['__stack_pointer'] : ['__stack_pointer', 'memory']);
  });
}
