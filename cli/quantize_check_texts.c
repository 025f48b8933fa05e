/* SPDX-License-Identifier: Apache-2.0
 * Calibration texts and their file -> a few texts to look at a fresh model with. */
#include <stdlib.h>
#include <string.h>

#include "quantize_check.h"

#define FEWEST_HELD_OUT ((size_t)20)

typedef struct check_text {
    const int32_t *ids;
    size_t n;
} check_text;

typedef struct choice {
    check_text texts[QUANTIZE_CHECK_TEXTS];
    size_t n;
} choice;

static check_text text_of(const calibration_texts *t, size_t i) {
    return (check_text){t->ids + t->starts[i], t->starts[i + 1] - t->starts[i]};
}

static int is_among(const calibration_texts *t, check_text text) {
    size_t i;
    for (i = 0; i < t->n_texts; i++) {
        const check_text other = text_of(t, i);
        if (other.n == text.n && memcmp(other.ids, text.ids, text.n * sizeof *text.ids) == 0) return 1;
    }
    return 0;
}

static void choose(choice *c, const calibration_texts *from) {
    size_t i;
    c->n = from->n_texts < QUANTIZE_CHECK_TEXTS ? from->n_texts : QUANTIZE_CHECK_TEXTS;
    for (i = 0; i < c->n; i++) c->texts[i] = text_of(from, i * from->n_texts / c->n);
}

/* A few more of the file than calibration took, less those that it did take: its memory does not grow with the file.
 * `more` owns the ids. */
static int choose_held_out(choice *c, const quantize_source *s, calibration_texts *more) {
    const size_t taken = s->texts.n_texts, wanted = taken + 2 * QUANTIZE_CHECK_TEXTS;
    size_t i, n = 0, step;
    if (taken + FEWEST_HELD_OUT > s->texts.n_available) return 0;
    if (calibration_texts_open(more, s->texts_path, s->tokenizer, wanted, s->max_tokens, NULL) != MINNOW_OK) return 0;
    for (i = 0; i < more->n_texts; i++) n += !is_among(&s->texts, text_of(more, i));
    step = (n + QUANTIZE_CHECK_TEXTS - 1) / QUANTIZE_CHECK_TEXTS;
    for (i = n = 0; i < more->n_texts; i++) {
        const check_text text = text_of(more, i);
        if (!is_among(&s->texts, text) && n++ % step == 0) c->texts[c->n++] = text;
    }
    return c->n >= FEWEST_HELD_OUT;
}

static minnow_status copy(calibration_texts *out, const choice *c, minnow_error *error) {
    size_t i;
    memset(out, 0, sizeof *out);
    for (i = 0; i < c->n; i++) {
        out->rows += c->texts[i].n;
        if (c->texts[i].n > out->longest) out->longest = c->texts[i].n;
    }
    out->ids = calloc(out->rows + 1, sizeof *out->ids);
    out->starts = calloc(c->n + 1, sizeof *out->starts);
    if (out->ids == NULL || out->starts == NULL) {
        calibration_texts_free(out);
        return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    }
    out->n_texts = c->n;
    for (i = 0; i < c->n; i++) {
        out->starts[i + 1] = out->starts[i] + c->texts[i].n;
        memcpy(out->ids + out->starts[i], c->texts[i].ids, c->texts[i].n * sizeof *out->ids);
    }
    return MINNOW_OK;
}

minnow_status quantize_check_texts(calibration_texts *out, int *held_out, const quantize_source *s,
                                   minnow_error *error) {
    calibration_texts more;
    choice c;
    minnow_status status;
    memset(&more, 0, sizeof more);
    memset(&c, 0, sizeof c);
    *held_out = s->texts.n_texts > 0 && choose_held_out(&c, s, &more);
    if (!*held_out) choose(&c, &s->texts);
    status = copy(out, &c, error);
    calibration_texts_free(&more);
    return status;
}
