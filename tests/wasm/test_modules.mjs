// SPDX-License-Identifier: Apache-2.0
// What every module of `make wasm` does, by its exports: the native engine's bytes, its messages, and what becomes of
// memory.
// usage: node --test tests/wasm/      from the repository's root; BUILD=FOLDER. A module that this Node cannot compile
// (relaxed SIMD) is skipped
import assert from 'node:assert/strict';
import test from 'node:test';
import { Module, STATUS, goldenFile, goldenHashes, goldenTexts, moduleBytes, sha256 } from './module.mjs';

const NAMES = ['simd', 'relaxed', 'simd-threads', 'relaxed-threads'];
const file = goldenFile('random.minnow');
const texts = goldenTexts();
const hashes = goldenHashes('random');
// SHA-256 of the ids, int32 little-endian, that minnow_tokenize of the native library gives for all texts.
const IDS = 'cda8cc48c806434598f1569772c3bff5b8dc1916b76ad512adab94fccf5774e0';
const int32 = (numbers) => Buffer.from(new Int32Array(numbers).buffer);

/** A test of each module, in an instance of its own with the random model open. */
function each(title, options, body) {
  for (const name of NAMES) {
    if (options.threads === true && !name.endsWith('threads')) continue;
    const skip = WebAssembly.validate(moduleBytes(name)) ? false : 'this Node has no relaxed SIMD';
    test(`${name}: ${title}`, { skip }, async () => {
      const module = await Module.create(name, options);
      try {
        if (options.closed !== true) assert.equal(module.open(file), STATUS.ok, module.error());
        await body(module, name);
      } finally {
        await module.end();
      }
    });
  }
}

function refused(module, status, expected, message) {
  assert.equal(status, expected, module.error());
  assert.equal(module.error(), message);
}

/** Vectors of the first n texts, `piece` texts a call. */
function encodeAll(module, n, piece) {
  const vectors = [];
  for (let i = 0; i < n; i += piece) {
    const result = module.encode(texts.slice(i, Math.min(i + piece, n)));
    assert.equal(result.status, STATUS.ok, module.error());
    vectors.push(result.vectors);
  }
  return sha256(Buffer.concat(vectors));
}

// --- The same bytes --------------------------------------------------------------------------------------------------

for (const threads of [1, 2, 3]) {
  each(`golden vectors, ${threads} of 3 threads`, { helpers: 2, threads: threads > 1 ? true : undefined }, (module) => {
    assert.equal(module.configure({ threads }), STATUS.ok, module.error());
    assert.equal(module.info().threads, threads);
    for (const n of [20, 100, 2000]) {
      assert.equal(encodeAll(module, n, n), hashes[n], `${n} texts in one call`);
      assert.equal(encodeAll(module, n, 7), hashes[n], `${n} texts, 7 a call`);
      assert.equal(encodeAll(module, n, 1), hashes[n], `${n} texts, one by one`);
    }
  });
}

each('golden vectors on every instruction set', {}, (module) => {
  const names = [];
  for (let i = 0; module.exports.minnow_wasm_isa(i) !== 0; i++) names.push(
    module.string(module.exports.minnow_wasm_isa(i)));
  assert.equal(names.at(-1), 'scalar');
  for (const isa of names) {
    assert.equal(module.configure({ isa }), STATUS.ok, module.error());
    assert.equal(module.info().isa, isa);
    assert.equal(encodeAll(module, 100, 100), hashes[100], isa);
  }
});

each('a verified file has the same vectors', { closed: true }, (module) => {
  assert.equal(module.open(file, 1), STATUS.ok, module.error());
  assert.equal(encodeAll(module, 20, 20), hashes[20]);
});

each('an open model without a context', { closed: true }, (module) => {
  assert.equal(module.exports.minnow_wasm_open(module.put(file), file.length, 0), STATUS.ok, module.error());
  assert.equal(module.info().isa, null);
  refused(module, module.encode(['a']).status, STATUS.argument, 'there is no context: configure it');
  assert.equal(module.tokenize('a').status, STATUS.ok);
  assert.equal(module.configure(), STATUS.ok, module.error());
  assert.equal(encodeAll(module, 20, 20), hashes[20]);
});

