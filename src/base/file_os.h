/* SPDX-License-Identifier: Apache-2.0
 * What file.c asks of the operating system; file_posix.c and file_windows.c answer. Functions that return int give 0 for success and set errno. */
#ifndef MINNOW_BASE_FILE_OS_H
#define MINNOW_BASE_FILE_OS_H

#include <stdio.h>

#include "base/error.h"

#define FILE_OS_TEMPORARY_BYTES 32 /* room that a temporary name needs beyond the path */

#ifdef _WIN32
#define FILE_OS_BACKSLASH 1
#else
#define FILE_OS_BACKSLASH 0
#endif

/* "PATH: what: strerror(errno)". */
minnow_status file_os_error(minnow_error *error, const char *path, const char *what);

/* 1 if the path exists and is neither a regular file, a folder nor a link to one, or names an open file (/dev/stdout):
 * what cannot be replaced by renaming. */
int file_os_is_special(const char *path);
/* Creates a new file beside `path`, with the permissions of a file being replaced or those of umask, and writes its name. */
FILE *file_os_create_temporary(const char *path, char *temporary_path);
/* The absolute path without "." and "..", malloc'd; NULL and errno if there is none. */
char *file_os_real_path(const char *path);
int file_os_sync(FILE *stream);
int file_os_replace(const char *from, const char *to);
int file_os_make_directory(const char *path);

#endif
