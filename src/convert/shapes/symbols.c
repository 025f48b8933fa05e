/* SPDX-License-Identifier: Apache-2.0
 * Extents: arithmetic on sizes that are numbers, names, or products of both. Part of shape inference (shapes.h).
 *
 * Terms are interned: equal text, equal number. Text is canonical because factors are sorted and numbers come last. */
#include "convert/shapes/shapes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS ((size_t)SHAPES_MAX_TERMS * 2)
#define MAX_PROBES 64 /* a file full of colliding names gets unknowns, not quadratic time */

int shapes_terms_init(shapes_terms *t, arena *memory) {
    memset(t, 0, sizeof *t);
    t->memory = memory;
    t->slots = calloc(SLOTS, sizeof *t->slots);
    t->capacity = 64;
    t->terms = calloc(t->capacity, sizeof *t->terms);
    if (t->slots == NULL || t->terms == NULL) {
        shapes_terms_free(t);
        return 0;
    }
    t->terms[SHAPES_ONE].text = "1";
    t->terms[SHAPES_ONE].nonnegative = 1;
    t->terms[SHAPES_ONE].base = extent_unknown();
    t->n = 1;
    return 1;
}

void shapes_terms_free(shapes_terms *t) {
    free(t->slots);
    free(t->terms);
    memset(t, 0, sizeof *t);
}

static size_t hash_text(const char *text) {
    uint32_t h = 2166136261u;
    for (; *text != '\0'; text++) h = (h ^ (uint8_t)*text) * 16777619u;
    return (h ^ (h >> 15)) % SLOTS;
}

/* The term with this text, made if there is none; SHAPES_UNKNOWN if there is no room. `*made` says which. */
static int32_t intern(shapes_terms *t, const char *text, int copy, int *made) {
    size_t slot = hash_text(text);
    int probe;
    *made = 0;
    for (probe = 0; t->slots[slot] != 0; probe++) {
        if (strcmp(t->terms[t->slots[slot]].text, text) == 0) return t->slots[slot];
        if (probe == MAX_PROBES) return SHAPES_UNKNOWN;
        slot = (slot + 1) % SLOTS;
    }
    if (t->n == SHAPES_MAX_TERMS) return SHAPES_UNKNOWN;
    if (t->n == t->capacity) {
        shapes_term *grown = realloc(t->terms, t->capacity * 2 * sizeof *grown);
        if (grown == NULL) return SHAPES_UNKNOWN;
        t->terms = grown;
        t->capacity *= 2;
    }
    if (copy && (text = arena_string(t->memory, text, strlen(text))) == NULL) return SHAPES_UNKNOWN;
    memset(&t->terms[t->n], 0, sizeof t->terms[t->n]);
    t->terms[t->n].text = text;
    t->terms[t->n].factors[0] = (int32_t)t->n;
    t->terms[t->n].n_factors = 1;
    t->terms[t->n].base = extent_unknown();
    t->slots[slot] = (int32_t)t->n;
    *made = 1;
    return (int32_t)t->n++;
}

extent shapes_named(shapes_terms *t, const char *name) {
    int made;
    const int32_t term = intern(t, name, 0, &made);
    if (term == SHAPES_UNKNOWN) return extent_unknown();
    if (made) t->terms[term].nonnegative = 1;
    return (extent){1, term};
}

/* Returns 0 if the text does not fit. */
static int format(const shapes_terms *t, extent e, char out[SHAPES_MAX_TEXT]) {
    int n;
    if (extent_is_number(e)) n = snprintf(out, SHAPES_MAX_TEXT, "%lld", (long long)e.factor);
    else if (e.factor == 1) n = snprintf(out, SHAPES_MAX_TEXT, "%s", t->terms[e.term].text);
    else n = snprintf(out, SHAPES_MAX_TEXT, "%lld*%s", (long long)e.factor, t->terms[e.term].text);
    return n > 0 && n < SHAPES_MAX_TEXT;
}