each('checksums as the bytes come in', { closed: true }, (module) => {
  const { exports } = module;
  /** Opens bytes that come in by pieces; what is done to them when they have all come goes unseen. */
  const comeIn = (bytes, piece, after = () => {}) => {
    const at = module.put(bytes);
    exports.minnow_wasm_sums(at, 0);
    for (let n = 0; n < bytes.length;) exports.minnow_wasm_sums(at, n = Math.min(n + piece, bytes.length));
    after(at);
    return module.openAt(at, bytes.length);
  };
  const begin = (i) => Number(file.readBigUInt64LE(64 + 40 * i + 16));
  const wrong = 'section 2 (tokenizer): its CRC32C is wrong';
  const flip = (at, i) => { module.bytes(at + begin(i) + 3, 1)[0] ^= 1; };
  const spoilt = Buffer.from(file);
  spoilt[begin(2) + 3] ^= 1;
  for (const piece of [1000, 65536, file.length]) {
    assert.equal(comeIn(file, piece), STATUS.ok, module.error());
    assert.equal(encodeAll(module, 20, 20), hashes[20]);
    refused(module, comeIn(spoilt, piece), STATUS.format, wrong);
  }
  // They are of these bytes and of no others, for one opening, and of a file that has come to its end.
  assert.equal(comeIn(file, 65536, (at) => flip(at, 14)), STATUS.ok, module.error());
  refused(module, module.open(spoilt), STATUS.format, wrong);
  const half = module.put(file);
  exports.minnow_wasm_sums(half, file.length >> 1);
  flip(half, 2);
  refused(module, module.openAt(half, file.length), STATUS.format, wrong);
  assert.equal(module.open(file), STATUS.ok, module.error());
});

// --- One call at a time ----------------------------------------------------------------------------------------------

each('tokenizer', {}, (module) => {
  const all = texts.map((text) => module.tokenize(text));
  assert.equal(sha256(int32(all.flatMap((result) => result.ids))), IDS);
  const long = all.find((result) => result.n > 10);
  const text = texts[all.indexOf(long)];
  const cut = module.tokenize(text, { maxTokens: 8 });
  assert.deepEqual([cut.status, cut.n, cut.truncated], [STATUS.ok, 8, true]);
  assert.deepEqual(cut.ids.slice(0, 7), long.ids.slice(0, 7));
  assert.equal(long.truncated, false);
  const small = module.tokenize(text, { capacity: long.n - 1 });
  refused(module, small.status, STATUS.capacity, `${long.n} ids, room for ${long.n - 1}`);
  assert.equal(small.n, long.n);
  assert.equal(module.tokenize('').n, 2);
});

each('token counts, truncation, settings', {}, (module) => {
  const some = texts.slice(0, 50);
  const { tokens, truncated } = module.encode(some);
  assert.deepEqual(tokens, some.map((text) => Math.min(module.tokenize(text).n, 250)));
  assert.deepEqual(truncated, some.map((text) => module.tokenize(text).n > 250));
  assert.equal(module.configure({ maxTokens: 6 }), STATUS.ok);
  const short = module.encode(some);
  assert.deepEqual(short.tokens, tokens.map((n) => Math.min(n, 6)));
  assert.deepEqual(short.truncated, tokens.map((n) => n > 6));

  // CLS, not normalized, is the first token's vector; max is the largest of each dimension.
  const text = 'the first token';
  const { dimensions } = module.info();
  assert.equal(module.configure({ pooling: 2, noNormalize: 1 }), STATUS.ok);
  const all = module.encodeTokens(text, 250 * dimensions);
  assert.deepEqual(module.encode([text]).vectors, all.vectors.subarray(0, 4 * dimensions));
  assert.equal(module.configure({ pooling: 3, noNormalize: 1 }), STATUS.ok);
  const values = new Float32Array(new Uint8Array(all.vectors).buffer);
  const largest = new Float32Array(dimensions).fill(-Infinity);
  for (let i = 0; i < all.n * dimensions; i++) largest[i % dimensions] = Math.max(largest[i % dimensions], values[i]);
  assert.deepEqual(module.encode([text]).vectors, Buffer.from(largest.buffer));

  const needed = all.n * dimensions;
  assert.equal(module.encodeTokens(text, needed).status, STATUS.ok);
  assert.equal(module.encodeTokens(text, needed - 1).status, STATUS.capacity);
  assert.equal(module.configure(), STATUS.ok);
  assert.equal(encodeAll(module, 20, 20), hashes[20]);
});

