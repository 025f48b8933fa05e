/* SPDX-License-Identifier: Apache-2.0
 * Where `minnow export` and `minnow quantize --to onnx` write, and the small files that go with a model. */
#ifndef MINNOW_CLI_EXPORT_H
#define MINNOW_CLI_EXPORT_H

#include <stddef.h>

#include "base/error.h"

#define EXPORT_FILES_MAX 12

/* Zeroed before the first use; freed with export_files_free, whatever happened. */
typedef struct export_files {
    char *model;    /* the ONNX file to write */
    char *folder;   /* where the small files belong: beside the model, or above onnx/; NULL for a pipe or device */
    int is_hub;     /* the Hub's layout was asked for (-o DIR/) */
    const char *names[EXPORT_FILES_MAX]; /* what is to be copied ("tokenizer.json"), or has been */
    size_t n_names;
} export_files;

/* -o FILE or DIR/ -> names; `hub_name` is the model's in the Hub's layout ("onnx/model.onnx"). Decides which of the
 * source's small files have to be copied; refuses to replace one that differs, or something that is no ONNX file,
 * unless `force`. Writes nothing. */
minnow_status export_files_plan(export_files *out, const char *source, const char *output, const char *hub_name,
                                int force, minnow_error *error);
/* Makes folders and copies. */
minnow_status export_files_copy(const export_files *files, const char *source, minnow_error *error);
/* The model's folder, parents too. */
minnow_status export_files_make_folders(const export_files *files, minnow_error *error);
/* Of the ONNX file that was written; 0: a pipe, which has no size. */
size_t export_files_model_bytes(const export_files *files);
/* What was copied: a line (none if nothing was), or an array of paths. */
void export_files_print(const export_files *files);
void export_files_print_json(const export_files *files);
void export_files_free(export_files *files);

#endif
