/* SPDX-License-Identifier: Apache-2.0
 *
 * INT8 model -> .minnow bytes. What is made is read back before it is given away, so that no file is written that the
 * reader would refuse.
 *
 *     shapes are checked -> sections are listed -> places -> copies and CRCs -> read back */
#include "convert/pack/pack.h"

#include <string.h>

#include "base/arena.h"
#include "base/crc32c.h"
#include "base/file.h"
#include "base/memory.h"
#include "convert/pack/sections.h"

enum { MAX_PARTS = 2 };

typedef struct pending_section {
    section_kind kind;
    uint32_t layer;
    size_t bytes, offset;
    const void *parts[MAX_PARTS];
    size_t part_bytes[MAX_PARTS];
    int n_parts;
} pending_section;

typedef struct packing {
    model_walk walk; /* first: the walk is the packing */
    arena memory;
    pending_section *sections;
    size_t n, capacity;
    size_t bytes;     /* of the file */
    int has_gap;      /* an array is missing */
} packing;

/* --- What goes into the file -------------------------------------------------------------------------------------- */

static minnow_status begin_section(model_walk *w, section_kind kind, uint32_t layer, size_t bytes,
                                   minnow_error *error) {
    packing *p = (packing *)w;
    (void)error; /* the walk makes at most as many sections as there is room for */
    p->sections[p->n++] = (pending_section){kind, layer, bytes, 0, {NULL, NULL}, {0, 0}, 0};
    return MINNOW_OK;
}

static const void *add_part(model_walk *w, const void *part, size_t bytes) {
    packing *p = (packing *)w;
    pending_section *s = &p->sections[p->n - 1];
    if (part == NULL) p->has_gap = 1;
    s->parts[s->n_parts] = part;
    s->part_bytes[s->n_parts++] = bytes;
    return part;
}

static void add_whole(packing *p, section_kind kind, const void *data, size_t bytes) {
    p->sections[p->n++] = (pending_section){kind, SECTION_NO_LAYER, bytes, 0, {data, NULL}, {bytes, 0}, 1};
}

static const uint8_t *model_section_bytes(packing *p, const int8_model *m, unsigned norm_inputs) {
    uint8_t *out = arena_alloc(&p->memory, FORMAT_MODEL_BYTES);
    if (out == NULL) return NULL;
    store_u32(out + MODEL_ARCHITECTURE, FORMAT_ARCHITECTURE_BERT);
    store_u32(out + MODEL_LAYERS, (uint32_t)m->n_layers);
    store_u32(out + MODEL_HIDDEN, (uint32_t)m->hidden);
    store_u32(out + MODEL_HEADS, (uint32_t)m->n_heads);
    store_u32(out + MODEL_INTERMEDIATE, (uint32_t)m->intermediate);
    store_u32(out + MODEL_VOCAB, (uint32_t)m->n_vocab);
    store_u32(out + MODEL_POSITIONS, (uint32_t)m->n_positions);
    store_u32(out + MODEL_ACTIVATION, (uint32_t)m->activation);
    memcpy(out + MODEL_EPSILON, &m->norm_epsilon, sizeof m->norm_epsilon);
    store_u32(out + MODEL_POOLING, (uint32_t)m->pooling);
    store_u32(out + MODEL_NORMALIZE, (uint32_t)m->normalize);
    store_u32(out + MODEL_MAX_TOKENS, (uint32_t)m->max_tokens);
    store_u32(out + MODEL_WORDS, (uint32_t)m->words.kind);
    store_u32(out + MODEL_OUTLIERS, (uint32_t)m->words.n_outliers);
    store_u32(out + MODEL_PLACES, (uint32_t)m->positions.kind);
    store_u32(out + MODEL_NORM_INPUTS, norm_inputs);
    memcpy(out + MODEL_SHA256, m->source_sha256, sizeof m->source_sha256);
    return out;
}