each('no texts, empty texts', {}, (module) => {
  assert.equal(module.exports.minnow_wasm_encode(0, 0, 0, 0, 0), STATUS.ok);
  assert.deepEqual(module.encode(['', 'a', '']).tokens.length, 3);
  assert.equal(module.encode(['']).tokens[0], 2);
});

each('SHA-256 in any pieces', { closed: true }, (module) => {
  const { exports } = module;
  const at = module.put(file);
  const digest = module.allocate(32);
  for (const piece of [1000, 65536, file.length]) {
    exports.minnow_wasm_sha256_begin();
    for (let i = 0; i < file.length; i += piece) exports.minnow_wasm_sha256_update(at + i,
      Math.min(piece, file.length - i));
    exports.minnow_wasm_sha256_end(digest);
    assert.equal(Buffer.from(module.bytes(digest, 32)).toString('hex'), sha256(file));
  }
});

// --- Errors ----------------------------------------------------------------------------------------------------------

each('no model is open', { closed: true }, (module) => {
  const check = () => {
    assert.equal(module.info(), null);
    refused(module, module.configure(), STATUS.argument, 'no model is open');
    refused(module, module.encode(['a']).status, STATUS.argument, 'no model is open');
    refused(module, module.tokenize('a').status, STATUS.argument, 'no model is open');
    refused(module, module.encodeTokens('a', 1000).status, STATUS.argument, 'no model is open');
    refused(module, module.exports.minnow_wasm_open(0, 0, 0), STATUS.argument, 'no file to open: its address is 0');
  };
  check();
  assert.equal(module.open(file), STATUS.ok);
  module.exports.minnow_wasm_close();
  check();
  assert.equal(module.open(file), STATUS.ok);
  refused(module, module.open(file.subarray(0, 50)), STATUS.format, 'cut off inside the header');
  check();
});

each('wrong settings leave the old ones', {}, (module) => {
  refused(module, module.configure({ maxTokens: 251 }), STATUS.argument,
    '251 tokens asked for, the model has positions for 250');
  refused(module, module.configure({ pooling: 9 }), STATUS.argument, 'unknown pooling 9');
  refused(module, module.configure({ isa: 'mmx' }), STATUS.argument, "there is no instruction set 'mmx'");
  const long = 'x'.repeat(1000);
  refused(module, module.configure({ isa: long }), STATUS.argument,
    `there is no instruction set '${long.slice(0, 100)}'`);
  refused(module, module.configure({ isa: 'neon' }), STATUS.unsupported, 'this machine does not have neon');
  assert.equal(encodeAll(module, 20, 20), hashes[20]);
});

each('wrong arguments', {}, (module) => {
  refused(module, module.exports.minnow_wasm_encode(0, 0, 1, 0, 0), STATUS.argument,
    'texts, offsets, vectors or encodings: the address is 0');
  const vectors = module.allocate(4 * 80 * 300);
  const backwards = new Uint32Array(301).fill(0);
  backwards[299] = 5;
  const offsets = module.put(new Uint8Array(backwards.buffer));
  refused(module, module.exports.minnow_wasm_encode(offsets, offsets, 300, vectors, vectors), STATUS.argument,
    'text 299 ends before it begins');
  assert.equal(encodeAll(module, 20, 20), hashes[20]);
});

each('wrong files, in the native messages', { closed: true }, (module) => {
  const used = module.exports.minnow_wasm_memory_used();
  const flip = (at, bits = 1) => {
    const copy = Buffer.from(file);
    copy[at] ^= bits;
    return copy;
  };
  const section = (i) => Number(file.readBigUInt64LE(64 + 40 * i + 16));
  const cases = [
    [Buffer.alloc(0), STATUS.format, 'not a .minnow file'],
    [Buffer.from('<!doctype html><title>404</title>'), STATUS.format, 'not a .minnow file'],
    [file.subarray(0, 50), STATUS.format, 'cut off inside the header'],
    [file.subarray(0, -1), STATUS.format, 'the file has 271295 bytes, its header says 271296'],
    [Buffer.concat([file, Buffer.alloc(64)]), STATUS.format, 'the file has 271360 bytes, its header says 271296'],
    [flip(8, 8), STATUS.unsupported, 'format version 9 (this program reads 1)'],
    [flip(61), STATUS.format, "the header's CRC32C is wrong"],
    [flip(70), STATUS.format, "the section table's CRC32C is wrong"],
    [flip(section(0) + 3), STATUS.format, 'section 0 (model): its CRC32C is wrong'],
    [flip(section(2) + 3), STATUS.format, 'section 2 (tokenizer): its CRC32C is wrong'],
    [flip(section(12) + 3), STATUS.format, 'section 12 (layer 0 query_key_value): its CRC32C is wrong'],
    [flip(section(44) + 3), STATUS.format, 'section 44 (layer 1 output_norm_input): its CRC32C is wrong'],
  ];
  for (const [bytes, status, message] of cases) {
    refused(module, module.open(bytes), status, message);
    assert.equal(module.exports.minnow_wasm_memory_used(), used, message);
  }
});

