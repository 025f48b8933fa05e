/* SPDX-License-Identifier: Apache-2.0
 * Masks: what is added to the scores, or put in their place, is computed for texts with and without masked tokens. It
 * must keep the scores of tokens that are not masked, exactly, and silence those of tokens that are. */
#include "convert/optimize/mask.h"

#include "convert/interpret/ops/ops.h"
#include "convert/optimize/probe.h"

#define MASK_SILENT (-1000.0) /* a masked score gets at most this: e^-1000 is nothing beside any other */
#define MASK_MAX_SCORES ((int64_t)1 << 28)

/* Where each element of the scores stands, and which element of a value that is broadcast to them meets it. */
typedef struct score_index {
    const layout *l;
    int64_t dims[TENSOR_MAX_RANK]; /* of the scores */
    size_t count;
} score_index;

static int64_t part_size(const specimen *s, const layout *l, int i) {
    switch (l->parts[i]) {
    case LAYOUT_BATCH: return s->batch;
    case LAYOUT_QUERY:
    case LAYOUT_KEY: return s->tokens;
    default: return l->sizes[i];
    }
}

/* The scores' shape on this specimen: the layout's parts have other sizes there. 0 if that is too large. */
static int index_init(score_index *x, const specimen *s, const layout *l) {
    int64_t count = 1;
    int d, i = 0;
    x->l = l;
    for (d = 0; d < l->rank; d++) {
        x->dims[d] = 1;
        for (; i < l->ends[d]; i++) {
            const int64_t size = part_size(s, l, i);
            if (size < 1 || count > MASK_MAX_SCORES / size) return 0;
            x->dims[d] *= size;
            count *= size;
        }
    }
    x->count = (size_t)count;
    return 1;
}

/* Coordinate of a part at element `i`; 0 if the scores do not have it. */
static int64_t coordinate(const score_index *x, const specimen *s, size_t i, layout_part part) {
    int p;
    for (p = x->l->n_parts - 1; p >= 0; p--) {
        const size_t size = (size_t)part_size(s, x->l, p);
        if (x->l->parts[p] == part) return (int64_t)(i % size);
        i /= size;
    }
    return 0;
}

/* 1 if t broadcasts to the scores without making them larger. */
static int broadcasts(const score_index *x, const tensor *t) {
    int d;
    if (t->rank > x->l->rank) return 0;
    for (d = 0; d < t->rank; d++)
        if (t->dims[d] != 1 && t->dims[d] != x->dims[x->l->rank - t->rank + d]) return 0;
    return 1;
}

static size_t broadcast_element(const score_index *x, const tensor *t, size_t i) {
    size_t at = 0, stride = 1;
    int d;
    for (d = t->rank - 1; d >= 0; d--) {
        const size_t size = (size_t)x->dims[x->l->rank - t->rank + d];
        if (t->dims[d] != 1) at += i % size * stride;
        stride *= (size_t)t->dims[d];
        i /= size;
    }
    return at;
}

enum { SCORE_KEPT, SCORE_SILENCED, SCORE_CHANGED };

/* What happens to a score is what must happen: kept if its key is not masked, silenced if it is. Queries that are
 * masked themselves do not count. A value that has nothing to do with the mask must keep all. */
static minnow_status check(const matcher *m, const specimen *s, const score_index *x, size_t i, int32_t place,
                           int uses_mask, int happens) {
    const int64_t b = coordinate(x, s, i, LAYOUT_BATCH);
    const int masked = uses_mask && probe_is_masked(s, b, coordinate(x, s, i, LAYOUT_KEY));
    if (uses_mask && probe_is_masked(s, b, coordinate(x, s, i, LAYOUT_QUERY))) return MINNOW_OK;
    if (happens == (masked ? SCORE_SILENCED : SCORE_KEPT)) return MINNOW_OK;
    if (masked) return match_fail(m, place, "expected a mask, found one that leaves masked tokens in");
    return match_fail(m, place, "expected a mask, found a value that changes scores of tokens that are not masked");
}

/* A mask as a node has it. */
typedef struct mask {
    int32_t place; /* the value that messages name */
    int32_t value; /* the addend, or Where's condition */
    int is_where, keep;
    double fill;
} mask;

static int what_happens(const mask *k, const tensor *t, size_t element) {
    double number = k->fill;
    if (!k->is_where) number = ops_scalar_f64(t, element);
    else if ((((const uint8_t *)t->data)[element] != 0) == (k->keep == 0)) return SCORE_KEPT;
    if (number <= MASK_SILENT) return SCORE_SILENCED;
    return number == 0.0 && !k->is_where ? SCORE_KEPT : SCORE_CHANGED;
}

static minnow_status check_mask(matcher *m, const specimen *s, const mask *k, const layout *l) {
    const int uses_mask = (m->depends[k->value] & DEPENDS_MASK) != 0;
    score_index x;
    tensor t;
    size_t i;
    if (!index_init(&x, s, l)) return match_fail(m, k->place, "expected fewer scores in a graph of a fixed size");
    TRY(probe_value(m, s, k->value, 0, &t));
    if (!broadcasts(&x, &t) || dtype_bytes(t.type) == 0 || (k->is_where && t.type != DTYPE_BOOL))
        return match_fail(m, k->place, "expected a mask that fits scores [batch, head, query, key]");
    for (i = 0; i < x.count; i++)
        TRY(check(m, s, &x, i, k->place, uses_mask, what_happens(k, &t, broadcast_element(&x, &t, i))));
    return MINNOW_OK;
}

static int is_accepted(const accepted_mask *a, const mask *k, const layout *l) {
    return a->is_set && a->value == k->value && a->keep == (k->is_where ? k->keep : -1) && a->fill == k->fill &&
           layout_same(&a->scores, l);
}

static minnow_status check_everywhere(matcher *m, const mask *k, const layout *l) {
    size_t i;
    if (is_accepted(&m->accepted, k, l)) return MINNOW_OK;
    for (i = 0; i < MATCH_SPECIMENS; i++) TRY(check_mask(m, &m->specimens[i], k, l));
    m->accepted = (accepted_mask){k->value, 1, k->is_where ? k->keep : -1, k->fill, *l};
    return MINNOW_OK;
}

minnow_status mask_check_added(matcher *m, int32_t place, int32_t addend, const layout *l) {
    const mask k = {.place = place, .value = addend};
    return check_everywhere(m, &k, l);
}

minnow_status mask_check_where(matcher *m, int32_t place, int32_t condition, int keep, int32_t fill, const layout *l) {
    mask k = {.place = place, .value = condition, .is_where = 1, .keep = keep};
    if (!match_scalar(m, fill, &k.fill)) return match_fail(m, place, "expected one number in place of masked scores");
    return check_everywhere(m, &k, l);
}
