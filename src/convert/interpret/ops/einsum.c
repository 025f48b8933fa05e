/* SPDX-License-Identifier: Apache-2.0
 * Einsum of one or two operands: labels are sorted into batch (in both and in the result), summed (in both, not in the
 * result), and those of one side; each operand is copied into [batch, own, summed] order, multiplied, and put into the
 * result's order. A label that stands twice in one operand walks its diagonal; one that only one operand has and the
 * result lacks is summed first. */
#include <string.h>

#include "convert/interpret/ops/ops.h"
#include "convert/interpret/ops/table.h"

#define MAX_LABELS 60 /* 52 letters, then the dims that "..." stands for, from the right */

typedef struct term {
    int rank;
    int labels[2 * TENSOR_MAX_RANK];
} term;

typedef struct equation {
    int n_operands;
    term operands[2], result;
    int64_t sizes[MAX_LABELS]; /* -1: not seen */
} equation;

static int letter(char ch) {
    if (ch >= 'a' && ch <= 'z') return ch - 'a';
    return ch >= 'A' && ch <= 'Z' ? ch - 'A' + 26 : -1;
}

static minnow_status bad(op_context *c, const char *why) {
    return error_set(c->error, MINNOW_ERROR_FORMAT, "equation: %s", why);
}

/* Reads labels up to a comma, an arrow or the end; `hidden` dims stand for "...". */
static minnow_status read_term(op_context *c, const char **text, int hidden, term *t) {
    const char *p = *text;
    int seen_dots = 0;
    t->rank = 0;
    for (; *p && *p != ',' && *p != '-'; p++) {
        if (*p == ' ') continue;
        if (*p == '.') {
            if (seen_dots || p[1] != '.' || p[2] != '.') return bad(c, "a misplaced '.'");
            seen_dots = 1;
            p += 2;
            for (int i = 0; i < hidden; i++) {
                if (t->rank == TENSOR_MAX_RANK) return bad(c, "too many labels");
                t->labels[t->rank++] = 52 + hidden - 1 - i;
            }
            continue;
        }
        if (letter(*p) < 0) return bad(c, "a character that is no label");
        if (t->rank == TENSOR_MAX_RANK) return bad(c, "too many labels");
        t->labels[t->rank++] = letter(*p);
    }
    *text = p;
    return MINNOW_OK;
}

/* Labels of a term as written, "..." not counted. */
static int count_labels(const char *p, int *dots) {
    int n = 0;
    *dots = 0;
    for (; *p && *p != ',' && *p != '-'; p++) {
        if (letter(*p) >= 0) n++;
        if (*p == '.') *dots = 1;
    }
    return n;
}

static minnow_status note_sizes(op_context *c, equation *e, int operand) {
    const tensor *x = c->inputs[operand];
    const term *t = &e->operands[operand];
    if (t->rank != x->rank) return bad(c, "an operand has another rank than its labels");
    for (int d = 0; d < t->rank; d++) {
        int64_t *size = &e->sizes[t->labels[d]];
        if (*size < 0 || *size == 1) *size = x->dims[d];
        else if (x->dims[d] != *size && x->dims[d] != 1) return bad(c, "a label has two sizes");
    }
    return MINNOW_OK;
}

/* Without an arrow: "..." first, then the labels that stand once, in alphabetical order (capitals first). */
static minnow_status implicit_result(op_context *c, equation *e, int hidden) {
    int count[MAX_LABELS] = {0};
    e->result.rank = 0;
    for (int o = 0; o < e->n_operands; o++)
        for (int d = 0; d < e->operands[o].rank; d++) count[e->operands[o].labels[d]]++;
    for (int i = 0; i < hidden; i++) e->result.labels[e->result.rank++] = 52 + hidden - 1 - i;
    for (int i = 0; i < 52; i++) {
        const int label = i < 26 ? i + 26 : i - 26;
        if (count[label] != 1) continue;
        if (e->result.rank == TENSOR_MAX_RANK) return bad(c, "too many labels");
        e->result.labels[e->result.rank++] = label;
    }
    return MINNOW_OK;
}

