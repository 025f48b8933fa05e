/* SPDX-License-Identifier: Apache-2.0
 * Strings of the file -> names of the graph. */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "convert/onnx/reader.h"

minnow_status reader_out_of_memory(const reader *r, minnow_error *error) {
    return error_set(error, MINNOW_ERROR_MEMORY, "out of memory: the graph takes more than %zu bytes",
                     r->g->memory.used_bytes);
}

minnow_status reader_text_get(const wire *w, const wire_field *f, reader_text *out, minnow_error *error) {
    size_t i = 0;
    TRY(wire_bytes(f, error));
    while (i < f->bytes) {
        uint32_t code_point;
        const size_t n = utf8_decode(f->data + i, f->bytes - i, &code_point);
        if (n == 0 || code_point == 0)
            return error_set(error, MINNOW_ERROR_FORMAT, "offset %zu: text %s", (size_t)(f->data + i - w->base),
                             n == 0 ? "is not UTF-8" : "holds a NUL");
        i += n;
    }
    out->data = (const char *)f->data;
    out->bytes = f->bytes;
    return MINNOW_OK;
}

minnow_status reader_text_copy(reader *r, reader_text text, const char **out, minnow_error *error) {
    *out = text.bytes == 0 ? "" : arena_string(&r->g->memory, text.data, text.bytes);
    return *out != NULL ? MINNOW_OK : reader_out_of_memory(r, error);
}

minnow_status reader_text_scratch_after(reader *r, reader_text first, reader_text text, const char **out,
                                        minnow_error *error) {
    const size_t bytes = first.bytes + text.bytes;
    if (bytes >= r->text_capacity) {
        const size_t capacity = bytes + bytes / 2 + 64;
        char *grown = realloc(r->text, capacity);
        if (grown == NULL) return reader_out_of_memory(r, error);
        r->text = grown;
        r->text_capacity = capacity;
    }
    if (first.bytes > 0) memcpy(r->text, first.data, first.bytes);
    if (text.bytes > 0) memcpy(r->text + first.bytes, text.data, text.bytes);
    r->text[bytes] = '\0';
    *out = r->text;
    return MINNOW_OK;
}

minnow_status reader_text_scratch(reader *r, reader_text text, const char **out, minnow_error *error) {
    return reader_text_scratch_after(r, (reader_text){"", 0}, text, out, error);
}

int reader_text_equal(reader_text a, const char *b) {
    return a.bytes == strlen(b) && (a.bytes == 0 || memcmp(a.data, b, a.bytes) == 0);
}

int reader_text_order(reader_text a, reader_text b) {
    const size_t n = a.bytes < b.bytes ? a.bytes : b.bytes;
    const int order = n == 0 ? 0 : memcmp(a.data, b.data, n);
    return order != 0 ? order : (a.bytes > b.bytes) - (a.bytes < b.bytes);
}

reader_text reader_text_domain(reader_text domain) {
    return reader_text_equal(domain, "ai.onnx") ? (reader_text){"", 0} : domain;
}

minnow_status reader_value(reader *r, reader_text name, int32_t *out, minnow_error *error) {
    const char *text = "";
    TRY(reader_branch_value(r, name, out, error));
    if (*out >= 0) return MINNOW_OK;
    TRY(reader_text_scratch(r, name, &text, error));
    *out = graph_find_value(r->g, text);
    if (*out < 0) *out = graph_add_value(r->g, text);
    return *out >= 0 ? MINNOW_OK : reader_out_of_memory(r, error);
}
