/* SPDX-License-Identifier: Apache-2.0
 * Whose test it is. In: a ModelProto's bytes, which the reader may be about to refuse. Out: by the operators, opsets
 * and types in it, whether the test has to pass. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "conformance.h"
#include "convert/graph/tensor.h"
#include "convert/interpret/interpreter.h"
#include "convert/onnx/onnx.h"
#include "convert/onnx/wire.h"

#define MAX_DOMAINS 8

/* Tests whose expected outputs the standard does not give. onnxruntime's differ from them too. */
static const struct { const char *name, *reason; } odd_tests[] = {
    {"test_training_dropout", "numpy's random numbers"},
    {"test_training_dropout_default", "numpy's random numbers"},
    {"test_training_dropout_default_mask", "numpy's random numbers"},
    {"test_training_dropout_mask", "numpy's random numbers"},
    {"test_qlinearmatmul_2D_int8_float16", "wrapped around, where the standard saturates"},
    {"test_qlinearmatmul_2D_int8_float32", "wrapped around, where the standard saturates"},
    {"test_qlinearmatmul_3D_int8_float16", "wrapped around, where the standard saturates"},
    {"test_qlinearmatmul_3D_int8_float32", "wrapped around, where the standard saturates"},
};

/* Attention's: heads of rank 3 are not transposed, shared keys lie in another order, the mask comes before softcap. The
 * standard's text and the package's later outputs, which are ours, have it the other way. */
static int is_corrected(const char *name) {
    static const char *const starts[] = {"test_attention_3d", "test_attention_4d_gqa",
        "test_attention_4d_with_past_and_present_qk_matmul_bias", "test_attention_4d_with_qk_matmul_bias",
        "test_attention_4d_with_qk_matmul_softcap"};
    if (strstr(name, "_expanded")) return 0;
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (strncmp(name, starts[i], strlen(starts[i])) == 0) return 1;
    return 0;
}

typedef struct judging {
    node_test *test;
    struct { char domain[64]; int64_t version; } opsets[MAX_DOMAINS];
    size_t n_opsets;
} judging;

static void exclude(judging *j, exclusion why, const char *reason) {
    if (j->test->verdict == EXCLUDED && j->test->exclusion <= why) return; /* an operator before an opset or a type */
    j->test->verdict = EXCLUDED;
    j->test->exclusion = why;
    snprintf(j->test->reason, sizeof j->test->reason, "%s", reason);
}

static void copy_text(const wire_field *f, char *out, size_t capacity) {
    snprintf(out, capacity, "%.*s", (int)(f->bytes < capacity ? f->bytes : capacity), (const char *)f->data);
}

static void judge_type(judging *j, int64_t type) {
    static const char *const names[] = {[8] = "string", [14] = "complex64", [15] = "complex128", [17] = "float8e4m3fn",
        [18] = "float8e4m3fnuz", [19] = "float8e5m2", [20] = "float8e5m2fnuz", [21] = "uint4", [22] = "int4",
        [23] = "float4e2m1"};
    char text[32];
    if (type >= 0 && type <= DTYPE_BFLOAT16 && dtype_bytes((dtype)type) > 0) return;
    snprintf(text, sizeof text, "type %" PRId64, type);
    exclude(j, BY_TYPE, type > 0 && type < 24 && names[type] ? names[type] : text);
}

/* TypeProto: tensor_type (1) { elem_type (1) }, sequence_type (4), map_type (5), denotation (6),
 * sparse_tensor_type (8), optional_type (9) */
static minnow_status judge_type_proto(judging *j, wire w, minnow_error *error) {
    static const char *const others[] = {[4] = "sequence", [5] = "map", [8] = "sparse tensor", [9] = "optional"};
    wire_field f;
    wire inner;
    for (;;) {
        TRY(wire_next(&w, &f, error));
        if (f.number == 0) return MINNOW_OK;
        if (f.number < sizeof others / sizeof *others && others[f.number]) exclude(j, BY_TYPE, others[f.number]);
        if (f.number != 1) continue;
        TRY(wire_message(&w, &f, &inner, error));
        for (;;) {
            wire_field g;
            int64_t type;
            TRY(wire_next(&inner, &g, error));
            if (g.number == 0) break;
            if (g.number != 1) continue;
            TRY(wire_int(&g, &type, error));
            judge_type(j, type);
        }
    }
}

