/* SPDX-License-Identifier: Apache-2.0
 *
 * What a WASM module exports: the contract between wasm/ and js/src/engine.js. Pointers and sizes are wasm32's, of
 * 32 bits.
 *
 *   minnow-simd.wasm             SIMD128            minnow-simd-threads.wasm      with shared memory
 *   minnow-relaxed.wasm          relaxed SIMD       minnow-relaxed-threads.wasm   with shared memory
 *   minnow-full.wasm             SIMD128, and the build-time reader (wasm/full.c): ONNX files
 *
 * One instance has one model and one context. The caller reserves memory for the file (minnow_wasm_allocate), streams
 * the bytes into it, hashing as they come, and opens it where it lies: weights are in memory once.
 *
 * Imports, module "env": `now` () -> f64, milliseconds of a clock that only goes forward, where there are kernels to
 * choose from by timing (relaxed); and in modules with threads `memory`, shared. Modules without threads export their
 * `memory`. No WASI.
 *
 * A function that can fail returns a minnow_status; minnow_wasm_error then gives its one line. Every address that was
 * given stays valid: memory grows and never moves. Views of it that JavaScript has made do not: take them anew after
 * any call that may allocate (allocate, reallocate, open, configure, tokenize, thread_stack). */
#ifndef MINNOW_WASM_H
#define MINNOW_WASM_H

#include <stddef.h>
#include <stdint.h>

#include "minnow.h"

#define WASM_EXPORT(name) __attribute__((export_name(#name), used)) name

/* Changes when a caller must: js/src/engine.js refuses any other. */
#define MINNOW_WASM_ABI 2
uint32_t minnow_wasm_abi(void);

/* The last failure's line: UTF-8, NUL-terminated, static. */
const char *minnow_wasm_error(void);

/* --- Memory ------------------------------------------------------------------------------------------------------- */

/* 64-byte aligned, uninitialized; NULL, with an error line, if memory cannot grow so far. */
void *minnow_wasm_allocate(size_t bytes);
/* What minnow_wasm_allocate gave, made `bytes` long: in place if nothing has been allocated since, so that a file of
 * unknown length can come in; else moved. NULL, with an error line: the old one is as it was. `memory` NULL:
 * allocate. */
void *minnow_wasm_reallocate(void *memory, size_t bytes);
void minnow_wasm_release(void *memory); /* NULL is allowed */
/* Memory grows to so many bytes at most, code's data and stack included; 0: as far as the host lets it. */
void minnow_wasm_memory_limit(size_t bytes);
/* Bytes that are allocated now: the same before opening a model and after closing it. */
size_t minnow_wasm_memory_used(void);

/* SHA-256 of bytes in memory, piece by piece; one at a time. end: writes 32 bytes. */
void minnow_wasm_sha256_begin(void);
void minnow_wasm_sha256_update(const void *data, size_t bytes);
void minnow_wasm_sha256_end(uint8_t *digest);

/* --- Models ------------------------------------------------------------------------------------------------------- */

/* The sections' checksums of a .minnow file that is still coming in, so that opening need not go through its bytes
 * again: [0, available) of the file at `data` are there, for good. available 0: another file begins. One at a time. */
void minnow_wasm_sums(const void *data, size_t available);

/* Opens the .minnow file that lies in `data`, which comes from minnow_wasm_allocate and belongs to the model from here
 * on, whatever happens. A model that was open is closed. The sections' checksums are looked at, unless `verified` is 1,
 * which says that the caller has checked the whole file's SHA-256, or minnow_wasm_sums has been told of all its bytes;
 * everything else is checked as ever. There is no context yet. */
minnow_status minnow_wasm_open(void *data, size_t bytes, int verified);
void minnow_wasm_close(void);

/* Of the open model. */
typedef struct minnow_wasm_info {
    uint32_t dimensions;    /* numbers of a vector */
    uint32_t max_tokens;    /* beyond which a text is cut by default */
    uint32_t max_positions; /* beyond which it must be */
    uint32_t pooling;       /* the model's: minnow_pooling */
    uint32_t isa;           /* char *, NUL-terminated: what the context runs on; 0: there is no context */
    uint32_t n_threads;     /* of the context */
} minnow_wasm_info;
const minnow_wasm_info *minnow_wasm_info_get(void); /* NULL: no model is open */

/* --- Encoding ----------------------------------------------------------------------------------------------------- */

/* Makes the context, or makes it anew, in the same memory, if any of these differs from what it has. isa NULL: the
 * fastest here, timed once. 0 means the default in each of the rest; n_threads 0: 1; more than there are helpers: all
 * of them. After MINNOW_ERROR_MEMORY there is no context until a call succeeds; after any other failure the old one
 * stays. */
minnow_status minnow_wasm_configure(const char *isa, uint32_t n_threads, uint32_t max_tokens, uint32_t pooling,
                                    uint32_t no_normalize);
/* Instruction sets of this module, the best first: "wasm-relaxed", ..., "scalar"; NULL after the last. */
const char *minnow_wasm_isa(uint32_t index);
/* Times, where there is a choice, what configure otherwise times when isa is NULL for the first time: to be called
 * while a file is on its way. */
void minnow_wasm_choose(void);

/* Texts laid end to end, UTF-8: text i is bytes [offsets[i], offsets[i + 1]) of `texts`; offsets [n + 1]. Writes
 * vectors float32 [n, dimensions] and for each text its token count, the top bit set if it was cut: encodings [n]. Of
 * texts that cannot be encoded the first is named ("text 3: ..."). n 0: nothing is looked at. */
#define MINNOW_WASM_TRUNCATED 0x80000000u
minnow_status minnow_wasm_encode(const char *texts, const uint32_t *offsets, uint32_t n, float *vectors,
                                 uint32_t *encodings);
/* Vectors of tokens, float32 [n_tokens, dimensions], not normalized; `capacity` in floats. */
minnow_status minnow_wasm_encode_tokens(const char *text, uint32_t bytes, float *vectors, uint32_t capacity,
                                        uint32_t *encoding);
/* Token ids, int32; max_tokens 0: all. *n_ids as minnow_tokenize gives it, also with MINNOW_ERROR_CAPACITY; the top bit
 * is set if the text was cut. */
minnow_status minnow_wasm_tokenize(const char *text, uint32_t bytes, uint32_t max_tokens, int32_t *ids,
                                   uint32_t capacity, uint32_t *n_ids);

/* --- Threads: modules with shared memory only --------------------------------------------------------------------- */

/* Each helper, in a worker of its own with an instance of its own over the same memory, sets `__stack_pointer` to what
 * minnow_wasm_thread_stack gives for its number (1 to 255; called by the first instance; NULL: out of memory) and calls
 * minnow_wasm_thread_run, which returns after minnow_wasm_threads_end. There is no thread-local storage. Whoever calls
 * the first instance must be allowed to wait (Atomics.wait): a worker is, a page's main thread is not.
 *
 * minnow_wasm_configure counts only helpers that have come: minnow_wasm_threads_ready. minnow_wasm_threads_end closes
 * the context and sends all helpers home for good, without waiting for them; from then on there is one thread. */
void *minnow_wasm_thread_stack(uint32_t thread);
void minnow_wasm_thread_run(void);
uint32_t minnow_wasm_threads_ready(void);
void minnow_wasm_threads_end(void);

#endif
