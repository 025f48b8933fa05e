/* SPDX-License-Identifier: Apache-2.0
 * Output tensors -> JSON, a summary for people, .npy files. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli.h"
#include "convert/interpret/ops/ops.h"
#include "convert/npy/npy.h"
#include "run.h"

static void print_element(const tensor *t, size_t i) {
    const char *at = (const char *)t->data + i * dtype_bytes(t->type);
    int64_t x;
    double d;
    if (t->type == DTYPE_FLOAT64) {
        memcpy(&d, at, sizeof d);
        cli_json_double(stdout, d);
        return;
    }
    if (!lanes_is_integer(t->type)) {
        float f;
        lanes_cast(t->type, at, DTYPE_FLOAT32, &f, 1);
        cli_json_float(stdout, f);
        return;
    }
    lanes_load(t->type, at, 0, 1, 1, &x);
    if (t->type == DTYPE_BOOL) fputs(x ? "true" : "false", stdout);
    else if (t->type == DTYPE_UINT64) printf("%" PRIu64, (uint64_t)x);
    else printf("%" PRId64, x);
}

static void print_shape(const tensor *t) {
    putchar('[');
    for (int d = 0; d < t->rank; d++) printf("%s%" PRId64, d ? "," : "", t->dims[d]);
    putchar(']');
}

void run_print_json(const graph *g, const tensor *outputs, const uint8_t *wanted) {
    int first = 1;
    fputs("{\"outputs\":{", stdout);
    for (size_t o = 0; o < g->n_outputs; o++) {
        const tensor *t = &outputs[o];
        const char *name = g->values[g->outputs[o]].name;
        if (!wanted[o]) continue;
        if (!first) putchar(',');
        first = 0;
        cli_json_string(stdout, name, strlen(name));
        fputs(":{\"shape\":", stdout);
        print_shape(t);
        printf(",\"dtype\":\"%s\",\"data\":[", dtype_name(t->type));
        for (size_t i = 0, n = tensor_count(t); i < n && !ferror(stdout); i++) {
            if (i) putchar(',');
            print_element(t, i);
        }
        fputs("]}", stdout);
    }
    fputs("}}\n", stdout);
}

#define SHOWN_ELEMENTS 8

static void print_range(const tensor *t, size_t n) {
    double low = 0, high = 0, sum = 0;
    size_t finite = 0;
    for (size_t i = 0; i < n; i++) {
        const double x = ops_scalar_f64(t, i);
        if (!(x - x == 0)) continue; /* NaN, infinities */
        if (finite == 0 || x < low) low = x;
        if (finite == 0 || x > high) high = x;
        sum += x;
        finite++;
    }
    if (finite) printf("  min %.6g, max %.6g, mean %.6g", low, high, sum / (double)finite);
    if (finite < n) printf("  (%zu of %zu not finite)", n - finite, n);
}

void run_print_summary(const graph *g, const tensor *outputs, const uint8_t *wanted) {
    for (size_t o = 0; o < g->n_outputs; o++) {
        const tensor *t = &outputs[o];
        const char *name = g->values[g->outputs[o]].name;
        char described[256];
        const size_t n = wanted[o] ? tensor_count(t) : 0;
        if (!wanted[o]) continue;
        cli_print_text(stdout, name, strlen(name));
        printf("  %s", tensor_describe(t, described, sizeof described));
        print_range(t, n);
        printf("\n  ");
        for (size_t i = 0; i < n && i < SHOWN_ELEMENTS; i++) {
            putchar(' ');
            print_element(t, i);
        }
        puts(n > SHOWN_ELEMENTS ? " ..." : "");
    }
}

/* Two names that give one path would overwrite each other. */
static minnow_status check_paths(const graph *g, const uint8_t *wanted, size_t o, const char *path, const char *folder,
                                 minnow_error *error) {
    for (size_t k = 0; k < o; k++) {
        char *other;
        int same;
        if (!wanted[k]) continue;
        other = run_npy_path(folder, g->values[g->outputs[k]].name);
        if (other == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
        same = strcmp(path, other) == 0;
        free(other);
        if (same) return error_set(error, MINNOW_ERROR_ARGUMENT, "%s: two outputs would have this name", path);
    }
    return MINNOW_OK;
}

minnow_status run_write_npy(const graph *g, const tensor *outputs, const uint8_t *wanted, const char *folder,
                            minnow_error *error) {
    TRY(file_make_directory(folder, error));
    for (size_t o = 0; o < g->n_outputs; o++) {
        char *path;
        minnow_status status;
        if (!wanted[o]) continue;
        path = run_npy_path(folder, g->values[g->outputs[o]].name);
        if (path == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
        status = check_paths(g, wanted, o, path, folder, error);
        if (status == MINNOW_OK) status = npy_write(path, &outputs[o], error);
        free(path);
        TRY(status);
    }
    return MINNOW_OK;
}
