/* SPDX-License-Identifier: Apache-2.0
 * Tasks and scores, against values worked out by hand. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "convert/eval/logistic.h"
#include "convert/eval/score.h"
#include "convert/eval/vector.h"

#define FOLDER "test_eval.tmp"

static void expect_near(double got, double expected) {
    if (!(fabs(got - expected) < 1e-12)) fail_msg("%.17g, where %.17g was expected", got, expected);
}

static eval_task *read_task(eval_kind kind, const char *a, const char *b, const char *c, minnow_error *error) {
    const char *texts[EVAL_MAX_FILES] = {a, b, c};
    eval_file files[EVAL_MAX_FILES];
    eval_task *t = NULL;
    size_t i;
    memset(files, 0, sizeof files);
    for (i = 0; i < EVAL_MAX_FILES && eval_kind_files(kind)[i] != NULL; i++)
        files[i] = (eval_file){eval_kind_files(kind)[i], texts[i], strlen(texts[i])};
    if (eval_task_read(&t, "name", kind, files, error) != MINNOW_OK) assert_null(t);
    return t;
}

static void expect_text(const eval_task *t, uint32_t i, const char *text) {
    assert_true(i < t->n_texts);
    assert_int_equal(t->texts[i].bytes, strlen(text));
    assert_memory_equal(t->texts[i].data, text, strlen(text));
}

/* --- Reading ------------------------------------------------------------------------------------------------- */

static void reads_sts(void **state) {
    minnow_error error;
    eval_task *t = read_task(EVAL_STS, "\xef\xbb\xbf" "5.0\tone\ttwo\r\n\n-2.5e-1\ttwo\t\n4\tone\tone", "", "", &error);
    (void)state;
    assert_non_null(t);
    assert_string_equal(t->name, "name");
    assert_int_equal(t->n_pairs, 3);
    assert_int_equal(t->n_texts, 3); /* the distinct ones, in order */
    expect_text(t, 0, "one");
    expect_text(t, 1, "two");
    expect_text(t, 2, "");
    expect_near(t->pairs[1].score, -0.25);
    assert_int_equal(t->pairs[1].a, 1);
    assert_int_equal(t->pairs[1].b, 2);
    assert_int_equal(t->pairs[2].b, 0);
    eval_task_close(&t);
    assert_null(t);
}

static void reads_classification(void **state) {
    minnow_error error;
    eval_task *t = read_task(EVAL_CLASSIFICATION, "x\ta\ny\tb\nx\ta\n", "z\ta\ny\tc\n", "", &error);
    (void)state;
    assert_non_null(t);
    assert_int_equal(t->n_train, 3);
    assert_int_equal(t->n_test, 2);
    assert_int_equal(t->n_classes, 2);
    assert_int_equal(t->n_texts, 3);
    assert_int_equal(t->train[2].text, 0);
    assert_int_equal(t->test[0].label, 2); /* unknown in training: never right */
    assert_int_equal(t->test[1].label, 1);
    eval_task_close(&t);
}

static void refuses_a_label_a_line(void **state) {
    static char train[(EVAL_MAX_CLASSES + 1) * 8];
    minnow_error error;
    size_t used = 0;
    (void)state;
    for (int i = 0; i <= EVAL_MAX_CLASSES; i++) {
        eval_task *t;
        used += (size_t)snprintf(train + used, sizeof train - used, "%d\tx\n", i);
        if (i + 1 < EVAL_MAX_CLASSES) continue;
        t = read_task(EVAL_CLASSIFICATION, train, "0\ta\n", "", &error);
        assert_true((t != NULL) == (i + 1 == EVAL_MAX_CLASSES));
        eval_task_close(&t);
    }
    assert_string_equal(error.message,
                        "train.tsv: 4097 labels (at most 4096 are possible): a line is label, tab, text");
}

static const char corpus[] = "{\"_id\":\"d1\",\"title\":\"T\",\"text\":\"one\"}\n"
                             "{\"_id\":\"d2\",\"title\":\"\",\"text\":\"two\"}\n"
                             "{\"_id\":\"d3\",\"text\":\"two\",\"more\":[1]}\n";