static const uint8_t *texts_section_bytes(packing *p, const int8_model *m, size_t *bytes) {
    const char *texts[3];
    uint8_t *out;
    texts[0] = m->name != NULL ? m->name : "";
    texts[1] = m->licence != NULL ? m->licence : "";
    texts[2] = m->source != NULL ? m->source : "";
    *bytes = strlen(texts[0]) + strlen(texts[1]) + strlen(texts[2]) + 3;
    out = arena_alloc(&p->memory, *bytes);
    if (out == NULL) return NULL;
    for (size_t i = 0, at = 0; i < 3; at += strlen(texts[i++]) + 1) memcpy(out + at, texts[i], strlen(texts[i]) + 1);
    return out;
}

/* --- Checks that reading back cannot do: it would read past arrays ------------------------------------------------ */

static minnow_status check_matrix(const char *name, const int8_matrix *w, size_t n, size_t k, minnow_error *error) {
    if (w->n == n && w->k == k) return MINNOW_OK;
    return error_set(error, MINNOW_ERROR_FORMAT, "%s is [%zu, %zu], not [%zu, %zu]", name, w->n, w->k, n, k);
}

static minnow_status check_matrices(const int8_model *m, const int8_layer *l, minnow_error *error) {
    TRY(check_matrix("query_key_value", &l->query_key_value, 3 * m->hidden, m->hidden, error));
    TRY(check_matrix("attention_output", &l->attention_output, m->hidden, m->hidden, error));
    TRY(check_matrix("up", &l->up, m->intermediate, m->hidden, error));
    return check_matrix("down", &l->down, m->hidden, m->intermediate, error);
}

static int rounds(const int8_norm *norm) { return norm->input_multiplier != NULL; }

/* Which norms round their input: all layers must agree. */
static minnow_status find_norm_inputs(const int8_model *m, unsigned *out, minnow_error *error) {
    *out = rounds(&m->embedding_norm) ? NORM_INPUT_EMBEDDING : 0;
    *out |= rounds(&m->layers[0].attention_norm) ? NORM_INPUT_ATTENTION : 0u;
    *out |= rounds(&m->layers[0].output_norm) ? NORM_INPUT_OUTPUT : 0u;
    for (size_t i = 1; i < m->n_layers; i++)
        if (rounds(&m->layers[i].attention_norm) != rounds(&m->layers[0].attention_norm) ||
            rounds(&m->layers[i].output_norm) != rounds(&m->layers[0].output_norm))
            return error_set(error, MINNOW_ERROR_UNSUPPORTED, "layers differ in which norms round their input");
    return MINNOW_OK;
}

/* --- The list ----------------------------------------------------------------------------------------------------- */

static minnow_status no_memory(minnow_error *error) {
    return error_set(error, MINNOW_ERROR_MEMORY, "out of memory for a .minnow file");
}

static minnow_status list_sections(packing *p, const int8_model *m, const tokenizer_config *t, minnow_error *error) {
    int8_model copy = *m; /* the walk writes pointers back */
    int8_layer *layers = arena_array(&p->memory, m->n_layers, sizeof *layers);
    const uint8_t *model, *texts, *vocabulary;
    size_t text_bytes, vocabulary_bytes;
    unsigned norm_inputs;
    p->capacity = 12 + 17 * m->n_layers;
    p->sections = arena_array(&p->memory, p->capacity, sizeof *p->sections);
    if (layers == NULL || p->sections == NULL) return no_memory(error);
    for (size_t i = 0; i < m->n_layers; i++) {
        layers[i] = m->layers[i];
        TRY(check_matrices(m, &layers[i], error));
    }
    TRY(find_norm_inputs(m, &norm_inputs, error));
    model = model_section_bytes(p, m, norm_inputs);
    texts = texts_section_bytes(p, m, &text_bytes);
    if (model == NULL || texts == NULL) return no_memory(error);
    TRY(pack_tokenizer(&vocabulary, &vocabulary_bytes, &p->memory, t, error));
    add_whole(p, SECTION_MODEL, model, FORMAT_MODEL_BYTES);
    add_whole(p, SECTION_TEXTS, texts, text_bytes);
    add_whole(p, SECTION_TOKENIZER, vocabulary, vocabulary_bytes);
    TRY(model_walk_arrays(&p->walk, &copy, layers, norm_inputs, error));
    return p->has_gap ? error_set(error, MINNOW_ERROR_ARGUMENT, "the model lacks an array") : MINNOW_OK;
}

