/* SPDX-License-Identifier: Apache-2.0
 *
 * .npy, NumPy's file of one array (numpy.lib.format, versions 1.0, 2.0 and 3.0):
 *
 *   "\x93NUMPY" | major, minor | header length: uint16 (1.0) or uint32 | header | elements
 *   header: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 384), }   padded with spaces, "\n" at the end
 *
 * Little-endian, C order; f2 f4 f8, i1 to i8, u1 to u8, b1. Anything else is refused by name. */
#ifndef MINNOW_CONVERT_NPY_H
#define MINNOW_CONVERT_NPY_H

#include "base/arena.h"
#include "base/file.h"
#include "convert/graph/tensor.h"

/* Bytes -> a tensor whose elements lie in `memory`. The bytes must be exactly one array. Messages name no file. */
minnow_status npy_read(const uint8_t *data, size_t bytes, arena *memory, tensor *out, minnow_error *error);

/* Writes a tensor as version 1.0, all or nothing. */
minnow_status npy_write(const char *path, const tensor *value, minnow_error *error);

/* A matrix whose number of rows is known only at the end: the header is written again by npy_stream_commit. The file
 * appears under its name then, or a pipe gets all of it; npy_stream_abort leaves nothing. One of the two must follow a successful open. */
typedef struct npy_stream {
    file_writer writer;
    FILE *rows; /* NULL, or where rows wait for their header: a pipe cannot be rewound */
    dtype type;
    size_t row_elements;
    uint64_t n_rows;
} npy_stream;
minnow_status npy_stream_open(npy_stream *out, const char *path, dtype type, size_t row_elements, minnow_error *error);
minnow_status npy_stream_write(npy_stream *s, const void *rows, size_t n_rows, minnow_error *error);
minnow_status npy_stream_commit(npy_stream *s, minnow_error *error);
void npy_stream_abort(npy_stream *s);

#endif