static const char queries[] = "{\"_id\":\"q1\",\"text\":\"what\"}\n"
                              "{\"_id\":\"q2\",\"text\":\"two\"}\n"
                              "{\"_id\":\"q3\",\"text\":\"no\"}";

static void reads_retrieval(void **state) {
    minnow_error error;
    eval_task *t = read_task(EVAL_RETRIEVAL, corpus, queries,
                             "query-id\tcorpus-id\tscore\n"
                             "q2\td3\t2\nq1\td1\t1\nq2\tgone\t1\nq3\td1\t0\nq2\td3\t2\n",
                             &error);
    (void)state;
    assert_non_null(t);
    assert_int_equal(t->n_documents, 3);
    assert_int_equal(t->n_texts, 3); /* "T one", "two" and "what": no query, no text of q3 */
    expect_text(t, t->documents[0], "T one");
    expect_text(t, t->documents[1], "two");
    assert_int_equal(t->documents[1], t->documents[2]);
    assert_int_equal(t->n_queries, 2);
    expect_text(t, t->queries[0].text, "what");
    assert_int_equal(t->queries[1].text, t->documents[1]);
    assert_int_equal(t->queries[1].n_judgements, 2);
    assert_int_equal(t->queries[1].judgements[0].document, 2);
    assert_int_equal(t->queries[1].judgements[1].document, EVAL_NO_STRING);
    assert_int_equal(t->n_missing, 1);
    eval_task_close(&t);
    t = read_task(EVAL_RETRIEVAL, corpus, queries, "q1\td1\t1", &error); /* no header */
    assert_non_null(t);
    assert_int_equal(t->n_queries, 1);
    eval_task_close(&t);
}

static void reads_sentences(void **state) {
    minnow_error error;
    eval_task *t = read_task(EVAL_SENTENCES, "de\tkind\tein Satz\nanother\nde\tein Satz\n", "", "", &error);
    (void)state;
    assert_non_null(t);
    assert_int_equal(t->n_texts, 2);
    expect_text(t, 0, "ein Satz");
    expect_text(t, 1, "another");
    eval_task_close(&t);
}

