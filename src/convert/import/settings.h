/* SPDX-License-Identifier: Apache-2.0
 * The small JSON files of a model's folder, one at a time and as bytes: what settings_read is made of. */
#ifndef MINNOW_CONVERT_IMPORT_SETTINGS_H
#define MINNOW_CONVERT_IMPORT_SETTINGS_H

#include "convert/import/import.h"
#include "convert/json/json.h"

typedef enum settings_file {
    SETTINGS_CONFIG,  /* config.json: max_positions, name */
    SETTINGS_MODULES, /* modules.json: normalize, and which modules there are */
    SETTINGS_POOLING, /* 1_Pooling/config.json: pooling */
    SETTINGS_LIMITS,  /* sentence_bert_config.json: max_tokens */
    SETTINGS_FILES
} settings_file;

/* Adds what a file says to *s, which begins as settings_init makes it. Messages name no file. */
minnow_status settings_add(model_settings *s, settings_file file, yyjson_val *root, minnow_error *error);
void settings_init(model_settings *s);

/* "mean", "cls", "max". */
const char *settings_pooling_name(minnow_pooling pooling);

#endif
