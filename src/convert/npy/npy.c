/* SPDX-License-Identifier: Apache-2.0
 * .npy <-> tensor. The header is a Python literal; the parser below knows just the one dictionary that NumPy writes. */
#include "convert/npy/npy.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/file_os.h"

#define MAGIC "\x93NUMPY"
#define MAGIC_BYTES 6
#define MAX_HEADER_BYTES 65536 /* more than any plain array needs: longer ones describe structures */
/* all that comes before the elements; a multiple of 64, so that they are aligned in the file */
#define WRITTEN_HEADER_BYTES 128

static const struct {
    char kind[4];
    dtype type;
} kinds[] = {{"f4", DTYPE_FLOAT32}, {"f8", DTYPE_FLOAT64}, {"f2", DTYPE_FLOAT16}, {"i1", DTYPE_INT8},
             {"i2", DTYPE_INT16},   {"i4", DTYPE_INT32},   {"i8", DTYPE_INT64},   {"u1", DTYPE_UINT8},
             {"u2", DTYPE_UINT16},  {"u4", DTYPE_UINT32},  {"u8", DTYPE_UINT64},  {"b1", DTYPE_BOOL}};
#define N_KINDS (sizeof kinds / sizeof kinds[0])

/* --- Reading ------------------------------------------------------------------------------------------------ */

typedef struct cursor {
    const uint8_t *start, *at, *end;
} cursor;

typedef struct header {
    dtype type;
    int fortran_order, rank;
    int64_t dims[TENSOR_MAX_RANK];
    unsigned seen; /* a bit for each key */
} header;

static minnow_status malformed(const cursor *c, const char *expected, minnow_error *error) {
    return error_set(error, MINNOW_ERROR_FORMAT, "npy header, character %zu: %s expected",
                     (size_t)(c->at - c->start) + 1, expected);
}

static void skip_spaces(cursor *c) {
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\t' || *c->at == '\r')) c->at++;
}

/* Takes the character if it comes next. */
static int take(cursor *c, char wanted) {
    skip_spaces(c);
    if (c->at == c->end || *c->at != (uint8_t)wanted) return 0;
    c->at++;
    return 1;
}

static int take_word(cursor *c, const char *word) {
    const size_t n = strlen(word);
    skip_spaces(c);
    if ((size_t)(c->end - c->at) < n || memcmp(c->at, word, n) != 0) return 0;
    c->at += n;
    return 1;
}

/* A string in either kind of quotes, without escapes, cut to 31 characters. */
static minnow_status parse_string(cursor *c, char out[32], minnow_error *error) {
    size_t n = 0;
    uint8_t quote;
    skip_spaces(c);
    if (c->at == c->end || (*c->at != '\'' && *c->at != '"')) return malformed(c, "a string", error);
    quote = *c->at++;
    for (; c->at < c->end && *c->at != quote; c->at++) {
        if (*c->at == '\\' || *c->at == '\n') return malformed(c, "a plain character", error);
        if (n < 31) out[n++] = (char)*c->at;
    }
    out[n] = '\0';
    if (c->at == c->end) return malformed(c, "a closing quote", error);
    c->at++;
    return MINNOW_OK;
}

static minnow_status parse_descr(cursor *c, header *h, minnow_error *error) {
    char text[32];
    size_t i;
    skip_spaces(c);
    if (c->at < c->end && *c->at == '[')
        return error_set(error, MINNOW_ERROR_UNSUPPORTED, "npy: structured types are not supported");
    TRY(parse_string(c, text, error));
    for (i = 0; i < N_KINDS; i++) {
        if (text[0] == '\0' || strcmp(text + 1, kinds[i].kind) != 0) continue;
        h->type = kinds[i].type;
        if (text[0] == '<' || text[0] == '=' || (text[0] == '|' && text[2] == '1')) return MINNOW_OK;
        if (text[0] == '>' && text[2] == '1') return MINNOW_OK; /* one byte has no order */
        if (text[0] == '>')
            return error_set(error, MINNOW_ERROR_UNSUPPORTED, "npy: big-endian type '%s' is not supported", text);
    }
    return error_set(error, MINNOW_ERROR_UNSUPPORTED, "npy: type '%s' is not supported", text);
}

/* (), (3,), (3, 384): Python needs the comma in a tuple of one. */
static minnow_status parse_shape(cursor *c, header *h, minnow_error *error) {
    int comma = 1;
    if (!take(c, '(')) return malformed(c, "'('", error);
    while (!take(c, ')')) {
        uint64_t value = 0;
        const uint8_t *first;
        if (!comma) return malformed(c, "',' or ')'", error);
        skip_spaces(c);
        first = c->at;
        for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++) {
            if (value > (INT64_MAX - 9) / 10)
                return error_set(error, MINNOW_ERROR_FORMAT, "npy: dimension %d is too large", h->rank);
            value = value * 10 + (uint64_t)(*c->at - '0');
        }
        if (c->at == first) return malformed(c, "a dimension", error);
        if (c->at < c->end && *c->at == 'L') c->at++; /* Python 2 */
        if (h->rank == TENSOR_MAX_RANK)
            return error_set(error, MINNOW_ERROR_UNSUPPORTED, "npy: more than %d dimensions are not supported",
                             TENSOR_MAX_RANK);
        h->dims[h->rank++] = (int64_t)value;
        comma = take(c, ',');
    }
    return h->rank == 1 && !comma ? malformed(c, "',' in a shape of one dimension", error) : MINNOW_OK;
}