static void refuses_by_file_and_line(void **state) {
    static const struct {
        eval_kind kind;
        const char *files[3], *message;
    } cases[] = {
        {EVAL_STS, {"1\ta\tb\n2\ta\n", "", ""},
         "test.tsv: line 2: 2 columns, where 3 separated by tabs were expected (score, a, b)"},
        {EVAL_STS, {"1\ta\tb\tc\n", "", ""},
         "test.tsv: line 1: 4 columns, where 3 separated by tabs were expected (score, a, b)"},
        {EVAL_STS, {"\n\nx1\ta\tb\n", "", ""}, "test.tsv: line 3: the score 'x1' is not a number"},
        {EVAL_STS, {"nan\ta\tb\n", "", ""}, "test.tsv: line 1: the score 'nan' is not a number"},
        {EVAL_STS, {"1e999\ta\tb\n", "", ""}, "test.tsv: line 1: the score '1e999' is not a number"},
        {EVAL_STS, {"0x1\ta\tb\n", "", ""}, "test.tsv: line 1: the score '0x1' is not a number"},
        {EVAL_STS, {"\t\t\n", "", ""}, "test.tsv: line 1: the score '' is not a number"},
        {EVAL_STS, {" \n\r\n", "", ""}, "test.tsv: empty"},
        {EVAL_CLASSIFICATION, {"x\ta\n", "x\ta\n", ""}, "train.tsv: all lines have the same label"},
        {EVAL_CLASSIFICATION, {"x\ta\ny\tb\n", "", ""}, "test.tsv: empty"},
        {EVAL_CLASSIFICATION, {"", "x\ta\n", ""}, "train.tsv: empty"},
        {EVAL_CLASSIFICATION, {"x\ta\n\tb\n", "x\ta\n", ""}, "train.tsv: line 2: the label is empty"},
        {EVAL_CLASSIFICATION, {"x\n", "", ""},
         "train.tsv: line 1: 1 column, where 2 separated by tabs were expected (label, text)"},
        {EVAL_RETRIEVAL, {"{\"_id\":\"1\"}\n", queries, ""}, "corpus.jsonl: line 1: the object has no \"text\""},
        {EVAL_RETRIEVAL, {"\n{\"_id\":1,\"text\":\"\"}\n", queries, ""},
         "corpus.jsonl: line 2: \"_id\" is not a string"},
        {EVAL_RETRIEVAL, {"{\"_id\":\"1\",\"text\":\"\"}\n[]\n", queries, ""}, "corpus.jsonl: line 2: no JSON object"},
        {EVAL_RETRIEVAL, {"{}\n{\"_id\":\n", queries, ""}, "corpus.jsonl: line 1: the object has no \"_id\""},
        {EVAL_RETRIEVAL, {corpus, "{\"_id\":\"1\",\"text\":\"\"}\n{\"_id\":\"1\",\"text\":\"\"}\n", ""},
         "queries.jsonl: line 2: the _id '1' is there already"},
        {EVAL_RETRIEVAL, {"\n", queries, ""}, "corpus.jsonl: empty"},
        {EVAL_RETRIEVAL, {corpus, queries, "a\tb\tc\n"}, "qrels.tsv: empty"},
        {EVAL_RETRIEVAL, {corpus, queries, "q1\td1\t1\nq1\td2\tx\n"},
         "qrels.tsv: line 2: the score 'x' is not a number"},
        {EVAL_RETRIEVAL, {corpus, queries, "q9\td1\t1\n"}, "qrels.tsv: line 1: no query has the _id 'q9'"},
        {EVAL_RETRIEVAL, {corpus, queries, "q1 0 d1 1\n"},
         "qrels.tsv: line 1: 1 column, where 3 separated by tabs were expected (query-id, corpus-id, score)"},
        {EVAL_RETRIEVAL, {corpus, queries, "q1\td1\t1\nq1\td2\t1\nq1\td1\t2\n"},
         "qrels.tsv: line 3: line 1 gives this document another score"},
        {EVAL_RETRIEVAL, {corpus, queries, "q1\td1\t0\n"}, "qrels.tsv: no document is relevant to any query"},
        {EVAL_SENTENCES, {"a\nb\t\n", "", ""}, "sentences.tsv: line 2: the last column, the text, is empty"},
        {EVAL_SENTENCES, {"", "", ""}, "sentences.tsv: empty"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        minnow_error error;
        memset(&error, 0, sizeof error);
        assert_null(read_task(cases[i].kind, cases[i].files[0], cases[i].files[1], cases[i].files[2], &error));
        assert_int_equal(error.status, MINNOW_ERROR_FORMAT);
        if (strcmp(error.message, cases[i].message) != 0)
            fail_msg("%s\n expected: %s", error.message, cases[i].message);
    }
}

static void names_the_place_in_json(void **state) {
    minnow_error error;
    (void)state;
    assert_null(read_task(EVAL_RETRIEVAL, "{\"_id\":\"1\",\"text\":\"\"}\n{\"_id\":\"1\" \"text\"}\n", queries, "",
                          &error));
    if (strncmp(error.message, "corpus.jsonl: line 2 column ", 28) != 0) fail_msg("%s", error.message);
}

static void expect_kind(const char *name, const char *content, eval_kind kind) {
    char *path = path_join(FOLDER "/set", name);
    eval_task *t = NULL;
    minnow_error error;
    if (path == NULL) fail_msg("out of memory");
    assert_int_equal(file_write_all(path, content, strlen(content), &error), MINNOW_OK);
    if (eval_task_open(&t, FOLDER "/set//", &error) != MINNOW_OK) fail_msg("%s", error.message);
    assert_int_equal(t->kind, kind);
    assert_string_equal(t->name, "set");
    assert_true(eval_task_is_here(FOLDER "/set"));
    eval_task_close(&t);
    free(path);
}

static void tells_kinds_apart(void **state) {
    static const char *const files[] = {"train.tsv", "test.tsv", "sentences.tsv", "corpus.jsonl", "queries.jsonl",
                                        "qrels.tsv"};
    eval_task *t = NULL;
    minnow_error error;
    (void)state;
    assert_int_equal(file_make_directory(FOLDER "/set", &error), MINNOW_OK);
    assert_int_equal(eval_task_open(&t, FOLDER "/set", &error), MINNOW_ERROR_FORMAT);
    assert_string_equal(error.message,
                        FOLDER "/set: no task: neither test.tsv (sts; with train.tsv: classification), nor "
                                       "corpus.jsonl (retrieval), nor sentences.tsv is there");
    assert_false(eval_task_is_here(FOLDER "/set"));
    assert_int_equal(eval_task_open(&t, FOLDER "/none", &error), MINNOW_ERROR_IO);
    expect_kind("sentences.tsv", "a\n", EVAL_SENTENCES);
    expect_kind("test.tsv", "1\ta\tb\n", EVAL_STS);
    expect_kind("train.tsv", "2\ta\tb\n", EVAL_STS); /* a part that is not read */
    file_write_all(FOLDER "/set/test.tsv", "x\ta\n", 4, &error);
    expect_kind("train.tsv", "x\ta\ny\tb\n", EVAL_CLASSIFICATION);
    file_write_all(FOLDER "/set/queries.jsonl", queries, strlen(queries), &error);
    file_write_all(FOLDER "/set/qrels.tsv", "q1\td1\t1\n", 8, &error);
    expect_kind("corpus.jsonl", corpus, EVAL_RETRIEVAL);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char *path = path_join(FOLDER "/set", files[i]);
        if (path != NULL) remove(path);
        free(path);
    }
    remove(FOLDER "/set");
    remove(FOLDER);
}

