/* SPDX-License-Identifier: Apache-2.0
 *
 * Ranges -> ranges.json, one site a line; floats in the fewest digits that read back as themselves.
 *
 *   {"format":"minnow-ranges","version":1,"weights_sha256":"..","alpha":0.75,"texts":500,"tokens":16943,"truncated":11,
 *    "layers":6,"hidden":384,"intermediate":1536,"heads":12,"sites":[
 *   {"name":"layer.0.attention_input","method":"minmax","low":-1.5,"high":1.2,"least":-1.5,"most":1.2,
 *    "histogram":{"width":0.0009765625,"first":-1536,"counts":[1,-5,2,..]},
 *    "minimum":[..],"maximum":[..],"mean":[..],"center":[..],"s":[..]},
 *   ..],"norms":[{"minimum":[..],"maximum":[..]},..]}
 *
 * counts are those of bins `first`, first + 1, ..; -n stands for n empty bins. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "convert/calibrate/ranges_impl.h"
#include "convert/json/json.h"

typedef struct json_writer {
    file_writer file;
    yyjson_mut_doc *doc; /* of one line */
    yyjson_mut_val *object;
    int failed;          /* out of memory */
    minnow_error *error;
} json_writer;

static void begin_line(json_writer *w) {
    w->doc = yyjson_mut_doc_new(NULL);
    w->object = w->doc != NULL ? yyjson_mut_obj(w->doc) : NULL;
    w->failed = w->object == NULL;
}

/* Writes the object, without its last `cut` bytes, and `after`. */
static minnow_status end_line(json_writer *w, size_t cut, const char *after) {
    size_t bytes = 0;
    char *text = w->failed ? NULL : yyjson_mut_val_write(w->object, YYJSON_WRITE_NOFLAG, &bytes);
    minnow_status status;
    yyjson_mut_doc_free(w->doc);
    w->doc = NULL;
    if (text == NULL) return error_set(w->error, MINNOW_ERROR_MEMORY, "out of memory");
    status = file_writer_write(&w->file, text, bytes - cut, w->error);
    free(text);
    return status == MINNOW_OK ? file_writer_write(&w->file, after, strlen(after), w->error) : status;
}

static void put(json_writer *w, yyjson_mut_val *object, const char *key, yyjson_mut_val *value) {
    if (w->failed || value == NULL || !yyjson_mut_obj_put(object, yyjson_mut_strcpy(w->doc, key), value)) w->failed = 1;
}

static void put_float(json_writer *w, const char *key, float x) {
    if (!w->failed) put(w, w->object, key, yyjson_mut_float(w->doc, x));
}

static void put_count(json_writer *w, const char *key, uint64_t n) {
    if (!w->failed) put(w, w->object, key, yyjson_mut_uint(w->doc, n));
}

static void put_string(json_writer *w, const char *key, const char *text) {
    if (!w->failed) put(w, w->object, key, yyjson_mut_strcpy(w->doc, text));
}

static void put_floats(json_writer *w, const char *key, const float *x, size_t n) {
    yyjson_mut_val *array = w->failed ? NULL : yyjson_mut_arr(w->doc);
    for (size_t i = 0; array != NULL && i < n; i++)
        if (!yyjson_mut_arr_add_float(w->doc, array, x[i])) array = NULL;
    put(w, w->object, key, array);
}

static yyjson_mut_val *counts_of(json_writer *w, const range_histogram *h, size_t first, size_t end) {
    yyjson_mut_val *array = yyjson_mut_arr(w->doc);
    size_t i, empty;
    int ok = array != NULL;
    for (i = first; ok && i < end; i += empty > 0 ? empty : 1) {
        for (empty = 0; i + empty < end && h->counts[i + empty] == 0;) empty++;
        if (empty > 0) ok = yyjson_mut_arr_add_int(w->doc, array, -(int64_t)empty);
        else ok = yyjson_mut_arr_add_uint(w->doc, array, h->counts[i]);
    }
    return ok ? array : NULL;
}

static void put_histogram(json_writer *w, const range_histogram *h) {
    yyjson_mut_val *object = w->failed ? NULL : yyjson_mut_obj(w->doc);
    size_t first = 0, end = RANGE_BINS;
    while (first < end && h->counts[first] == 0) first++;
    while (end > first && h->counts[end - 1] == 0) end--;
    if (object == NULL) {
        w->failed = 1;
        return;
    }
    put(w, object, "width", yyjson_mut_real(w->doc, h->width));
    put(w, object, "first", yyjson_mut_sint(w->doc, (int64_t)first + RANGE_FIRST_BIN));
    put(w, object, "counts", counts_of(w, h, first, end));
    put(w, w->object, "histogram", object);
}

static minnow_status write_head(json_writer *w, const ranges *r) {
    char hex[65];
    for (size_t i = 0; i < 32; i++) snprintf(hex + 2 * i, 3, "%02x", r->weights_sha256[i]);
    begin_line(w);
    put_string(w, "format", "minnow-ranges");
    put_count(w, "version", 1);
    put_string(w, "weights_sha256", hex);
    put_float(w, "alpha", r->alpha);
    put_count(w, "texts", r->n_texts);
    put_count(w, "tokens", r->n_tokens);
    put_count(w, "truncated", r->n_truncated);
    put_count(w, "layers", r->n_layers);
    put_count(w, "hidden", r->hidden);
    put_count(w, "intermediate", r->intermediate);
    put_count(w, "heads", r->n_heads);
    return end_line(w, 1, ",\"sites\":[\n");
}

static minnow_status write_site(json_writer *w, const range_site *site, const char *after) {
    begin_line(w);
    put_string(w, "name", site->name);
    put_string(w, "method", range_method_name(site->method));
    put_float(w, "low", site->low);
    put_float(w, "high", site->high);
    put_float(w, "least", site->least);
    put_float(w, "most", site->most);
    put_histogram(w, &site->histogram);
    put_floats(w, "minimum", site->minimum, site->channels);
    put_floats(w, "maximum", site->maximum, site->channels);
    put_floats(w, "mean", site->mean, site->channels);
    put_floats(w, "center", site->center, site->channels);
    put_floats(w, "s", site->s, site->channels);
    return end_line(w, 0, after);
}

static minnow_status write_all(json_writer *w, const ranges *r) {
    const size_t n_norms = 2 * r->n_layers + 1;
    size_t i;
    TRY(write_head(w, r));
    for (i = 0; i < r->n_sites; i++) TRY(write_site(w, &r->sites[i], i + 1 < r->n_sites ? ",\n" : "\n],\"norms\":[\n"));
    for (i = 0; i < n_norms; i++) {
        begin_line(w);
        put_floats(w, "minimum", r->norms[i].minimum, r->hidden);
        put_floats(w, "maximum", r->norms[i].maximum, r->hidden);
        TRY(end_line(w, 0, i + 1 < n_norms ? ",\n" : "\n]}\n"));
    }
    return MINNOW_OK;
}

minnow_status ranges_write(const ranges *r, const char *path, minnow_error *error) {
    json_writer w = {.error = error};
    minnow_status status;
    TRY(file_writer_open(&w.file, path, error));
    status = write_all(&w, r);
    if (status == MINNOW_OK) return file_writer_commit(&w.file, error);
    file_writer_abort(&w.file);
    return status;
}
