/* SPDX-License-Identifier: Apache-2.0
 *
 * What a WASM module exports: the contract between wasm/ and js/src/engine.js. Pointers and sizes are wasm32's, 32 bits.
 *
 *   minnow-simd.wasm             SIMD128            minnow-simd-threads.wasm      with shared memory
 *   minnow-relaxed.wasm          relaxed SIMD       minnow-relaxed-threads.wasm   with shared memory
 *   minnow-full.wasm             SIMD128, and the build-time reader (wasm/full.c): ONNX files
 *
 * One instance has one model and one context. The caller reserves memory for the file (minnow_wasm_allocate), streams
 * the bytes into it, hashing as they come, and opens it where it lies: weights are in memory once.
 *
 * Imports, module "env": `now` () -> f64, milliseconds of a clock that only goes forward, for timing kernels; and in
 * modules with threads `memory`, shared. Modules without threads export their `memory`. No WASI.
 *
 * A function that can fail returns a minnow_status; minnow_wasm_error then gives its one line. Every address that was
 * given stays valid: memory grows and never moves. Views of it that JavaScript has made do not: take them anew. */
#ifndef MINNOW_WASM_H
#define MINNOW_WASM_H

#include <stddef.h>
#include <stdint.h>

#include "minnow.h"

#define WASM_EXPORT(name) __attribute__((export_name(#name), used)) name

/* Changes when a caller must: js/src/engine.js refuses any other. */
#define MINNOW_WASM_ABI 1
uint32_t minnow_wasm_abi(void);

/* The last failure's line: UTF-8, NUL-terminated, static. */
const char *minnow_wasm_error(void);

/* 64-byte aligned, uninitialized; NULL if memory cannot grow so far. */
void *minnow_wasm_allocate(size_t bytes);
void minnow_wasm_release(void *memory);

/* SHA-256 of bytes in memory, piece by piece; one at a time. end: writes 32 bytes. */
void minnow_wasm_sha256_begin(void);
void minnow_wasm_sha256_update(const void *data, size_t bytes);
void minnow_wasm_sha256_end(uint8_t *digest);

/* Opens the .minnow file that lies in `data`, which comes from minnow_wasm_allocate and belongs to the model from here
 * on, whatever happens. A model that was open is closed. `verified` 1: the caller has checked the whole file's SHA-256,
 * and the sections' checksums are not looked at; everything else is checked as ever. */
minnow_status minnow_wasm_open(void *data, size_t bytes, int verified);
void minnow_wasm_close(void);

/* Of the open model. */
typedef struct minnow_wasm_info {
    uint32_t dimensions;    /* numbers of a vector */
    uint32_t max_tokens;    /* beyond which a text is cut by default */
    uint32_t max_positions; /* beyond which it must be */
    uint32_t pooling;       /* the model's: minnow_pooling */
    uint32_t isa;           /* char *, NUL-terminated: what the context runs on */
    uint32_t n_threads;     /* of the context */
} minnow_wasm_info;
const minnow_wasm_info *minnow_wasm_info_get(void);

/* Makes the context anew if any of these differs from what it has. isa NULL: the fastest here, timed on the first call.
 * 0 means the default in each of the rest; n_threads 0: 1. */
minnow_status minnow_wasm_configure(const char *isa, uint32_t n_threads, uint32_t max_tokens, uint32_t pooling,
                                    uint32_t no_normalize);
/* Instruction sets of this module, the best first: "wasm-relaxed", ..., "scalar"; NULL after the last. */
const char *minnow_wasm_isa(uint32_t index);

/* Texts laid end to end, UTF-8: text i is bytes [offsets[i], offsets[i + 1]) of `texts`; offsets [n + 1]. Writes vectors
 * float32 [n, dimensions] and for each text its token count, the top bit set if it was cut: encodings [n]. */
#define MINNOW_WASM_TRUNCATED 0x80000000u
minnow_status minnow_wasm_encode(const char *texts, const uint32_t *offsets, uint32_t n, float *vectors,
                                 uint32_t *encodings);
/* Vectors of tokens, float32 [n_tokens, dimensions], not normalized; `capacity` in floats. */
minnow_status minnow_wasm_encode_tokens(const char *text, uint32_t bytes, float *vectors, uint32_t capacity,
                                        uint32_t *encoding);
/* Token ids, int32; max_tokens 0: all. *n_ids as minnow_tokenize gives it, the top bit set if the text was cut. */
minnow_status minnow_wasm_tokenize(const char *text, uint32_t bytes, uint32_t max_tokens, int32_t *ids,
                                   uint32_t capacity, uint32_t *n_ids);

/* Modules with threads only. Each helper, in a worker of its own with an instance of its own over the same memory, sets
 * `__stack_pointer` to what minnow_wasm_thread_stack gives (called by the first instance; NULL: out of memory), calls
 * __wasm_init_tls with minnow_wasm_thread_tls if the module exports it, and then minnow_wasm_thread_run with its number,
 * 1, 2, ...: it returns after minnow_wasm_threads_end. A context's n_threads counts only helpers that have come. */
void *minnow_wasm_thread_stack(uint32_t thread);
void minnow_wasm_thread_run(uint32_t thread);
uint32_t minnow_wasm_threads_ready(void);
void minnow_wasm_threads_end(void);

#endif