static minnow_status parse(op_context *c, equation *e) {
    const char *text = graph_node_string(c->node, "equation", "");
    int hidden = 0, seen[MAX_LABELS] = {0};
    memset(e, 0, sizeof *e);
    for (int i = 0; i < MAX_LABELS; i++) e->sizes[i] = -1;
    if (c->n_inputs < 1 || c->n_inputs > 2)
        return error_set(c->error, MINNOW_ERROR_UNSUPPORTED, "%zu operands not supported", c->n_inputs);
    e->n_operands = (int)c->n_inputs;
    for (int o = 0; o < e->n_operands; o++) {
        int dots;
        const int written = count_labels(text, &dots), own = dots ? c->inputs[o]->rank - written : 0;
        if (own < 0) return bad(c, "an operand has another rank than its labels");
        TRY(read_term(c, &text, own, &e->operands[o]));
        if (own > hidden) hidden = own;
        TRY(note_sizes(c, e, o));
        if (o + 1 < e->n_operands && *text++ != ',') return bad(c, "too few operands");
    }
    if (!*text) return implicit_result(c, e, hidden);
    if (text[0] != '-' || text[1] != '>') return bad(c, "no arrow after the operands");
    text += 2;
    TRY(read_term(c, &text, hidden, &e->result));
    if (*text) return bad(c, "text after the result");
    for (int d = 0; d < e->result.rank; d++) {
        if (e->sizes[e->result.labels[d]] < 0) return bad(c, "a label of the result that no operand has");
        if (seen[e->result.labels[d]]++) return bad(c, "a label twice in the result");
    }
    return MINNOW_OK;
}

static int has(const term *t, int label) {
    for (int d = 0; d < t->rank; d++)
        if (t->labels[d] == label) return 1;
    return 0;
}

/* Operand o with its dims in the order of `labels`, dense, in scratch; labels it lacks or has once with size 1 are
 * repeated. */
static minnow_status arrange(op_context *c, const equation *e, int o, const int *labels, int n, void **out) {
    const tensor *x = c->inputs[o];
    const term *t = &e->operands[o];
    int64_t strides[TENSOR_MAX_RANK], dims[STRIDE_MAX_RANK];
    stride_plan p = {.rank = n, .n_operands = 1};
    size_t count;
    stride_dense(x->rank, x->dims, strides);
    for (int i = 0; i < n; i++) {
        p.dims[i] = dims[i] = e->sizes[labels[i]];
        for (int d = 0; d < t->rank; d++)
            if (t->labels[d] == labels[i] && x->dims[d] != 1) p.strides[0][i] += strides[d];
    }
    if (n > TENSOR_MAX_RANK) return error_set(c->error, MINNOW_ERROR_UNSUPPORTED, "%d labels not supported", n);
    TRY(tensor_check_shape(x->type, n, dims, &count, c->error));
    TRY(ops_charge(c, count));
    TRY(ops_scratch_array(c, count, 1, dtype_bytes(x->type), out));
    if (count == 0) return MINNOW_OK;
    stride_collapse(&p);
    stride_copy(c, &p, dtype_bytes(x->type), x->data, *out);
    return MINNOW_OK;
}

/* Labels in classes: [batch][own][summed] for the left, [batch][summed][own] for the right. */
typedef struct classes {
    int batch[MAX_LABELS], n_batch, left[MAX_LABELS], n_left, right[MAX_LABELS], n_right, summed[MAX_LABELS], n_summed;
} classes;

/* With one operand, or a label to sum that only one side has, the other side is taken to be ones along it: it joins
 * `summed`. */
