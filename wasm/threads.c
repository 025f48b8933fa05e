/* SPDX-License-Identifier: Apache-2.0
 * What a module with threads exports beside the rest (minnow_wasm.h): helpers' stacks, and their coming and going. */
#include <stdlib.h>

#include "base/thread.h"
#include "base/thread_wasm.h"
#include "instance.h"
#include "minnow_wasm.h"

#define STACK_BYTES ((size_t)131072) /* as the linker gives the first instance */

/* Kept for good: a helper that starts again under the same number takes the one it had. */
static uint8_t *stacks[THREAD_POOL_MAX];

void *WASM_EXPORT(minnow_wasm_thread_stack)(uint32_t thread) {
    if (thread == 0 || thread >= THREAD_POOL_MAX) return NULL;
    if (stacks[thread] == NULL) stacks[thread] = malloc(STACK_BYTES);
    return stacks[thread] == NULL ? NULL : stacks[thread] + STACK_BYTES; /* it grows downwards */
}

void WASM_EXPORT(minnow_wasm_thread_run)(void) { thread_wasm_help(); }

uint32_t WASM_EXPORT(minnow_wasm_threads_ready)(void) { return thread_wasm_helpers(); }

void WASM_EXPORT(minnow_wasm_threads_end)(void) {
    instance_close_context();
    thread_wasm_end();
}
