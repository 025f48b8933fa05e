/* SPDX-License-Identifier: Apache-2.0
 * What the parts of a module know of each other. */
#ifndef MINNOW_WASM_INSTANCE_H
#define MINNOW_WASM_INSTANCE_H

/* minnow_wasm.c: the context is gone until the next minnow_wasm_configure. */
void instance_close_context(void);

#endif