const char *shapes_name(shapes_terms *t, extent e) {
    char text[SHAPES_MAX_TEXT];
    int made;
    int32_t term;
    if (e.factor == 1) return t->terms[e.term].text;
    if (!format(t, e, text)) return NULL;
    term = intern(t, text, 1, &made);
    return term == SHAPES_UNKNOWN ? NULL : t->terms[term].text;
}

int extent_is_nonnegative(const shapes_terms *t, extent e) {
    return extent_is_known(e) && e.factor >= 0 && t->terms[e.term].nonnegative;
}

/* A quantity of its own: "(a + b)", "(a - b)", "(a / b)". */
static extent compose(shapes_terms *t, extent a, const char *operator, extent b, int nonnegative) {
    char left[SHAPES_MAX_TEXT], right[SHAPES_MAX_TEXT], text[2 * SHAPES_MAX_TEXT + 8];
    int32_t term;
    int made, n;
    if (!format(t, a, left) || !format(t, b, right)) return extent_unknown();
    n = snprintf(text, sizeof text, "(%s %s %s)", left, operator, right);
    if (n <= 0 || n >= SHAPES_MAX_TEXT) return extent_unknown();
    term = intern(t, text, 1, &made);
    if (term == SHAPES_UNKNOWN) return extent_unknown();
    if (made) t->terms[term].nonnegative = nonnegative;
    return (extent){1, term};
}

/* a + n for a symbolic `a`. "(x + 1) - 1" is x again. */
static extent add_number(shapes_terms *t, extent a, int64_t n) {
    extent sum;
    if (a.factor == 1 && extent_is_known(t->terms[a.term].base)) {
        if (__builtin_add_overflow(n, t->terms[a.term].offset, &n)) return extent_unknown();
        a = t->terms[a.term].base;
    }
    if (n == 0) return a;
    if (n == INT64_MIN) return extent_unknown();
    sum = compose(t, a, n < 0 ? "-" : "+", extent_number(n < 0 ? -n : n), n > 0 && extent_is_nonnegative(t, a));
    if (extent_is_known(sum)) {
        t->terms[sum.term].base = a;
        t->terms[sum.term].offset = n;
    }
    return sum;
}

extent extent_add(shapes_terms *t, extent a, extent b) {
    extent swap;
    if (!extent_is_known(a) || !extent_is_known(b)) return extent_unknown();
    if (a.term == b.term) {
        int64_t factor;
        if (__builtin_add_overflow(a.factor, b.factor, &factor)) return extent_unknown();
        return factor == 0 ? extent_number(0) : (extent){factor, a.term};
    }
    if (extent_is_number(a)) return add_number(t, b, a.factor);
    if (extent_is_number(b)) return add_number(t, a, b.factor);
    if (a.term > b.term) swap = a, a = b, b = swap;
    return compose(t, a, "+", b, extent_is_nonnegative(t, a) && extent_is_nonnegative(t, b));
}

extent extent_subtract(shapes_terms *t, extent a, extent b) {
    if (!extent_is_known(a) || !extent_is_known(b) || b.factor == INT64_MIN) return extent_unknown();
    if (a.term == b.term || extent_is_number(b) || extent_is(a, 0))
        return extent_add(t, a, (extent){-b.factor, b.term});
    return compose(t, a, "-", b, 0);
}

/* The term of a product of named quantities, given in ascending order. */
static int32_t product_term(shapes_terms *t, const int32_t *factors, int n) {
    char text[SHAPES_MAX_TEXT];
    size_t used = 0;
    int i, made, nonnegative = 1;
    int32_t term;
    if (n == 0) return SHAPES_ONE;
    if (n == 1) return factors[0];
    for (i = 0; i < n; i++) {
        const char *times = i == 0 ? "" : "*";
        const int wrote = snprintf(text + used, sizeof text - used, "%s%s", times, t->terms[factors[i]].text);
        if (wrote <= 0 || (size_t)wrote >= sizeof text - used) return SHAPES_UNKNOWN;
        used += (size_t)wrote;
        nonnegative &= t->terms[factors[i]].nonnegative;
    }
    term = intern(t, text, 1, &made);
    if (term != SHAPES_UNKNOWN && made) {
        memcpy(t->terms[term].factors, factors, (size_t)n * sizeof *factors);
        t->terms[term].n_factors = n;
        t->terms[term].nonnegative = nonnegative;
    }
    return term;
}