/* --- Scores -------------------------------------------------------------------------------------------------- */

static void correlates(void **state) {
    /* Ranks 1 2.5 2.5 4 and 1 3 2 4 about their mean 2.5: products 4.5, squares 4.5 and 5. */
    const double a[] = {1, 2, 2, 3}, b[] = {-1, 30, 2, 400}, same[] = {7, 7, 7, 7}, falling[] = {4, 3, 3, 2};
    const double x[] = {1, 2, 3}, y[] = {1, 2, 4};
    double rho = 0;
    (void)state;
    assert_int_equal(eval_spearman(a, b, 4, &rho, NULL), MINNOW_OK);
    expect_near(rho, 4.5 / sqrt(4.5 * 5));
    assert_int_equal(eval_spearman(a, falling, 4, &rho, NULL), MINNOW_OK);
    expect_near(rho, -1);
    assert_int_equal(eval_spearman(a, same, 4, &rho, NULL), MINNOW_OK);
    assert_true(isnan(rho));
    /* Deviations -1 0 1 and -4/3 -1/3 5/3: products 3, squares 2 and 42/9. */
    expect_near(eval_pearson(x, y, 3), 3 / sqrt(2 * 42.0 / 9));
}

static void scores_sts(void **state) {
    minnow_error error;
    eval_scores scores;
    eval_task *t = read_task(EVAL_STS, "1\ta\tb\n3\tc\tb\n2\td\tb\n2\td\tb\n", "", "", &error);
    /* a b c d: cosines with b are 0, 1, sqrt(1/2) */
    const float vectors[] = {2, 0, 0, 3, 0, 1, 1, 1};
    (void)state;
    assert_non_null(t);
    assert_int_equal(eval_score(&scores, t, vectors, 2, NULL, &error), MINNOW_OK);
    assert_int_equal(scores.count, 2);
    assert_string_equal(scores.metrics[0], "spearman");
    expect_near(scores.values[0], 100);
    assert_int_equal(scores.n_scored, 4);
    eval_task_close(&t);
}

