/* SPDX-License-Identifier: Apache-2.0
 * JSON or .npy files -> the tensors that a graph's inputs declare. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "convert/interpret/ops/ops.h"
#include "convert/json/json.h"
#include "convert/npy/npy.h"
#include "run.h"

char *run_npy_path(const char *folder, const char *name) {
    const size_t n = strlen(name);
    char *file = malloc(n + sizeof ".npy"), *path;
    if (file == NULL) return NULL;
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)name[i];
        file[i] = c < 32 || c == 127 || strchr("/\\:*?\"<>|", c) != NULL ? '_' : name[i];
    }
    memcpy(file + n, ".npy", sizeof ".npy");
    path = path_join(folder, file);
    free(file);
    return path;
}

/* --- JSON ---------------------------------------------------------------------------------------------------- */

/* A tensor being filled from nested arrays: the shape is that of the first path down, all others must agree. */
typedef struct nested {
    tensor *t;
    size_t n, capacity; /* elements */
} nested;

static minnow_status find_shape(yyjson_val *v, tensor *t, minnow_error *error) {
    size_t count;
    t->rank = 0;
    for (; yyjson_is_arr(v); v = yyjson_arr_get_first(v)) {
        if (t->rank == TENSOR_MAX_RANK)
            return error_set(error, MINNOW_ERROR_UNSUPPORTED, "more than %d levels of arrays", TENSOR_MAX_RANK);
        t->dims[t->rank++] = (int64_t)yyjson_arr_size(v);
    }
    return tensor_check_shape(t->type, t->rank, t->dims, &count, error);
}

/* How many numbers there are: what may be allocated. */
static size_t count_leaves(yyjson_val *v) {
    size_t i, max, n = 0;
    yyjson_val *item;
    if (!yyjson_is_arr(v)) return 1;
    yyjson_arr_foreach(v, i, max, item) n += count_leaves(item);
    return n;
}

static minnow_status out_of_range(const nested *to, minnow_error *error) {
    return error_set(error, MINNOW_ERROR_FORMAT, "element %zu does not fit in %s", to->n, dtype_name(to->t->type));
}

/* A whole number into an integer type, and only if it comes back the same. */
static minnow_status store_integer(nested *to, yyjson_val *v, minnow_error *error) {
    const dtype type = to->t->type;
    const size_t size = dtype_bytes(type);
    const int is_big = yyjson_is_uint(v) && yyjson_get_uint(v) > INT64_MAX;
    int64_t x = 0, back;
    if (yyjson_is_bool(v)) x = yyjson_get_bool(v);
    else if (yyjson_is_uint(v)) x = (int64_t)yyjson_get_uint(v);
    else if (yyjson_is_sint(v)) x = yyjson_get_sint(v);
    else if (yyjson_is_real(v)) {
        const double d = yyjson_get_real(v);
        if (!(d >= -9007199254740992.0 && d <= 9007199254740992.0) || (double)(int64_t)d != d)
            return error_set(error, MINNOW_ERROR_FORMAT, "element %zu is no whole number", to->n);
        x = (int64_t)d;
    }
    if ((is_big && type != DTYPE_UINT64) || (type == DTYPE_UINT64 && x < 0 && !is_big)) return out_of_range(to, error);
    if (type == DTYPE_BOOL && x != 0 && x != 1) return out_of_range(to, error);
    lanes_store(type, &x, 1, (char *)to->t->data + to->n * size, 0);
    lanes_load(type, (char *)to->t->data + to->n * size, 0, 1, 1, &back);
    return back == x ? MINNOW_OK : out_of_range(to, error);
}

static minnow_status store(nested *to, yyjson_val *v, minnow_error *error) {
    const dtype type = to->t->type;
    if (!yyjson_is_num(v) && !yyjson_is_bool(v))
        return error_set(error, MINNOW_ERROR_FORMAT, "element %zu is no number", to->n);
    if (to->n == to->capacity) return error_set(error, MINNOW_ERROR_FORMAT, "arrays of different lengths");
    if (lanes_is_integer(type)) {
        TRY(store_integer(to, v, error));
    } else {
        const double d = yyjson_is_bool(v) ? (double)yyjson_get_bool(v) : yyjson_get_num(v);
        lanes_cast(DTYPE_FLOAT64, &d, type, (char *)to->t->data + to->n * dtype_bytes(type), 1);
    }
    to->n++;
    return MINNOW_OK;
}

