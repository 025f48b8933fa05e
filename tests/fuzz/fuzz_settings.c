/* SPDX-License-Identifier: Apache-2.0
 * The small files of a model's folder; the first byte says which: 0 to 3 a settings_file, 4 a BERT's config.json, 5 a
 * model card.
 * Covers: src/convert/import/settings.c src/convert/import/bert_config.c src/convert/import/model_card.c */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "convert/import/bert.h"
#include "convert/import/model_card.h"
#include "convert/import/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    model_settings settings;
    bert_config config;
    minnow_error error;
    yyjson_doc *doc;
    char license[16];
    unsigned kind;
    if (size == 0) return 0;
    kind = *data++ & 7u;
    size--;
    if (kind == 5) model_card_license((const char *)data, size, license, sizeof license);
    if (kind > 4 || json_parse(&doc, (const char *)data, size, &error) != MINNOW_OK) return 0;
    settings_init(&settings);
    if (kind < SETTINGS_FILES) settings_add(&settings, (settings_file)kind, yyjson_doc_get_root(doc), &error);
    else bert_config_read(&config, yyjson_doc_get_root(doc), &error);
    settings_free(&settings);
    yyjson_doc_free(doc);
    return 0;
}