static void ranks(void **state) {
    const eval_judgement judgements[] = {{0, 2}, {3, 1}, {EVAL_NO_STRING, 1}};
    const eval_query query = {0, judgements, 3}, last = {0, judgements, 1};
    const uint32_t best[] = {3, 1, 0}, late[] = {9, 8, 7, 6, 5, 4, 14, 2, 1, 13, 0};
    const double third = log(2) / log(3);
    double m[3];
    (void)state;
    eval_rank_metrics(&query, best, 3, m);
    expect_near(m[0], (1 + 2 * 0.5) / (2 + third + 0.5)); /* 1 at rank 1, 2 at rank 3; ideal: 2, 1, 1 */
    expect_near(m[1], 2.0 / 3);
    expect_near(m[2], 1);
    eval_rank_metrics(&query, best + 1, 2, m);
    expect_near(m[0], 2 * third / (2 + third + 0.5));
    expect_near(m[2], 0.5);
    eval_rank_metrics(&last, late, 11, m); /* beyond the tenth only recall counts */
    expect_near(m[0], 0);
    expect_near(m[1], 1);
    expect_near(m[2], 0);
    eval_rank_metrics(&last, late + 1, 10, m);
    expect_near(m[0], log(2) / log(11));
    expect_near(m[2], 0.1);
}

static void cuts_the_ideal(void **state) {
    eval_judgement judgements[15];
    uint32_t ranked[15];
    const eval_query query = {0, judgements, 15};
    double m[3];
    (void)state;
    for (uint32_t i = 0; i < 15; i++) {
        judgements[i] = (eval_judgement){i, 1};
        ranked[i] = 14 - i;
    }
    eval_rank_metrics(&query, ranked, 15, m);
    expect_near(m[0], 1);
    expect_near(m[1], 1);
}

static void searches(void **state) {
    /* d2 and d3 are the same text: of two equal ones the first in the corpus comes first. */
    minnow_error error;
    eval_scores scores;
    thread_pool *pool = NULL;
    eval_task *t = read_task(EVAL_RETRIEVAL, corpus, queries, "q1\td3\t1\nq2\td2\t1\n", &error);
    const float vectors[] = {1, 0, 0, 5, 1, 2}; /* "T one", "two", "what" */
    uint32_t ranked[EVAL_RANKED];
    (void)state;
    assert_non_null(t);
    assert_int_equal(eval_search(t, vectors, 2, t->queries[0].text, ranked), 3);
    assert_int_equal(ranked[0], 1);
    assert_int_equal(ranked[1], 2);
    assert_int_equal(ranked[2], 0);
    assert_int_equal(thread_pool_create(&pool, 3, &error), MINNOW_OK);
    assert_int_equal(eval_score(&scores, t, vectors, 2, pool, &error), MINNOW_OK);
    expect_near(scores.values[0], 50 * (log(2) / log(3) + 1)); /* ranks 2 and 1 */
    expect_near(scores.values[1], 100);
    expect_near(scores.values[2], 75);
    thread_pool_close(&pool);
    eval_task_close(&t);
}

static void keeps_the_best_hundred(void **state) {
    /* 300 documents at angles that rise and fall: a slow sort of all cosines must give the same order. */
    enum { N = 300 };
    char *files = calloc(1, N * 64), *p = files;
    float *vectors = calloc(2 * (N + 1), sizeof *vectors);
    uint32_t ranked[EVAL_RANKED];
    eval_task *t;
    minnow_error error;
    (void)state;
    if (files == NULL || vectors == NULL) fail_msg("out of memory");
    for (int i = 0; i < N; i++) {
        p += sprintf(p, "{\"_id\":\"%d\",\"text\":\"d%d\"}\n", i, i);
        vectors[2 * i] = 1;
        vectors[2 * i + 1] = (float)(i * 7919 % 101); /* with ties */
    }
    vectors[2 * N] = 1;
    t = read_task(EVAL_RETRIEVAL, files, "{\"_id\":\"q\",\"text\":\"query\"}", "q\t1\t1", &error);
    assert_non_null(t);
    assert_int_equal(eval_search(t, vectors, 2, N, ranked), EVAL_RANKED);
    for (uint32_t d = 0; d < N; d++) {
        size_t before = 0;
        for (uint32_t o = 0; o < N; o++) {
            const float mine = vectors[2 * d + 1], other = vectors[2 * o + 1];
            before += other < mine || (other == mine && o < d);
        }
        if (before < EVAL_RANKED) assert_int_equal(ranked[before], d);
    }
    eval_task_close(&t);
    free(files);
    free(vectors);
}

