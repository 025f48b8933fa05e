/* SPDX-License-Identifier: Apache-2.0
 * Formatted printing into memory, as far as the run-time half's messages need it: libc's comes with files, and files
 * with imports from WASI. */
#ifndef MINNOW_WASM_PRINT_H
#define MINNOW_WASM_PRINT_H

#include <stdarg.h>
#include <stddef.h>

/* What vsnprintf does, for %% and conversions d u x s with flags 0 and #, a width, a precision (of s; also *) and sizes
 * l ll z. From anything else on the format is copied as it is. */
int print_into(char *out, size_t capacity, const char *format, va_list arguments);

#endif
