/* SPDX-License-Identifier: Apache-2.0
 * Errors inside the library: a status travels up, its text is written once, where the fault was found. */
#ifndef MINNOW_BASE_ERROR_H
#define MINNOW_BASE_ERROR_H

#include "minnow.h"

#if defined(__MINGW32__)
#define MINNOW_PRINTF(format_index, first_index) __attribute__((format(gnu_printf, format_index, first_index)))
#elif defined(__GNUC__)
#define MINNOW_PRINTF(format_index, first_index) __attribute__((format(printf, format_index, first_index)))
#else
#define MINNOW_PRINTF(format_index, first_index)
#endif

/* Returns from the calling function if `expression` is not MINNOW_OK; the text is already written. */
#define TRY(expression)                                                                                             \
    do {                                                                                                            \
        const minnow_status try_status_ = (expression);                                                             \
        if (try_status_ != MINNOW_OK) return try_status_;                                                           \
    } while (0)

/* The same in a function that owns things: sets the local `status` and jumps to `fail`. */
#define TRY_GOTO(expression)                                                                                        \
    do {                                                                                                            \
        status = (expression);                                                                                      \
        if (status != MINNOW_OK) goto fail;                                                                         \
    } while (0)

/* Writes status and text into *error (may be NULL) and returns status. Control characters, DEL, C1 and invalid UTF-8
 * in the text are escaped as \xNN, because names from files reach terminals through it. */
minnow_status error_set(minnow_error *error, minnow_status status, const char *format, ...) MINNOW_PRINTF(3, 4);

/* Puts "prefix: " in front of the text that is already there; returns error->status (or `status` if error is NULL).
 * How a file's name reaches a message that a parser of bytes wrote. */
minnow_status error_prefix(minnow_error *error, minnow_status status, const char *format, ...) MINNOW_PRINTF(3, 4);

#endif
