/* SPDX-License-Identifier: Apache-2.0
 *
 * Calibration texts: a mapped file -> lines -> token ids that lie end to end. The file is gone over twice, once to
 * count its texts and once to take every so many-th, so that only the ids taken are kept. */
#include "convert/calibrate/texts.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/file.h"
#include "convert/json/json.h"

typedef struct line_reader {
    const char *text;
    size_t bytes, at;
    uint64_t line; /* of the one given last, from 1 */
    int jsonl;
} line_reader;

typedef struct text_builder {
    calibration_texts *out;
    const tokenizer *tokenizer;
    token_ids ids; /* of one text */
    size_t max_tokens, rows_capacity, texts_capacity;
} text_builder;

static int is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\v'; }

static line_reader reader_of(const uint8_t *data, size_t bytes) {
    line_reader r = {(const char *)data, bytes, 0, 0, 0};
    size_t i;
    if (bytes >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0) r.at = 3; /* a byte order mark is no text */
    for (i = r.at; i < bytes && is_blank(r.text[i]);) i++;
    r.jsonl = i < bytes && (r.text[i] == '"' || r.text[i] == '{');
    return r;
}

/* The next line that is not blank, without its end; 0 after the last. */
static int next_line(line_reader *r, const char **line, size_t *bytes) {
    while (r->at < r->bytes) {
        const char *begin = r->text + r->at, *end = memchr(begin, '\n', r->bytes - r->at);
        size_t n = end != NULL ? (size_t)(end - begin) : r->bytes - r->at, i = 0;
        r->at += n + (end != NULL);
        r->line++;
        while (i < n && is_blank(begin[i])) i++;
        if (i == n) continue;
        if (begin[n - 1] == '\r') n--;
        *line = begin;
        *bytes = n;
        return 1;
    }
    return 0;
}

static size_t count_lines(line_reader r) {
    const char *line;
    size_t bytes, n = 0;
    while (next_line(&r, &line, &bytes)) n++;
    return n;
}

/* Twice the room, at least `wanted` elements. */
static int grow(void **data, size_t *capacity, size_t wanted, size_t element_bytes) {
    size_t doubled = *capacity < 64 ? 64 : *capacity, bytes;
    void *grown;
    if (wanted <= *capacity) return 1;
    while (doubled < wanted)
        if (!size_mul(doubled, 2, &doubled)) return 0;
    grown = size_mul(doubled, element_bytes, &bytes) ? realloc(*data, bytes) : NULL;
    if (grown == NULL) return 0;
    *data = grown;
    *capacity = doubled;
    return 1;
}

static minnow_status append(text_builder *b, const char *text, size_t bytes, minnow_error *error) {
    calibration_texts *out = b->out;
    void *ids = out->ids, *starts = out->starts;
    int truncated = 0, fits;
    size_t n;
    TRY(tokenizer_encode(b->tokenizer, text, bytes, b->max_tokens, &b->ids, &truncated, error));
    n = b->ids.count;
    if (n == 0) return MINNOW_OK;
    fits = grow(&ids, &b->rows_capacity, out->rows + n, sizeof *out->ids);
    out->ids = ids;
    fits = fits && grow(&starts, &b->texts_capacity, out->n_texts + 2, sizeof *out->starts);
    out->starts = starts;
    if (!fits) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory for %zu texts", out->n_texts + 1);
    memcpy(out->ids + out->rows, b->ids.data, n * sizeof *out->ids);
    out->starts[out->n_texts++] = out->rows;
    out->rows += n;
    out->starts[out->n_texts] = out->rows;
    if (n > out->longest) out->longest = n;
    out->n_truncated += truncated != 0;
    return MINNOW_OK;
}

/* A line of JSONL: a string, or an object with a string "text". */
static minnow_status append_json(text_builder *b, const char *line, size_t bytes, minnow_error *error) {
    minnow_status status;
    yyjson_doc *document;
    yyjson_val *value;
    TRY(json_parse(&document, line, bytes, error));
    value = yyjson_doc_get_root(document);
    if (yyjson_is_obj(value)) value = yyjson_obj_get(value, "text");
    if (yyjson_is_str(value)) status = append(b, yyjson_get_str(value), yyjson_get_len(value), error);
    else status = error_set(error, MINNOW_ERROR_FORMAT, "neither a string nor an object with a string \"text\"");
    yyjson_doc_free(document);
    return status;
}

/* Every n-th line so that `samples` are taken: line i if i is floor(taken * available / samples). */
static minnow_status take_lines(text_builder *b, line_reader r, size_t samples, minnow_error *error) {
    const size_t available = b->out->n_available;
    const char *line;
    size_t bytes, i, taken = 0;
    minnow_status status;
    for (i = 0; taken < samples && next_line(&r, &line, &bytes); i++) {
        if (i != (size_t)((double)taken * (double)available / (double)samples)) continue;
        taken++;
        status = r.jsonl ? append_json(b, line, bytes, error) : append(b, line, bytes, error);
        if (status != MINNOW_OK) return error_prefix(error, status, "line %llu", (unsigned long long)r.line);
    }
    return MINNOW_OK;
}

static minnow_status read_texts(calibration_texts *out, const uint8_t *data, size_t bytes, const tokenizer *t,
                                size_t samples, size_t max_tokens, minnow_error *error) {
    const line_reader r = reader_of(data, bytes);
    text_builder b = {.out = out, .tokenizer = t, .max_tokens = max_tokens};
    minnow_status status;
    out->n_available = count_lines(r);
    if (out->n_available == 0) return error_set(error, MINNOW_ERROR_FORMAT, "no texts in it");
    status = take_lines(&b, r, samples == 0 || samples > out->n_available ? out->n_available : samples, error);
    token_ids_free(&b.ids);
    if (status == MINNOW_OK && out->rows == 0)
        return error_set(error, MINNOW_ERROR_FORMAT, "its texts have no tokens");
    return status;
}

minnow_status calibration_texts_open(calibration_texts *out, const char *path, const tokenizer *t, size_t samples,
                                     size_t max_tokens, minnow_error *error) {
    minnow_status status;
    file_map map;
    memset(out, 0, sizeof *out);
    TRY(file_map_open(&map, path, error));
    status = read_texts(out, map.data, map.bytes, t, samples, max_tokens, error);
    file_map_close(&map);
    if (status == MINNOW_OK) return MINNOW_OK;
    calibration_texts_free(out);
    return error_prefix(error, status, "%s", path);
}

void calibration_texts_free(calibration_texts *t) {
    free(t->ids);
    free(t->starts);
    memset(t, 0, sizeof *t);
}

void calibration_texts_block(const calibration_texts *t, size_t first, size_t max_rows, size_t *end, size_t *starts,
                             engine_texts *out) {
    const size_t start = t->starts[first];
    size_t i = first, n;
    while (i < t->n_texts && (i == first || t->starts[i + 1] - start <= max_rows)) i++;
    for (n = 0; n <= i - first; n++) starts[n] = t->starts[first + n] - start;
    out->ids = t->ids + start;
    out->starts = starts;
    out->n_texts = i - first;
    *end = i;
}
