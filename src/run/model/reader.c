/* SPDX-License-Identifier: Apache-2.0
 *
 * .minnow bytes -> INT8 model, whose arrays are the file's own.
 *
 *     sections (CRCs) -> MODEL: shapes -> TEXTS, TOKENIZER -> arrays are bound in order -> their numbers are checked */
#include <stdio.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "run/model/format.h"
#include "run/model/storage.h"

/* --- Sections in the order in which the model has them ------------------------------------------------------------ */

typedef struct reading {
    model_walk walk; /* first: the walk is the reading */
    model_sections sections;
    size_t next;            /* the section to come */
    const uint8_t *at;      /* in the current one */
} reading;

typedef struct section_name { char text[64]; } section_name;

/* "'up' of layer 3", or "'texts'". */
static section_name name_section(uint32_t kind, uint32_t layer) {
    section_name name;
    if (layer == SECTION_NO_LAYER) snprintf(name.text, sizeof name.text, "'%s'", section_kind_name(kind));
    else snprintf(name.text, sizeof name.text, "'%s' of layer %u", section_kind_name(kind), layer);
    return name;
}

/* The next section must be this one. `bytes` 0: of any size. */
static minnow_status expect(reading *r, section_kind kind, uint32_t layer, size_t bytes, model_section *out,
                            minnow_error *error) {
    const section_name name = name_section((uint32_t)kind, layer);
    if (r->next == r->sections.n)
        return error_set(error, MINNOW_ERROR_FORMAT, "section %s is missing", name.text);
    *out = model_sections_at(&r->sections, r->next);
    if (out->kind != (uint32_t)kind || out->layer != layer)
        return error_set(error, MINNOW_ERROR_FORMAT, "section %zu is %s, where %s belongs", r->next,
                         name_section(out->kind, out->layer).text, name.text);
    if (bytes != 0 && out->decoded_bytes != bytes)
        return error_set(error, MINNOW_ERROR_FORMAT, "section %zu (%s) has %llu bytes instead of %zu", r->next,
                         name.text, (unsigned long long)out->decoded_bytes, bytes);
    r->next++;
    return MINNOW_OK;
}

static minnow_status begin_section(model_walk *w, section_kind kind, uint32_t layer, size_t bytes,
                                   minnow_error *error) {
    reading *r = (reading *)w;
    model_section section;
    TRY(expect(r, kind, layer, bytes, &section, error));
    r->at = section.data;
    return MINNOW_OK;
}

static const void *bind_part(model_walk *w, const void *old, size_t bytes) {
    reading *r = (reading *)w;
    const void *part = r->at;
    (void)old;
    r->at += bytes;
    return part;
}

/* --- The parts ---------------------------------------------------------------------------------------------------- */

static minnow_status read_tokenizer(int8_model *m, const model_section *section, minnow_error *error) {
    arena memory;
    tokenizer_config config;
    minnow_status status;
    arena_init(&memory, 0); /* bounded by the section: each count is checked against the bytes that are left */
    TRY_GOTO(tokenizer_data_read(&config, &memory, section->data, section->bytes, error));
    TRY_GOTO(tokenizer_create(&m->tokenizer, &config, error));
    m->storage->tokenizer_data = section->data;
    m->storage->tokenizer_bytes = section->bytes;
    if (tokenizer_vocab_size(m->tokenizer) > m->n_vocab)
        status = error_set(error, MINNOW_ERROR_FORMAT, "ids go up to %zu, the word table has %zu rows",
                           tokenizer_vocab_size(m->tokenizer) - 1, m->n_vocab);
    else if (config.n_prefix >= m->max_tokens || config.n_suffix >= m->max_tokens - config.n_prefix)
        status = error_set(error, MINNOW_ERROR_FORMAT, "a template of %zu tokens, where max_tokens is %zu",
                           config.n_prefix + config.n_suffix, m->max_tokens);
fail:
    arena_free(&memory);
    return status;
}

static minnow_status read_arrays(reading *r, int8_model *m, unsigned norm_inputs, minnow_error *error) {
    int8_layer *layers;
    /* A layer has 15 sections or more: the table bounds what is allocated. */
    if (m->n_layers > r->sections.n / 15)
        return error_set(error, MINNOW_ERROR_FORMAT, "%zu layers in %u sections", m->n_layers, r->sections.n);
    layers = arena_array(&m->storage->memory, m->n_layers, sizeof *layers);
    if (layers == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory for %zu layers", m->n_layers);
    m->layers = layers;
    TRY(model_walk_arrays(&r->walk, m, layers, norm_inputs, error));
    if (r->next != r->sections.n) {
        const model_section extra = model_sections_at(&r->sections, r->next);
        return error_set(error, MINNOW_ERROR_FORMAT, "section %zu (%s) belongs to no part of this model", r->next,
                         name_section(extra.kind, extra.layer).text);
    }
    return model_arrays_check(m, error);
}

static minnow_status read_model(reading *r, int8_model *m, minnow_error *error) {
    model_section section;
    minnow_status status;
    unsigned norm_inputs = 0;
    TRY(expect(r, SECTION_MODEL, SECTION_NO_LAYER, 0, &section, error));
    status = model_head_read(m, &norm_inputs, section.data, section.bytes, error);
    if (status != MINNOW_OK) return error_prefix(error, status, "model");
    TRY(expect(r, SECTION_TEXTS, SECTION_NO_LAYER, 0, &section, error));
    status = model_texts_read(m, section.data, section.bytes, error);
    if (status != MINNOW_OK) return error_prefix(error, status, "texts");
    TRY(expect(r, SECTION_TOKENIZER, SECTION_NO_LAYER, 0, &section, error));
    TRY(read_arrays(r, m, norm_inputs, error));
    status = read_tokenizer(m, &section, error);
    return status == MINNOW_OK ? status : error_prefix(error, status, "tokenizer");
}

static minnow_status read_file(int8_model **out, const uint8_t *data, size_t bytes, int verified, minnow_error *error) {
    reading r = {{begin_section, bind_part}, {0, 0, NULL, 0}, 0, NULL};
    minnow_status status;
    int8_model *m;
    *out = NULL;
    if ((uintptr_t)data % MEMORY_ALIGNMENT != 0)
        return error_set(error, MINNOW_ERROR_ARGUMENT, "a model in memory must begin at a multiple of 64 bytes");
    TRY(model_sections_read(&r.sections, data, bytes, verified, error));
    m = int8_model_create();
    if (m == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory for a model");
    status = read_model(&r, m, error);
    if (status == MINNOW_OK) *out = m;
    else int8_model_close(&m);
    return status;
}

minnow_status int8_model_read(int8_model **out, const uint8_t *data, size_t bytes, minnow_error *error) {
    return read_file(out, data, bytes, 0, error);
}

minnow_status int8_model_read_verified(int8_model **out, const uint8_t *data, size_t bytes, minnow_error *error) {
    return read_file(out, data, bytes, 1, error);
}