each('any byte flipped, any cut: refused, or with `verified` never more than other vectors', { closed: true },
  (module) => {
  const used = module.exports.minnow_wasm_memory_used();
  for (let at = 0; at < file.length; at += 997) {
    const copy = Buffer.from(file);
    copy[at] ^= 1 << at % 8;
    assert.notEqual(module.open(copy), STATUS.ok, `byte ${at}`);
    if (module.open(copy, 1) === STATUS.ok) assert.equal(module.encode(['any text']).status, STATUS.ok, module.error());
    module.exports.minnow_wasm_close();
    assert.notEqual(module.open(file.subarray(0, at), 1), STATUS.ok, `${at} bytes`);
  }
  assert.equal(module.exports.minnow_wasm_memory_used(), used);
});

// --- Memory ----------------------------------------------------------------------------------------------------------

each('out of memory at every step of opening', { closed: true }, (module) => {
  const { exports } = module;
  const start = module.memory.buffer.byteLength;
  const used = exports.minnow_wasm_memory_used();
  let opened = false;
  for (let pages = 0; !opened; pages++) {
    exports.minnow_wasm_memory_limit(start + pages * 65536);
    const address = exports.minnow_wasm_allocate(file.length);
    if (address === 0) {
      refused(module, STATUS.memory, STATUS.memory,
        'out of memory: 271296 bytes asked for, and memory cannot grow so far');
      continue;
    }
    module.bytes(address, file.length).set(file);
    const status = module.openAt(address, file.length);
    opened = status === STATUS.ok;
    if (opened) break;
    assert.equal(status, STATUS.memory, module.error());
    assert.match(module.error(), /out of memory/);
    assert.equal(module.info()?.isa ?? null, null);
    exports.minnow_wasm_close();
    assert.equal(exports.minnow_wasm_memory_used(), used);
  }
  exports.minnow_wasm_memory_limit(0);
  assert.equal(encodeAll(module, 20, 20), hashes[20]);
});

each('a context that does not fit', { helpers: 2, threads: true }, (module) => {
  module.exports.minnow_wasm_memory_limit(1);
  assert.equal(module.configure({ threads: 3 }), STATUS.memory);
  assert.match(module.error(), /^out of memory: [0-9]+ bytes for a context$/);
  assert.equal(module.info().isa, null);
  assert.equal(module.encode(['a']).status, STATUS.argument);
  assert.equal(module.error(), 'there is no context: configure it');
  assert.equal(module.configure({ threads: 1 }), STATUS.ok, module.error());
  module.exports.minnow_wasm_memory_limit(0);
  assert.equal(module.configure({ threads: 3 }), STATUS.ok, module.error());
  assert.equal(encodeAll(module, 100, 100), hashes[100]);
});

each("the host's maximum", { threads: true, maximum: 32 * 65536, closed: true }, (module) => {
  assert.equal(module.exports.minnow_wasm_allocate(40 * 65536), 0);
  assert.match(module.error(), /^out of memory/);
  assert.equal(module.open(file), STATUS.ok, module.error());
});

each('10,000 calls with changing settings: memory does not grow', {}, (module) => {
  const call = (i) => {
    const settings = { maxTokens: [16, 250, 64, 0][i % 4], pooling: i % 3, noNormalize: i % 2 };
    assert.equal(module.configure(settings), STATUS.ok, module.error());
    assert.equal(module.encode([texts[i % 20]]).status, STATUS.ok);
    module.tokenize(texts[i % 50]);
  };
  for (let i = 0; i < 100; i++) call(i);
  const used = module.exports.minnow_wasm_memory_used();
  const bytes = module.memory.buffer.byteLength;
  for (let i = 0; i < 10000; i++) call(i);
  assert.equal(module.exports.minnow_wasm_memory_used(), used);
  assert.equal(module.memory.buffer.byteLength, bytes);
  assert.equal(module.configure(), STATUS.ok);
  assert.equal(encodeAll(module, 20, 20), hashes[20]);
});

