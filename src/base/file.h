/* SPDX-License-Identifier: Apache-2.0
 * Files: whole-file read-only maps, and writing that leaves either the whole new file or the old one. */
#ifndef MINNOW_BASE_FILE_H
#define MINNOW_BASE_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

typedef struct file_map {
    const uint8_t *data; /* page-aligned; not NULL even for an empty file */
    size_t bytes;
    int is_mapped; /* else allocated (a pipe, an empty file, no mmap) */
} file_map;

/* Maps a regular file (or reads a pipe) whole. Errors name the path. */
minnow_status file_map_open(file_map *out, const char *path, minnow_error *error);
/* The same for a name found in a model file (ONNX external data): resolved beneath `folder`, no absolute name, no
 * "..", no symbolic link at any step, a regular file with one hard link. */
minnow_status file_map_open_beneath(file_map *out, const char *folder, const char *name, minnow_error *error);
void file_map_close(file_map *map);

/* A file in the making: written under a temporary name in the same folder, renamed into place by file_writer_commit
 * (after fsync), removed by file_writer_abort. Exactly one of the two must be called after a successful open; both are safe
 * on a zeroed writer. */
typedef struct file_writer {
    FILE *stream;
    char *path, *temporary_path;
} file_writer;
minnow_status file_writer_open(file_writer *out, const char *path, minnow_error *error);
minnow_status file_writer_write(file_writer *w, const void *data, size_t bytes, minnow_error *error);
minnow_status file_writer_commit(file_writer *w, minnow_error *error);
void file_writer_abort(file_writer *w);

/* Writes a whole file in one step, as above. */
minnow_status file_write_all(const char *path, const void *data, size_t bytes, minnow_error *error);

int file_exists(const char *path);      /* anything that is not a directory */
int file_is_directory(const char *path);
/* mkdir, parents too; fine if it is already there. */
minnow_status file_make_directory(const char *path, minnow_error *error);

/* "folder/name" (or "name" if folder is ""), malloc'd; NULL if out of memory. */
char *path_join(const char *folder, const char *name);
/* The folder of a path, "." if it names none; malloc'd. */
char *path_folder(const char *path);
/* The part after the last separator; points into `path`. */
const char *path_name(const char *path);
/* *out is the parent of a folder named "onnx", where the Hub's layout keeps what belongs to the model in it; malloc'd.
 * NULL if the folder has another name. "." and ".." are looked up. Returns 0 if out of memory. */
int path_above_onnx(char **out, const char *folder);
int path_has_suffix(const char *path, const char *suffix);

#endif