static void measures_cosines(void **state) {
    const float a[] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, b[] = {-2, -4, -6, -8, -10, -12, -14, -16, -18}, zero[9] = {0};
    (void)state;
    expect_near(eval_dot(a, a, 9), 285);
    assert_true(eval_cosine(a, a, 9) == 1);
    expect_near(eval_cosine(a, b, 9), -1);
    assert_true(eval_cosine(a, zero, 9) == 0);
}

/* --- Logistic regression ------------------------------------------------------------------------------------- */

static void solves_one_dimension(void **state) {
    /* x = -1 and 1: by symmetry the weights are -w and w, the intercepts 0, and 2 log(1 + exp(-2 w)) + w^2 is least
     * where w (1 + exp(2 w)) = 2. */
    const float vectors[] = {-1, 1};
    const eval_labelled items[] = {{0, 0}, {1, 1}};
    logistic *l = NULL;
    lbfgs_result result;
    size_t right = 0;
    double w;
    (void)state;
    assert_int_equal(logistic_fit(&l, vectors, 1, items, 2, 2, NULL, &result, NULL), MINNOW_OK);
    assert_true(result.converged);
    w = logistic_weight(l, 0, 1);
    assert_true(fabs(w * (1 + exp(2 * w)) - 2) < 1e-4);
    assert_true(fabs(w - 0.52126) < 1e-4);
    assert_true(fabs(logistic_weight(l, 0, 0) + w) < 1e-6);
    assert_true(fabs(logistic_weight(l, 1, 1)) < 1e-6);
    assert_int_equal(logistic_count_right(l, vectors, items, 2, &right, NULL), MINNOW_OK);
    assert_int_equal(right, 2);
    logistic_close(&l);
    assert_null(l);
}

static void intercept_is_free(void **state) {
    /* Vectors that say nothing: the intercepts give the classes' shares, 1/4 and 3/4. */
    const float vectors[] = {0};
    const eval_labelled items[] = {{0, 0}, {0, 1}, {0, 1}, {0, 1}};
    logistic *l = NULL;
    (void)state;
    assert_int_equal(logistic_fit(&l, vectors, 1, items, 4, 2, NULL, NULL, NULL), MINNOW_OK);
    assert_true(fabs(logistic_weight(l, 1, 1) - logistic_weight(l, 1, 0) - log(3)) < 1e-4);
    logistic_close(&l);
}

enum { CLASSES = 11, POINTS = 330, DIMENSIONS = 13 };

/* Clouds about CLASSES corners, farther apart than they are wide. */
static void make_clouds(float *vectors, eval_labelled *items) {
    uint32_t random = 1;
    for (uint32_t i = 0; i < POINTS; i++) {
        items[i] = (eval_labelled){i, i % CLASSES};
        for (uint32_t d = 0; d < DIMENSIONS; d++) {
            random = random * 1664525 + 1013904223;
            vectors[i * DIMENSIONS + d] = (float)(random >> 8) / (float)(1 << 24) + (d == i % CLASSES ? 4.0f : 0.0f);
        }
    }
}