static void classify(const equation *e, classes *k) {
    memset(k, 0, sizeof *k);
    for (int label = 0; label < MAX_LABELS; label++) {
        const int a = has(&e->operands[0], label), b = e->n_operands > 1 && has(&e->operands[1], label);
        if (!a && !b) continue;
        if (!has(&e->result, label)) k->summed[k->n_summed++] = label;
        else if (a && b) k->batch[k->n_batch++] = label;
        else if (a) k->left[k->n_left++] = label;
        else k->right[k->n_right++] = label;
    }
}

static size_t join(const equation *e, const int *labels, int n, int *to, int *n_to) {
    size_t product = 1;
    for (int i = 0; i < n; i++) {
        product *= (size_t)e->sizes[labels[i]];
        to[(*n_to)++] = labels[i];
    }
    return product;
}

/* [batch, left, right] -> the result's order. */
static minnow_status deliver(op_context *c, const equation *e, const classes *k, dtype type, void *made) {
    int order[3 * MAX_LABELS], n = 0, perm[TENSOR_MAX_RANK];
    tensor t = {.type = type, .data = made};
    (void)join(e, k->batch, k->n_batch, order, &n);
    (void)join(e, k->left, k->n_left, order, &n);
    (void)join(e, k->right, k->n_right, order, &n);
    t.rank = n; /* as many as the result has labels */
    for (int i = 0; i < n; i++) t.dims[i] = e->sizes[order[i]];
    for (int d = 0; d < n; d++)
        for (int i = 0; i < n; i++)
            if (order[i] == e->result.labels[d]) perm[d] = i;
    stride_transpose(c, &t, NULL, perm, c->outputs[0].data);
    return MINNOW_OK;
}

minnow_status ops_einsum(op_context *c) {
    int64_t dims[TENSOR_MAX_RANK];
    int a_order[3 * MAX_LABELS], b_order[3 * MAX_LABELS], n_a = 0, n_b = 0;
    void *a, *b, *made;
    equation e;
    classes k;
    TRY(ops_need(c, c->n_inputs ? c->n_inputs : 1));
    TRY(parse(c, &e));
    const tensor *x = c->inputs[0];
    if (e.n_operands == 2) TRY(ops_same_type(c, 0, 1));
    classify(&e, &k);
    for (int d = 0; d < e.result.rank; d++) dims[d] = e.sizes[e.result.labels[d]];
    TRY(ops_output(c, 0, x->type, e.result.rank, dims));
    if (k.n_batch + k.n_left + k.n_summed > TENSOR_MAX_RANK || k.n_batch + k.n_right + k.n_summed > TENSOR_MAX_RANK)
        return error_set(c->error, MINNOW_ERROR_UNSUPPORTED, "so many labels are not supported");
    if (tensor_count(&c->outputs[0]) == 0) return MINNOW_OK;
    const size_t batch = join(&e, k.batch, k.n_batch, a_order, &n_a), m = join(&e, k.left, k.n_left, a_order, &n_a);
    const size_t summed = join(&e, k.summed, k.n_summed, a_order, &n_a);
    TRY(arrange(c, &e, 0, a_order, n_a, &a));
    (void)join(&e, k.batch, k.n_batch, b_order, &n_b);
    (void)join(&e, k.summed, k.n_summed, b_order, &n_b);
    const size_t n = join(&e, k.right, k.n_right, b_order, &n_b);
    if (e.n_operands == 2) {
        TRY(arrange(c, &e, 1, b_order, n_b, &b));
    } else { /* ones to sum with */
        const int64_t one = 1;
        TRY(ops_charge(c, summed));
        TRY(ops_scratch_array(c, summed, 1, dtype_bytes(x->type), &b));
        for (size_t i = 0; i < summed; i++)
            lanes_cast(DTYPE_INT64, &one, x->type, (char *)b + i * dtype_bytes(x->type), 1);
    }
    TRY(ops_scratch(c, tensor_bytes(&c->outputs[0]), &made));
    TRY(matmul_dense(c, x->type, batch, m, summed, n, a, b, made));
    return deliver(c, &e, &k, x->type, made);
}
