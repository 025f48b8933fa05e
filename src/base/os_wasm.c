/* SPDX-License-Identifier: Apache-2.0
 * What a WASM module asks of its page: the clock. */
#include "base/os.h"

/* Milliseconds. A page that is not isolated sees it go on in steps of 0.1. */
__attribute__((import_module("env"), import_name("now"))) double minnow_import_now(void);

double os_seconds(void) { return minnow_import_now() * 1e-3; }
