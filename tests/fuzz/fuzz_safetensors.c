/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as a safetensors file, and then as the weights of a small BERT (the sizes of
 * tests/golden/tiny-bert/gelu-f32).
 * Covers: src/convert/import/safetensors.c src/convert/import/weights.c */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "convert/import/bert.h"
#include "convert/import/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const bert_config config = {
        .vocab = 40, .positions = 10, .types = 2, .hidden = 12, .intermediate = 20, .layers = 2, .heads = 3};
    char prefix[64];
    safetensors weights;
    model_settings settings;
    minnow_error error;
    builder b;
    if (safetensors_read(&weights, data, size, &error) != MINNOW_OK) return 0;
    settings_init(&settings);
    memset(&b, 0, sizeof b);
    b.weights = &(builder_weights){&weights, prefix};
    b.error = &error;
    b.g = bert_find_prefix(&weights, prefix, sizeof prefix, &error) == MINNOW_OK ? graph_create() : NULL;
    if (b.g != NULL) bert_build(&b, &config, &settings, 1);
    graph_close(&b.g);
    safetensors_free(&weights);
    return 0;
}