static minnow_status fill(nested *to, yyjson_val *v, int depth, minnow_error *error) {
    size_t i, max;
    yyjson_val *item;
    if (!yyjson_is_arr(v)) {
        if (depth != to->t->rank) return error_set(error, MINNOW_ERROR_FORMAT, "arrays of different depths");
        return store(to, v, error);
    }
    if (depth == to->t->rank) return error_set(error, MINNOW_ERROR_FORMAT, "arrays of different depths");
    if ((int64_t)yyjson_arr_size(v) != to->t->dims[depth])
        return error_set(error, MINNOW_ERROR_FORMAT, "arrays of different lengths");
    yyjson_arr_foreach(v, i, max, item) TRY(fill(to, item, depth + 1, error));
    return MINNOW_OK;
}

static int all_integers(yyjson_val *v) {
    size_t i, max;
    yyjson_val *item;
    if (!yyjson_is_arr(v)) return yyjson_is_int(v);
    yyjson_arr_foreach(v, i, max, item) if (!all_integers(item)) return 0;
    return 1;
}

static minnow_status read_value(yyjson_val *v, dtype declared, arena *memory, tensor *t, minnow_error *error) {
    nested to = {.t = t};
    memset(t, 0, sizeof *t);
    t->type = declared != DTYPE_UNDEFINED ? declared : all_integers(v) ? DTYPE_INT64 : DTYPE_FLOAT32;
    TRY(find_shape(v, t, error));
    to.capacity = tensor_count(t);
    if (to.capacity > count_leaves(v)) return error_set(error, MINNOW_ERROR_FORMAT, "arrays of different lengths");
    t->data = arena_array(memory, to.capacity, dtype_bytes(t->type));
    if (t->data == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    TRY(fill(&to, v, 0, error));
    return MINNOW_OK;
}

static minnow_status refuse_unknown(const graph *g, yyjson_val *root, minnow_error *error) {
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(root, i, max, key, value) {
        size_t k = 0;
        while (k < g->n_inputs && strcmp(g->values[g->inputs[k]].name, yyjson_get_str(key)) != 0) k++;
        if (k == g->n_inputs)
            return error_set(error, MINNOW_ERROR_ARGUMENT, "the model has no input '%s'", yyjson_get_str(key));
    }
    return MINNOW_OK;
}

static minnow_status read_object(const graph *g, yyjson_val *root, arena *memory, tensor *inputs, minnow_error *error) {
    if (!yyjson_is_obj(root))
        return error_set(error, MINNOW_ERROR_FORMAT, "an object of arrays by input name expected");
    TRY(refuse_unknown(g, root, error));
    for (size_t i = 0; i < g->n_inputs; i++) {
        const graph_value *declared = &g->values[g->inputs[i]];
        yyjson_val *v = yyjson_obj_get(root, declared->name);
        if (v == NULL) return error_set(error, MINNOW_ERROR_ARGUMENT, "input '%s' is missing", declared->name);
        const minnow_status status = read_value(v, declared->type, memory, &inputs[i], error);
        if (status != MINNOW_OK) return error_prefix(error, status, "input '%s'", declared->name);
    }
    return MINNOW_OK;
}

static minnow_status read_json(const graph *g, const char *path, arena *memory, tensor *inputs, minnow_error *error) {
    yyjson_doc *doc = NULL;
    minnow_status status;
    TRY(json_open(&doc, path, error));
    status = read_object(g, yyjson_doc_get_root(doc), memory, inputs, error);
    yyjson_doc_free(doc);
    return status == MINNOW_OK ? MINNOW_OK : error_prefix(error, status, "%s", path);
}

/* --- .npy ---------------------------------------------------------------------------------------------------- */

static minnow_status read_npy(const graph_value *declared, const char *folder, arena *memory, tensor *t,
                              minnow_error *error) {
    char *path = run_npy_path(folder, declared->name);
    file_map map = {0};
    minnow_status status;
    if (path == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    status = file_map_open(&map, path, error);
    if (status == MINNOW_OK) {
        status = npy_read(map.data, map.bytes, memory, t, error);
        file_map_close(&map);
        if (status != MINNOW_OK) error_prefix(error, status, "%s", path);
    }
    if (status == MINNOW_OK && declared->type != DTYPE_UNDEFINED && declared->type != t->type) {
        void *cast = arena_array(memory, tensor_count(t), dtype_bytes(declared->type));
        if (cast == NULL) {
            status = error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
        } else {
            lanes_cast(t->type, t->data, declared->type, cast, tensor_count(t));
            t->type = declared->type;
            t->data = cast;
        }
    }
    free(path);
    return status;
}

minnow_status run_read_inputs(const graph *g, const char *path, arena *memory, tensor *inputs, minnow_error *error) {
    if (!file_is_directory(path)) return read_json(g, path, memory, inputs, error);
    for (size_t i = 0; i < g->n_inputs; i++) TRY(read_npy(&g->values[g->inputs[i]], path, memory, &inputs[i], error));
    return MINNOW_OK;
}