static minnow_status parse_entry(cursor *c, header *h, minnow_error *error) {
    static const char *const keys[] = {"descr", "fortran_order", "shape"};
    char key[32];
    unsigned i;
    TRY(parse_string(c, key, error));
    for (i = 0; i < 3 && strcmp(key, keys[i]) != 0; i++) continue;
    if (i == 3) return error_set(error, MINNOW_ERROR_FORMAT, "npy header: unknown key '%s'", key);
    if (h->seen & (1u << i)) return error_set(error, MINNOW_ERROR_FORMAT, "npy header: key '%s' twice", key);
    h->seen |= 1u << i;
    if (!take(c, ':')) return malformed(c, "':'", error);
    if (i == 0) return parse_descr(c, h, error);
    if (i == 2) return parse_shape(c, h, error);
    h->fortran_order = take_word(c, "True");
    return h->fortran_order || take_word(c, "False") ? MINNOW_OK : malformed(c, "True or False", error);
}

static minnow_status parse_header(cursor *c, header *h, minnow_error *error) {
    int comma = 1;
    memset(h, 0, sizeof *h);
    if (!take(c, '{')) return malformed(c, "'{'", error);
    while (!take(c, '}')) {
        if (!comma) return malformed(c, "',' or '}'", error);
        TRY(parse_entry(c, h, error));
        comma = take(c, ',');
    }
    skip_spaces(c);
    if (c->at != c->end) return malformed(c, "the end", error);
    if (h->seen != 7)
        return error_set(error, MINNOW_ERROR_FORMAT, "npy header: descr, fortran_order or shape is missing");
    return MINNOW_OK;
}

/* Finds the header; c->end is where the elements begin. */
static minnow_status find_header(const uint8_t *data, size_t bytes, cursor *c, minnow_error *error) {
    size_t prefix, n;
    if (bytes < MAGIC_BYTES || memcmp(data, MAGIC, MAGIC_BYTES) != 0)
        return error_set(error, MINNOW_ERROR_FORMAT, "not an .npy file: it does not begin with \\x93NUMPY");
    if (bytes < MAGIC_BYTES + 2) return error_set(error, MINNOW_ERROR_FORMAT, "npy: cut off in the header");
    if (data[6] < 1 || data[6] > 3)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED, "npy: version %d.%d is not supported", data[6], data[7]);
    prefix = data[6] == 1 ? 10 : 12;
    if (bytes < prefix) return error_set(error, MINNOW_ERROR_FORMAT, "npy: cut off in the header");
    n = data[6] == 1 ? load_u16(data + 8) : load_u32(data + 8);
    if (n > bytes - prefix) return error_set(error, MINNOW_ERROR_FORMAT, "npy: cut off in the header");
    if (n > MAX_HEADER_BYTES)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED, "npy: a header of %zu bytes is not supported", n);
    c->start = c->at = data + prefix;
    c->end = c->start + n;
    return MINNOW_OK;
}

static minnow_status check_bools(const uint8_t *p, size_t n, minnow_error *error) {
    size_t i;
    for (i = 0; i < n; i++)
        if (p[i] > 1) return error_set(error, MINNOW_ERROR_FORMAT, "npy: element %zu is %d, not a bool", i, p[i]);
    return MINNOW_OK;
}

minnow_status npy_read(const uint8_t *data, size_t bytes, arena *memory, tensor *out, minnow_error *error) {
    cursor c;
    header h;
    size_t count, needed, present;
    void *elements;
    TRY(find_header(data, bytes, &c, error));
    TRY(parse_header(&c, &h, error));
    if (h.fortran_order && h.rank > 1)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED,
                         "npy: Fortran order is not supported; save a C-ordered array");
    TRY(tensor_check_shape(h.type, h.rank, h.dims, &count, error));
    needed = count * dtype_bytes(h.type);
    present = bytes - (size_t)(c.end - data);
    if (needed != present)
        return error_set(error, MINNOW_ERROR_FORMAT, "npy: the shape needs %zu bytes of elements, the file has %zu",
                         needed, present);
    if (h.type == DTYPE_BOOL) TRY(check_bools(c.end, count, error));
    elements = arena_alloc(memory, needed);
    if (elements == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "npy: out of memory for %zu bytes", needed);
    if (needed > 0) memcpy(elements, c.end, needed);
    memset(out, 0, sizeof *out);
    out->type = h.type;
    out->rank = h.rank;
    memcpy(out->dims, h.dims, sizeof out->dims);
    out->data = elements;
    return MINNOW_OK;
}

/* --- Writing ------------------------------------------------------------------------------------------------ */

