/* SPDX-License-Identifier: Apache-2.0
 * How wide a terminal is. */
#ifndef MINNOW_BASE_TERMINAL_H
#define MINNOW_BASE_TERMINAL_H

#include <stdio.h>

/* Columns of the terminal behind `stream`; 0 if it is none or does not say. */
size_t terminal_columns(FILE *stream);

#endif