each('opened and closed 100 times: memory does not grow', { closed: true }, (module) => {
  const used = module.exports.minnow_wasm_memory_used();
  let bytes;
  for (let i = 0; i < 100; i++) {
    assert.equal(module.open(file, i % 2), STATUS.ok, module.error());
    module.exports.minnow_wasm_close();
    assert.equal(module.exports.minnow_wasm_memory_used(), used);
    bytes ??= module.memory.buffer.byteLength;
  }
  assert.equal(module.memory.buffer.byteLength, bytes);
  module.exports.minnow_wasm_close();
});

each('a file of unknown length grows in place', { closed: true }, (module) => {
  const { exports } = module;
  let [address, length] = [exports.minnow_wasm_reallocate(0, 1), 0];
  const first = address;
  for (let at = 0; at < file.length; at += length) {
    length = Math.min(10000, file.length - at);
    address = exports.minnow_wasm_reallocate(address, at + length);
    module.bytes(address + at, length).set(file.subarray(at, at + length));
  }
  assert.equal(address, first);
  assert.equal(module.openAt(address, file.length), STATUS.ok, module.error());
  assert.equal(encodeAll(module, 20, 20), hashes[20]);
  assert.equal(exports.minnow_wasm_reallocate(0, 0xfffffff0), 0);
});

each('the allocator: blocks never overlap, and all comes back', { closed: true }, (module) => {
  const { exports } = module;
  const blocks = [];
  let seed = 1;
  const dice = (n) => (seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff) % n;
  const used = exports.minnow_wasm_memory_used();
  const check = ({ address, length, mark }) => {
    assert.equal(address % 64, 0);
    assert.ok(module.bytes(address, length).every((byte) => byte === mark));
  };
  for (let i = 0; i < 5000; i++) {
    const which = dice(blocks.length + 1);
    if (which === blocks.length || dice(3) === 0) {
      const block = { length: dice(5000), mark: i & 255 };
      block.address = module.allocate(block.length);
      module.bytes(block.address, block.length).fill(block.mark);
      blocks.push(block);
      continue;
    }
    const block = blocks[which];
    check(block);
    if (dice(3) === 0) {
      const length = dice(8000);
      block.address = exports.minnow_wasm_reallocate(block.address, length);
      check({ ...block, length: Math.min(length, block.length) });
      module.bytes(block.address, length).fill(block.mark);
      block.length = length;
    } else {
      exports.minnow_wasm_release(block.address);
      blocks.splice(which, 1);
    }
  }
  blocks.forEach(check);
  for (const { address } of blocks) exports.minnow_wasm_release(address);
  assert.equal(exports.minnow_wasm_memory_used(), used);
});

// --- Threads ---------------------------------------------------------------------------------------------------------

each('helpers: as many as have come, and home again', { threads: true, helpers: 1 }, async (module) => {
  const { exports } = module;
  assert.equal(module.configure({ threads: 8 }), STATUS.ok, module.error());
  assert.equal(module.info().threads, 2);
  assert.equal(encodeAll(module, 100, 100), hashes[100]);
  await module.addHelper(2);
  assert.equal(module.configure({ threads: 8 }), STATUS.ok, module.error());
  assert.equal(module.info().threads, 3);
  assert.equal(encodeAll(module, 100, 100), hashes[100]);
  const stack = exports.minnow_wasm_thread_stack(2);
  assert.notEqual(stack, exports.minnow_wasm_thread_stack(1));
  assert.equal(stack, exports.minnow_wasm_thread_stack(2));
  assert.equal(exports.minnow_wasm_thread_stack(0), 0);
  assert.equal(exports.minnow_wasm_thread_stack(256), 0);
  await module.end();
  assert.equal(exports.minnow_wasm_threads_ready(), 0);
  refused(module, module.encode(['a']).status, STATUS.argument, 'there is no context: configure it');
  assert.equal(module.configure({ threads: 8 }), STATUS.ok, module.error());
  assert.equal(module.info().threads, 1);
  assert.equal(encodeAll(module, 20, 20), hashes[20]);
});