/* ValueInfoProto: type (2) */
static minnow_status judge_value(judging *j, wire w, minnow_error *error) {
    wire_field f;
    wire type;
    for (;;) {
        TRY(wire_next(&w, &f, error));
        if (f.number == 0) return MINNOW_OK;
        if (f.number != 2) continue;
        TRY(wire_message(&w, &f, &type, error));
        TRY(judge_type_proto(j, type, error));
    }
}

/* NodeProto: output (2), op_type (4), domain (7) */
static minnow_status judge_node(judging *j, wire w, minnow_error *error) {
    char op[64] = "", domain[64] = "", reason[192];
    int64_t version = 0;
    wire_field f;
    for (;;) {
        TRY(wire_next(&w, &f, error));
        if (f.number == 0) break;
        if (f.number == 4) copy_text(&f, op, sizeof op);
        if (f.number == 7) copy_text(&f, domain, sizeof domain);
    }
    for (size_t i = 0; i < j->n_opsets; i++)
        if (strcmp(j->opsets[i].domain, domain) == 0) version = j->opsets[i].version;
    snprintf(reason, sizeof reason, "%s%s%s", domain, domain[0] ? "." : "", op);
    if (j->test->operator[0] == '\0') snprintf(j->test->operator, sizeof j->test->operator, "%.63s", reason);
    if (version < ONNX_OPSET_MIN && domain[0] == '\0') version = ONNX_OPSET_MIN; /* the operator by its name first */
    if (!interpreter_supports(domain, op, version)) exclude(j, BY_OPERATOR, reason);
    return MINNOW_OK;
}

/* GraphProto: node (1), input (11), output (12) */
static minnow_status judge_graph(judging *j, wire w, minnow_error *error) {
    wire_field f;
    wire inner;
    for (;;) {
        TRY(wire_next(&w, &f, error));
        if (f.number == 0) return MINNOW_OK;
        if (f.number != 1 && f.number != 11 && f.number != 12) continue;
        TRY(wire_message(&w, &f, &inner, error));
        TRY((f.number == 1 ? judge_node : judge_value)(j, inner, error));
    }
}

/* OperatorSetIdProto: domain (1), version (2) */
static minnow_status judge_opset(judging *j, wire w, minnow_error *error) {
    char text[32];
    wire_field f;
    if (j->n_opsets == MAX_DOMAINS) return error_set(error, MINNOW_ERROR_UNSUPPORTED, "too many domains");
    for (;;) {
        TRY(wire_next(&w, &f, error));
        if (f.number == 0) break;
        if (f.number == 1) copy_text(&f, j->opsets[j->n_opsets].domain, sizeof j->opsets[0].domain);
        if (f.number == 2) TRY(wire_int(&f, &j->opsets[j->n_opsets].version, error));
    }
    const int64_t version = j->opsets[j->n_opsets].version;
    snprintf(text, sizeof text, "%" PRId64, version);
    if (j->opsets[j->n_opsets].domain[0] == '\0' && (version < ONNX_OPSET_MIN || version > ONNX_OPSET_MAX))
        exclude(j, BY_OPSET, text);
    j->n_opsets++;
    return MINNOW_OK;
}

minnow_status judge_model(node_test *test, const uint8_t *model, size_t bytes, minnow_error *error) {
    judging j = {.test = test};
    for (size_t i = 0; i < sizeof odd_tests / sizeof *odd_tests; i++)
        if (strcmp(test->name, odd_tests[i].name) == 0) exclude(&j, BY_DATA, odd_tests[i].reason);
    if (is_corrected(test->name)) exclude(&j, BY_CORRECTION, "Attention");
    for (unsigned pass = 0; pass < 2; pass++) { /* ModelProto: opset_import (8), then graph (7), which stands first */
        wire w = wire_begin(model, bytes), inner;
        wire_field f;
        for (;;) {
            TRY(wire_next(&w, &f, error));
            if (f.number == 0) break;
            if (f.number != (pass == 0 ? 8 : 7)) continue;
            TRY(wire_message(&w, &f, &inner, error));
            TRY((pass == 0 ? judge_opset : judge_graph)(&j, inner, error));
        }
    }
    return MINNOW_OK;
}