static minnow_status format_header(char out[WRITTEN_HEADER_BYTES], dtype type, int rank, const int64_t *dims,
                                   minnow_error *error) {
    char shape[TENSOR_MAX_RANK * 22 + 4];
    const size_t room = WRITTEN_HEADER_BYTES - 10;
    const uint16_t header_bytes = WRITTEN_HEADER_BYTES - 10;
    size_t used = 0, i;
    int d, n;
    for (i = 0; i < N_KINDS && kinds[i].type != type; i++) continue;
    if (i == N_KINDS)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED, "npy: type %s cannot be written", dtype_name(type));
    shape[0] = '\0';
    for (d = 0; d < rank; d++)
        used += (size_t)snprintf(shape + used, sizeof shape - used, d == 0 ? "%lld%s" : " %lld%s", (long long)dims[d],
                                 d + 1 < rank || rank == 1 ? "," : "");
    memset(out, ' ', WRITTEN_HEADER_BYTES);
    memcpy(out, MAGIC "\1\0", 8);
    memcpy(out + 8, &header_bytes, 2);
    n = snprintf(out + 10, room, "{'descr': '%c%s', 'fortran_order': False, 'shape': (%s), }",
                 kinds[i].kind[1] == '1' ? '|' : '<', kinds[i].kind, shape);
    /* Only eight dimensions near 2^63 each would not fit, and no such tensor exists. */
    if (n < 0 || (size_t)n >= room)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED, "npy: the shape is too long to write");
    out[10 + n] = ' ';
    out[WRITTEN_HEADER_BYTES - 1] = '\n';
    return MINNOW_OK;
}

static minnow_status write_parts(file_writer *w, const tensor *value, minnow_error *error) {
    char text[WRITTEN_HEADER_BYTES];
    TRY(format_header(text, value->type, value->rank, value->dims, error));
    TRY(file_writer_write(w, text, sizeof text, error));
    return file_writer_write(w, value->data, tensor_bytes(value), error);
}

minnow_status npy_write(const char *path, const tensor *value, minnow_error *error) {
    file_writer w;
    minnow_status status;
    TRY(file_writer_open(&w, path, error));
    status = write_parts(&w, value, error);
    if (status == MINNOW_OK) return file_writer_commit(&w, error);
    file_writer_abort(&w);
    return status;
}

static minnow_status write_stream_header(npy_stream *s, minnow_error *error) {
    char text[WRITTEN_HEADER_BYTES];
    int64_t dims[2];
    dims[0] = (int64_t)s->n_rows;
    dims[1] = (int64_t)s->row_elements;
    TRY(format_header(text, s->type, 2, dims, error));
    return file_writer_write(&s->writer, text, sizeof text, error);
}

minnow_status npy_stream_open(npy_stream *out, const char *path, dtype type, size_t row_elements, minnow_error *error) {
    minnow_status status;
    memset(out, 0, sizeof *out);
    out->type = type;
    out->row_elements = row_elements;
    TRY(file_writer_open(&out->writer, path, error));
    if (fseek(out->writer.stream, 0, SEEK_CUR) == 0) {
        status = write_stream_header(out, error); /* with 0 rows, to keep the place */
    } else {
        out->rows = tmpfile();
        status = out->rows != NULL ? MINNOW_OK : file_os_error(error, path, "cannot create a temporary file");
    }
    if (status != MINNOW_OK) npy_stream_abort(out);
    return status;
}

minnow_status npy_stream_write(npy_stream *s, const void *rows, size_t n_rows, minnow_error *error) {
    const size_t bytes = n_rows * s->row_elements * dtype_bytes(s->type);
    if (s->rows == NULL) TRY(file_writer_write(&s->writer, rows, bytes, error));
    else if (bytes > 0 && fwrite(rows, 1, bytes, s->rows) != bytes) return file_os_error(error, s->writer.path, "cannot write");
    s->n_rows += n_rows;
    return MINNOW_OK;
}

static minnow_status copy_rows(npy_stream *s, minnow_error *error) {
    char block[16 * 1024];
    size_t n;
    while ((n = fread(block, 1, sizeof block, s->rows)) > 0) TRY(file_writer_write(&s->writer, block, n, error));
    return ferror(s->rows) ? file_os_error(error, s->writer.path, "cannot read what was to be written") : MINNOW_OK;
}

minnow_status npy_stream_commit(npy_stream *s, minnow_error *error) {
    minnow_status status = MINNOW_OK;
    if (fseek(s->rows != NULL ? s->rows : s->writer.stream, 0, SEEK_SET) != 0)
        status = file_os_error(error, s->writer.path, "cannot write");
    if (status == MINNOW_OK) status = write_stream_header(s, error);
    if (status == MINNOW_OK && s->rows != NULL) status = copy_rows(s, error);
    if (status == MINNOW_OK) status = file_writer_commit(&s->writer, error);
    npy_stream_abort(s); /* after a commit it only closes `rows` */
    return status;
}

void npy_stream_abort(npy_stream *s) {
    if (s->rows != NULL) fclose(s->rows);
    s->rows = NULL;
    file_writer_abort(&s->writer);
}