extent extent_multiply(shapes_terms *t, extent a, extent b) {
    int32_t factors[2 * SHAPES_MAX_FACTORS];
    const shapes_term *ta, *tb;
    int64_t factor;
    int i = 0, j = 0, n = 0;
    int32_t term;
    if (extent_is(a, 0) || extent_is(b, 0)) return extent_number(0);
    if (!extent_is_known(a) || !extent_is_known(b)) return extent_unknown();
    if (__builtin_mul_overflow(a.factor, b.factor, &factor)) return extent_unknown();
    ta = &t->terms[a.term];
    tb = &t->terms[b.term];
    while (i < ta->n_factors || j < tb->n_factors) {
        const int from_a = j == tb->n_factors || (i < ta->n_factors && ta->factors[i] <= tb->factors[j]);
        factors[n++] = from_a ? ta->factors[i++] : tb->factors[j++];
    }
    if (n > SHAPES_MAX_FACTORS) return extent_unknown();
    term = product_term(t, factors, n);
    return term == SHAPES_UNKNOWN ? extent_unknown() : (extent){factor, term};
}

extent extent_divide(shapes_terms *t, extent a, extent b) {
    int32_t left[SHAPES_MAX_FACTORS];
    const shapes_term *ta, *tb;
    int i, j = 0, n = 0;
    if (!extent_is_known(a) || !extent_is_known(b) || b.factor == 0) return extent_unknown();
    if (b.factor == -1 && a.factor == INT64_MIN) return extent_unknown();
    if (extent_is_number(a) && extent_is_number(b)) return extent_number(a.factor / b.factor);
    ta = &t->terms[a.term];
    tb = &t->terms[b.term];
    for (i = 0; i < ta->n_factors; i++) {
        if (j < tb->n_factors && ta->factors[i] == tb->factors[j]) j++;
        else left[n++] = ta->factors[i];
    }
    if (j == tb->n_factors && a.factor % b.factor == 0) {
        const int32_t term = product_term(t, left, n);
        return term == SHAPES_UNKNOWN ? extent_unknown() : (extent){a.factor / b.factor, term};
    }
    return compose(t, a, "/", b, extent_is_nonnegative(t, a) && extent_is_nonnegative(t, b));
}

int extent_compare(shapes_terms *t, extent a, extent b) {
    extent difference;
    if (!extent_is_known(a) || !extent_is_known(b)) return 2;
    if (extent_is_number(a) && extent_is_number(b)) return (a.factor > b.factor) - (a.factor < b.factor);
    if (extent_same(a, b)) return 0;
    if (extent_is_number(a) && a.factor < 0 && extent_is_nonnegative(t, b)) return -1;
    if (extent_is_number(b) && b.factor < 0 && extent_is_nonnegative(t, a)) return 1;
    difference = extent_subtract(t, a, b); /* (x + 1) against x */
    return extent_is_number(difference) ? (difference.factor > 0) - (difference.factor < 0) : 2;
}

/* Sizes of dynamic axes are taken to be at least 1 here: max(seq, 1) is seq. */
extent extent_largest(const shapes_terms *t, extent a, extent b) {
    if (extent_same(a, b)) return a;
    if (extent_is_number(a) && extent_is_number(b)) return a.factor > b.factor ? a : b;
    if (extent_is_number(b) && b.factor <= 1 && extent_is_nonnegative(t, a)) return a;
    if (extent_is_number(a) && a.factor <= 1 && extent_is_nonnegative(t, b)) return b;
    return extent_unknown();
}

extent extent_smallest(const shapes_terms *t, extent a, extent b) {
    if (extent_same(a, b)) return a;
    if (extent_is_number(a) && extent_is_number(b)) return a.factor < b.factor ? a : b;
    if (extent_is_number(b) && b.factor <= 0 && extent_is_nonnegative(t, a)) return b;
    if (extent_is_number(a) && a.factor <= 0 && extent_is_nonnegative(t, b)) return a;
    return extent_unknown();
}
