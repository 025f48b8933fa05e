/* SPDX-License-Identifier: Apache-2.0
 * A byte that names a kind, and up to three files separated by form feeds -> a task; what it accepts is consistent, and
 * is scored on vectors made up from the texts.
 * Covers: src/convert/eval */
#include <stdlib.h>
#include <string.h>

#include "convert/eval/score.h"

#define DIMENSIONS 3
#define MAX_TRAIN 8 /* fitting takes time */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const eval_task *t, uint32_t text) {
    if (text >= t->n_texts) abort();
}

static void check(const eval_task *t) {
    unsigned sum = 0;
    size_t i, k;
    if (t->n_texts == 0) abort();
    for (i = 0; i < t->n_texts; i++)
        for (k = 0; k < t->texts[i].bytes; k++) sum += (unsigned char)t->texts[i].data[k];
    if (sum == 1u << 31) abort(); /* keeps the loop */
    for (i = 0; i < t->n_pairs; i++) check_text(t, t->pairs[i].a), check_text(t, t->pairs[i].b);
    for (i = 0; i < t->n_test; i++) check_text(t, t->test[i].text);
    for (i = 0; i < t->n_train; i++) {
        check_text(t, t->train[i].text);
        if (t->train[i].label >= t->n_classes) abort();
    }
    for (i = 0; i < t->n_documents; i++) check_text(t, t->documents[i]);
    for (i = 0; i < t->n_queries; i++) {
        const eval_query *q = &t->queries[i];
        check_text(t, q->text);
        if (q->n_judgements == 0) abort();
        for (k = 0; k < q->n_judgements; k++)
            if (q->judgements[k].document != EVAL_NO_STRING && q->judgements[k].document >= t->n_documents) abort();
    }
}

static void score(const eval_task *t) {
    eval_scores scores;
    float *vectors = calloc(t->n_texts, DIMENSIONS * sizeof *vectors);
    if (vectors == NULL) return;
    for (size_t i = 0; i < t->n_texts * DIMENSIONS; i++) {
        const eval_text *text = &t->texts[i / DIMENSIONS];
        const size_t k = i % DIMENSIONS;
        vectors[i] = k < text->bytes ? (float)(signed char)text->data[k] : 1.0f;
    }
    if (eval_score(&scores, t, vectors, DIMENSIONS, NULL, NULL) == MINNOW_OK)
        for (size_t i = 0; i < scores.count; i++)
            if (scores.values[i] > 100.0001 || scores.values[i] < -100.0001) abort();
    free(vectors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    eval_file files[EVAL_MAX_FILES];
    eval_task *t = NULL;
    const char *p = (const char *)data + 1, *end = (const char *)data + size;
    eval_kind kind;
    if (size == 0) return 0;
    kind = (eval_kind)(data[0] % EVAL_KINDS);
    for (size_t i = 0; i < EVAL_MAX_FILES; i++) {
        const char *stop = p < end ? memchr(p, '\f', (size_t)(end - p)) : NULL;
        if (stop == NULL) stop = end;
        files[i] = (eval_file){"file", p, (size_t)(stop - p)};
        p = stop < end ? stop + 1 : end;
    }
    if (eval_task_read(&t, "task", kind, files, NULL) == MINNOW_OK) {
        check(t);
        if (t->n_train <= MAX_TRAIN) score(t);
    }
    eval_task_close(&t);
    return 0;
}