static minnow_status place_sections(packing *p, minnow_error *error) {
    size_t end = FORMAT_HEADER_BYTES + p->n * FORMAT_ENTRY_BYTES;
    for (size_t i = 0; i < p->n; i++) {
        pending_section *s = &p->sections[i];
        s->offset = (end + FORMAT_ALIGNMENT - 1) / FORMAT_ALIGNMENT * FORMAT_ALIGNMENT;
        if (s->bytes > SIZE_MAX / 2 - s->offset) return no_memory(error);
        end = s->offset + s->bytes;
    }
    p->bytes = end;
    return MINNOW_OK;
}

/* --- Bytes -------------------------------------------------------------------------------------------------------- */

static void write_section(uint8_t *file, uint8_t *entry, const pending_section *s) {
    uint8_t *at = file + s->offset;
    for (int i = 0; i < s->n_parts; i++) {
        memcpy(at, s->parts[i], s->part_bytes[i]);
        at += s->part_bytes[i];
    }
    store_u32(entry + ENTRY_KIND, (uint32_t)s->kind);
    store_u32(entry + ENTRY_LAYER, s->layer);
    store_u32(entry + ENTRY_ENCODING, ENCODING_PLAIN);
    store_u32(entry + ENTRY_CRC, crc32c(0, file + s->offset, s->bytes));
    store_u64(entry + ENTRY_OFFSET, s->offset);
    store_u64(entry + ENTRY_STORED, s->bytes);
    store_u64(entry + ENTRY_DECODED, s->bytes);
}

static void write_file(uint8_t *file, const packing *p) {
    uint8_t *table = file + FORMAT_HEADER_BYTES;
    size_t end = FORMAT_HEADER_BYTES + p->n * FORMAT_ENTRY_BYTES;
    memset(file, 0, end);
    for (size_t i = 0; i < p->n; i++) {
        memset(file + end, 0, p->sections[i].offset - end);
        write_section(file, table + i * FORMAT_ENTRY_BYTES, &p->sections[i]);
        end = p->sections[i].offset + p->sections[i].bytes;
    }
    memcpy(file, FORMAT_MAGIC, 8);
    store_u32(file + HEADER_VERSION, FORMAT_VERSION);
    store_u32(file + HEADER_SECTIONS, (uint32_t)p->n);
    store_u64(file + HEADER_BYTES, p->bytes);
    store_u32(file + HEADER_TABLE_CRC, crc32c(0, table, p->n * FORMAT_ENTRY_BYTES));
    store_u32(file + HEADER_CRC, crc32c(0, file, HEADER_CRC));
}

static minnow_status read_back(const uint8_t *file, size_t bytes, minnow_error *error) {
    int8_model *m;
    TRY(int8_model_read(&m, file, bytes, error));
    int8_model_close(&m);
    return MINNOW_OK;
}

minnow_status pack_bytes(const int8_model *m, const tokenizer_config *t, uint8_t **out, size_t *bytes,
                         minnow_error *error) {
    packing p = {{begin_section, add_part}, {NULL, 0, 0}, NULL, 0, 0, 0, 0};
    uint8_t *file = NULL;
    minnow_status status;
    *out = NULL;
    TRY_GOTO(model_head_check(m, error));
    TRY_GOTO(list_sections(&p, m, t, error));
    TRY_GOTO(place_sections(&p, error));
    file = memory_aligned_alloc(p.bytes);
    if (file == NULL) {
        status = no_memory(error);
        goto fail;
    }
    write_file(file, &p);
    TRY_GOTO(read_back(file, p.bytes, error));
    *out = file;
    *bytes = p.bytes;
    file = NULL;
fail:
    memory_aligned_free(file);
    arena_free(&p.memory);
    return status;
}

minnow_status pack_write(const int8_model *m, const tokenizer_config *t, const char *path, minnow_error *error) {
    uint8_t *file;
    size_t bytes;
    minnow_status status = pack_bytes(m, t, &file, &bytes, error);
    if (status != MINNOW_OK) return error_prefix(error, status, "%s", path);
    status = file_write_all(path, file, bytes, error);
    memory_aligned_free(file);
    return status;
}