static void separates_on_any_threads(void **state) {
    static float vectors[POINTS * DIMENSIONS];
    static eval_labelled items[POINTS];
    logistic *one = NULL, *three = NULL;
    thread_pool *pool = NULL;
    lbfgs_result result;
    size_t right = 0;
    (void)state;
    make_clouds(vectors, items);
    assert_int_equal(thread_pool_create(&pool, 3, NULL), MINNOW_OK);
    assert_int_equal(logistic_fit(&one, vectors, DIMENSIONS, items, POINTS, CLASSES, NULL, &result, NULL), MINNOW_OK);
    assert_int_equal(logistic_fit(&three, vectors, DIMENSIONS, items, POINTS, CLASSES, pool, NULL, NULL), MINNOW_OK);
    assert_true(result.converged);
    assert_true(result.largest_gradient < 1e-5);
    assert_int_equal(logistic_count_right(one, vectors, items, POINTS, &right, NULL), MINNOW_OK);
    assert_int_equal(right, POINTS);
    for (size_t d = 0; d <= DIMENSIONS; d++)
        for (size_t c = 0; c < CLASSES; c++) {
            const double a = logistic_weight(one, d, c), b = logistic_weight(three, d, c);
            assert_memory_equal(&a, &b, sizeof a);
        }
    logistic_close(&one);
    logistic_close(&three);
    thread_pool_close(&pool);
}

/* (x - 1)^4 + 10 (x + y)^2, whose minimum is at (1, -1). */
static double valley(void *context, const double *x, double *gradient) {
    const double a = x[0] - 1, b = x[0] + x[1];
    ++*(size_t *)context;
    gradient[0] = 4 * a * a * a + 20 * b;
    gradient[1] = 20 * b;
    return a * a * a * a + 10 * b * b;
}

static void finds_a_minimum(void **state) {
    double x[] = {-3, 7};
    lbfgs_result result;
    size_t calls = 0;
    (void)state;
    assert_int_equal(lbfgs_minimize(valley, &calls, x, 2, 1e-9, 200, &result, NULL), MINNOW_OK);
    assert_true(result.converged);
    assert_int_equal(calls, result.n_evaluations);
    assert_true(fabs(x[0] - 1) < 1e-2 && fabs(x[1] + 1) < 1e-2);
    x[0] = 50;
    assert_int_equal(lbfgs_minimize(valley, &calls, x, 2, 1e-9, 1, &result, NULL), MINNOW_OK);
    assert_false(result.converged);
    assert_int_equal(result.n_iterations, 1);
}

static void classifies(void **state) {
    minnow_error error;
    eval_scores scores;
    eval_task *t = read_task(EVAL_CLASSIFICATION, "x\ta\ny\tb\n", "x\ta\ny\ta\nz\tb\ny\tc\n", "", &error);
    const float vectors[] = {1, 0, 0, 1, 0.1f, 0.9f}; /* a b c */
    (void)state;
    assert_non_null(t);
    assert_int_equal(eval_score(&scores, t, vectors, 2, NULL, &error), MINNOW_OK);
    assert_string_equal(scores.metrics[0], "accuracy");
    expect_near(scores.values[0], 50); /* a is x: right, wrong; z is in no training line; c is y: right */
    assert_int_equal(scores.n_scored, 4);
    eval_task_close(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_sts),
        cmocka_unit_test(reads_classification),
        cmocka_unit_test(refuses_a_label_a_line),
        cmocka_unit_test(reads_retrieval),
        cmocka_unit_test(reads_sentences),
        cmocka_unit_test(refuses_by_file_and_line),
        cmocka_unit_test(names_the_place_in_json),
        cmocka_unit_test(tells_kinds_apart),
        cmocka_unit_test(correlates),
        cmocka_unit_test(scores_sts),
        cmocka_unit_test(ranks),
        cmocka_unit_test(cuts_the_ideal),
        cmocka_unit_test(searches),
        cmocka_unit_test(keeps_the_best_hundred),
        cmocka_unit_test(measures_cosines),
        cmocka_unit_test(solves_one_dimension),
        cmocka_unit_test(intercept_is_free),
        cmocka_unit_test(separates_on_any_threads),
        cmocka_unit_test(finds_a_minimum),
        cmocka_unit_test(classifies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
