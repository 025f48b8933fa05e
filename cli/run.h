/* SPDX-License-Identifier: Apache-2.0
 * minnow run, in parts: inputs from files, outputs to files and streams. */
#ifndef MINNOW_CLI_RUN_H
#define MINNOW_CLI_RUN_H

#include "base/arena.h"
#include "convert/graph/graph.h"

/* One tensor for each graph input, [g->n_inputs]. `path` is a JSON file, an object of nested arrays by input name, cast
 * to the declared types; or a folder with NAME.npy for each. Data lies in `memory`. */
minnow_status run_read_inputs(const graph *g, const char *path, arena *memory, tensor *inputs, minnow_error *error);

/* {"outputs":{NAME:{"shape","dtype","data"}}}; wanted[i] says which. */
void run_print_json(const graph *g, const tensor *outputs, const uint8_t *wanted);
/* Name, type, shape, range and first elements of each. */
void run_print_summary(const graph *g, const tensor *outputs, const uint8_t *wanted);
/* NAME.npy for each in `folder`, which is made if need be. */
minnow_status run_write_npy(const graph *g, const tensor *outputs, const uint8_t *wanted, const char *folder,
                            minnow_error *error);

/* "folder/NAME.npy", malloc'd, with characters that mean something in paths replaced by '_'; NULL if out of memory. */
char *run_npy_path(const char *folder, const char *name);

#endif
