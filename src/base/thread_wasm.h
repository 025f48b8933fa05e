/* SPDX-License-Identifier: Apache-2.0
 * Where the threads of a WASM module come from: the host makes helpers, each an instance of its own over the same
 * memory, and sends them in here. */
#ifndef MINNOW_BASE_THREAD_WASM_H
#define MINNOW_BASE_THREAD_WASM_H

/* A helper's life: takes its part of every job that has one for it, and returns after thread_wasm_end. */
void thread_wasm_help(void);
/* Helpers that have come. */
unsigned thread_wasm_helpers(void);
/* Sends all helpers home, for good, without waiting for them; no pool may be open. */
void thread_wasm_end(void);

#endif
