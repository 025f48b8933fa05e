/* SPDX-License-Identifier: Apache-2.0
 * Vectors of a task's texts: from a model, block by block, or from a file that was made elsewhere. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/file.h"
#include "convert/npy/npy.h"
#include "eval.h"
#include "run.h"

#define BLOCK_ITEMS 64 /* texts a thread in a block */

static minnow_status out_of_memory(minnow_error *error) {
    return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
}

static int has_vectors(const char *folder, const eval_tasks *tasks) {
    int found = 0;
    for (size_t i = 0; i < tasks->n && !found; i++) {
        char *path = run_npy_path(folder, tasks->items[i]->name);
        found = path != NULL && file_exists(path);
        free(path);
    }
    return found;
}

minnow_status eval_source_open(eval_source *out, const cli_model_options *options, const eval_tasks *tasks,
                               minnow_error *error) {
    memset(out, 0, sizeof *out);
    out->path = options->model;
    if (out->path != NULL && file_is_directory(out->path) && has_vectors(out->path, tasks)) {
        out->is_vectors = 1;
        return MINNOW_OK;
    }
    TRY(cli_encoder_open(&out->encoder, options, BLOCK_ITEMS, error));
    out->is_open = 1;
    return MINNOW_OK;
}

void eval_source_close(eval_source *s) {
    if (s->is_open) cli_encoder_close(&s->encoder);
    memset(s, 0, sizeof *s);
}

void eval_vectors_free(eval_vectors *v) {
    if (v->is_read) arena_free(&v->memory);
    else free(v->data);
    free(v->n_tokens);
    free(v->truncated);
    memset(v, 0, sizeof *v);
}

/* --- From a model -------------------------------------------------------------------------------------------- */

typedef struct place {
    size_t bytes, text;
} place;

/* The longest first: threads that take the next text finish together. */
static int compare_places(const void *a, const void *b) {
    const place *x = a, *y = b;
    if (x->bytes != y->bytes) return x->bytes > y->bytes ? -1 : 1;
    return (x->text > y->text) - (x->text < y->text);
}

/* Encodes what is in the block; places are those of its texts. */
static minnow_status run_block(eval_source *s, const place *places, eval_vectors *out, minnow_error *error) {
    cli_encoder *e = &s->encoder;
    TRY(cli_encoder_run(e, NULL, NULL, error));
    for (size_t i = 0; i < e->n_items; i++) {
        const size_t text = places[i].text;
        memcpy(out->data + text * out->dimensions, e->vectors + i * e->dimensions, e->dimensions * sizeof *out->data);
        out->n_tokens[text] = (uint32_t)e->items[i].encoding.n_tokens;
        out->truncated[text] = (uint8_t)e->items[i].encoding.truncated;
    }
    *s->n_done += e->n_items;
    cli_encoder_clear(e);
    cli_progress_update(s->progress, *s->n_done);
    return MINNOW_OK;
}

static minnow_status encode_texts(eval_source *s, const eval_task *t, place *places, eval_vectors *out,
                                  minnow_error *error) {
    cli_encoder *e = &s->encoder;
    for (size_t first = 0; first < t->n_texts; first += e->capacity) {
        const size_t n = t->n_texts - first < e->capacity ? t->n_texts - first : e->capacity;
        size_t begin = 0;
        for (size_t i = 0; i < n; i++) places[i] = (place){t->texts[first + i].bytes, first + i};
        qsort(places, n, sizeof *places, compare_places);
        for (size_t i = 0; i < n; i++) {
            const eval_text *text = &t->texts[places[i].text];
            int full;
            TRY(cli_encoder_add(e, text->data, text->bytes, &full, error));
            if (!full && i + 1 < n) continue;
            TRY(run_block(s, places + begin, out, error));
            begin = i + 1;
        }
    }
    return MINNOW_OK;
}

static minnow_status encode_task(eval_source *s, const eval_task *t, eval_vectors *out, minnow_error *error) {
    place *places = calloc(s->encoder.capacity, sizeof *places);
    minnow_status status = MINNOW_OK;
    size_t count;
    out->dimensions = s->encoder.dimensions;
    if (!size_mul(t->n_texts, out->dimensions, &count)) count = SIZE_MAX / 2;
    out->data = calloc(count, sizeof *out->data);
    out->n_tokens = calloc(t->n_texts, sizeof *out->n_tokens);
    out->truncated = calloc(t->n_texts, 1);
    if (places == NULL || out->data == NULL || out->n_tokens == NULL || out->truncated == NULL)
        status = out_of_memory(error);
    else status = encode_texts(s, t, places, out, error);
    free(places);
    return status;
}

/* --- From a file --------------------------------------------------------------------------------------------- */

static minnow_status read_file(const char *path, const eval_task *t, eval_vectors *out, minnow_error *error) {
    char found[96];
    file_map map;
    tensor matrix;
    minnow_status status;
    TRY(file_map_open(&map, path, error));
    arena_init(&out->memory, 0);
    out->is_read = 1;
    status = npy_read(map.data, map.bytes, &out->memory, &matrix, error);
    file_map_close(&map);
    if (status != MINNOW_OK) return error_prefix(error, status, "%s", path);
    if (matrix.type != DTYPE_FLOAT32 || matrix.rank != 2 || (uint64_t)matrix.dims[0] != t->n_texts ||
        matrix.dims[1] < 1)
        return error_set(error, MINNOW_ERROR_FORMAT,
                         "%s: %s, where float32[%zu,DIMENSIONS] was expected: a row for each text of "
                         "'minnow eval --texts'",
                         path, tensor_describe(&matrix, found, sizeof found), t->n_texts);
    out->data = matrix.data;
    out->dimensions = (size_t)matrix.dims[1];
    return MINNOW_OK;
}

static minnow_status check_finite(const eval_source *s, const eval_task *t, const eval_vectors *v,
                                  minnow_error *error) {
    for (size_t i = 0; i < t->n_texts * v->dimensions; i++)
        if (!(v->data[i] - v->data[i] == 0))
            return error_set(error, MINNOW_ERROR_FORMAT, "%s: the vector of text %zu of task '%s' has NaN or infinity",
                             s->path != NULL ? s->path : "the model", i / v->dimensions, t->name);
    return MINNOW_OK;
}

minnow_status eval_source_vectors(eval_source *s, const eval_task *t, eval_vectors *out, minnow_error *error) {
    minnow_status status;
    memset(out, 0, sizeof *out);
    if (s->is_vectors) {
        char *path = run_npy_path(s->path, t->name);
        status = path == NULL ? out_of_memory(error) : read_file(path, t, out, error);
        free(path);
    } else {
        status = encode_task(s, t, out, error);
    }
    if (status == MINNOW_OK) status = check_finite(s, t, out, error);
    if (status != MINNOW_OK) eval_vectors_free(out);
    return status;
}

minnow_status eval_vectors_save(const eval_vectors *v, const eval_task *t, const char *folder, minnow_error *error) {
    tensor matrix;
    char *path;
    minnow_status status;
    memset(&matrix, 0, sizeof matrix);
    matrix.type = DTYPE_FLOAT32;
    matrix.rank = 2;
    matrix.dims[0] = (int64_t)t->n_texts;
    matrix.dims[1] = (int64_t)v->dimensions;
    matrix.data = v->data;
    TRY(file_make_directory(folder, error));
    path = run_npy_path(folder, t->name);
    status = path == NULL ? out_of_memory(error) : npy_write(path, &matrix, error);
    free(path);
    return status;
}
