/* SPDX-License-Identifier: Apache-2.0
 * What the program asks of the operating system beside files and threads: streams, signals, the clock, where it is. */
#ifndef MINNOW_BASE_OS_H
#define MINNOW_BASE_OS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Writing to a closed pipe becomes an error of the write instead of the end of the process. */
void os_ignore_sigpipe(void);
/* Call first in main. Descriptors 0 to 2 that the caller closed are filled with ones that fail, so that no file opened
 * later is taken for standard output; on Windows, stdin and stdout carry bytes and the console shows UTF-8. */
void os_prepare_streams(void);

/* From here on SIGINT, SIGTERM and SIGHUP are noted instead of ending the process at once, so that temporary files can
 * be removed; a second one does end it. os_read fails with EINTR after one. */
void os_catch_interrupts(void);
int os_interrupted(void); /* the signal's number, or 0 */
/* Ends the process by the signal that was noted; returns if there was none. */
void os_end_if_interrupted(void);

int os_is_terminal(FILE *stream);
/* What is there to read now, at most `bytes`: waits for the first byte only, where fread waits for all. Returns the
 * number of bytes, 0 at the end, -1 with errno set on failure. Not to be mixed with stdio on the same stream. */
ptrdiff_t os_read(FILE *stream, void *data, size_t bytes);

/* Lines from here to the end of a stream that is a regular file, which stays where it is; 0 if it is something else. */
uint64_t os_count_lines(FILE *stream);

/* A clock that only goes forward; its zero means nothing. */
double os_seconds(void);

/* The path of the running program, malloc'd; NULL if the system does not say. */
char *os_executable_path(void);

/* Calls visit(context, name) for each entry of a folder but "." and "..", in no particular order. Returns 0, or -1
 * with errno set. */
typedef void (*os_visit_fn)(void *context, const char *name);
int os_list_folder(const char *path, os_visit_fn visit, void *context);

#endif
