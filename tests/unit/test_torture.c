/* SPDX-License-Identifier: Apache-2.0
 * The public API without memory: each request that a call makes of the operating system fails once, alone and with all
 * that follow. The call then says so, gives nothing back, leaks nothing, and succeeds when it is repeated. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "failing_memory.h"
#include "small_minnow.h"

#define FOLDER "tests/golden/tiny-bert/gelu-f32"
#define ONNX "tests/golden/onnx/bert_ts14.onnx"
#define TEXT "Hello a b c, hello!"
#define MAX_IDS 64
#define MAX_FLOATS 4096
#define EMULATED_STEP 7 /* under an emulator, every 7th request */

static const char vocab_file[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\nb\nc\n##a\nhello\n";

static char folder[] = "/tmp/minnow-test-XXXXXX", minnow_path[64], vocab_path[64];
static uint8_t *file; /* the .minnow file's bytes */
static size_t file_bytes;

static int set_up(void **state) {
    minnow_error error = {0};
    minnow_status status;
    (void)state;
    if (mkdtemp(folder) == NULL) return -1;
    snprintf(minnow_path, sizeof minnow_path, "%s/model.minnow", folder);
    snprintf(vocab_path, sizeof vocab_path, "%s/vocab.txt", folder);
    status = small_minnow_bytes(&file, &file_bytes, &error);
    if (status == MINNOW_OK) status = file_write_all(minnow_path, file, file_bytes, &error);
    if (status == MINNOW_OK) status = file_write_all(vocab_path, vocab_file, sizeof vocab_file - 1, &error);
    if (status != MINNOW_OK) fprintf(stderr, "%s\n", error.message);
    return status == MINNOW_OK ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    memory_aligned_free(file);
    remove(minnow_path);
    remove(vocab_path);
    remove(folder);
    return 0;
}

/* --- A call and what it needs ------------------------------------------------------------------------------------- */

typedef enum source { FROM_MINNOW, FROM_MEMORY, FROM_FOLDER, FROM_ONNX } source;
typedef enum action { OPEN, CREATE, ENCODE, ENCODE_TOKENS, ENCODE_BATCH, TOKENIZE } action;

typedef struct job {
    action action;
    source source;
    size_t n_threads;
    minnow_model *model; /* there before the call, but for OPEN */
    minnow_context *context; /* there before ENCODE, ENCODE_.. */
    float vector[MAX_FLOATS];
    int32_t ids[MAX_IDS];
    size_t n_ids;
} job;

static minnow_status open_model(job *j, minnow_error *error) {
    const minnow_model_options options = {.size = sizeof options, .tokenizer_path = vocab_path};
    switch (j->source) {
    case FROM_MINNOW: return minnow_model_open(&j->model, minnow_path, error);
    case FROM_MEMORY: return minnow_model_open_memory(&j->model, file, file_bytes, NULL, error);
    case FROM_FOLDER: return minnow_model_open_with(&j->model, FOLDER, &options, error);
    default: return minnow_model_open_with(&j->model, ONNX, &options, error);
    }
}

static minnow_status create_context(job *j, minnow_error *error) {
    const minnow_context_options options = {.size = sizeof options, .n_threads = j->n_threads, .max_tokens = 10};
    return minnow_context_create(&j->context, j->model, &options, error);
}

/* So many that each of three threads takes texts of its own. */
static const minnow_text batch[] = {{TEXT, MINNOW_STRLEN}, {"a", 1}, {"", 0}, {"b c b c", 7}, {"hello hello", 11},
                                    {"c", 1}, {"b", 1}};
#define N_TEXTS (sizeof batch / sizeof *batch)

static minnow_status call(job *j, minnow_error *error) {
    switch (j->action) {
    case OPEN: return open_model(j, error);
    case CREATE: return create_context(j, error);
    case ENCODE: return minnow_encode(j->context, TEXT, MINNOW_STRLEN, j->vector, MAX_FLOATS, NULL, error);
    case ENCODE_TOKENS:
        return minnow_encode_tokens(j->context, TEXT, MINNOW_STRLEN, j->vector, MAX_FLOATS, NULL, error);
    case ENCODE_BATCH:
        return minnow_encode_batch(j->context, batch, N_TEXTS, j->vector, MAX_FLOATS, NULL, NULL, NULL, error);
    default:
        return minnow_tokenize(j->model, TEXT, MINNOW_STRLEN, 0, j->ids, MAX_IDS, &j->n_ids, NULL, error);
    }
}

/* What is there before the call; `filler` is what a failing call must leave in its outputs. */
static void begin(job *j, int filler) {
    minnow_error error = {0};
    j->model = NULL;
    j->context = NULL;
    if ((j->action > OPEN && open_model(j, &error) != MINNOW_OK) ||
        (j->action >= ENCODE && j->action <= ENCODE_BATCH && create_context(j, &error) != MINNOW_OK))
        fail_msg("%s", error.message);
    if (j->action == OPEN) j->model = (minnow_model *)(void *)j; /* to be seen overwritten */
    if (j->action == CREATE) j->context = (minnow_context *)(void *)j;
    memset(j->vector, filler, sizeof j->vector);
    memset(j->ids, filler, sizeof j->ids);
    j->n_ids = 0;
}

static void end(job *j) {
    minnow_context_close(&j->context);
    minnow_model_close(&j->model);
}

/* --- The torture -------------------------------------------------------------------------------------------------- */

static void assert_says_so(const job *j, minnow_status status, const minnow_error *error, size_t n) {
    if (status != MINNOW_ERROR_MEMORY && !(status == MINNOW_ERROR_IO && strstr(error->message, "cannot map") != NULL))
        fail_msg("request %zu failed, status %d '%s'", n, (int)status, error->message);
    if (error->status != status || error->message[0] == '\0' || strchr(error->message, '\n') != NULL)
        fail_msg("request %zu failed, message '%s'", n, error->message);
    if (j->action == OPEN) assert_null(j->model);
    if (j->action == CREATE) assert_null(j->context);
}

/* Of a batch, vectors behind the failing text are undefined. */
static void assert_untouched(const job *j, int filler) {
    const uint8_t *vector = (const uint8_t *)j->vector, *ids = (const uint8_t *)j->ids;
    size_t i;
    for (i = 0; i < sizeof j->vector && j->action != ENCODE_BATCH; i++) assert_int_equal(vector[i], filler);
    for (i = 0; i < sizeof j->ids; i++) assert_int_equal(ids[i], filler);
}

/* An opened model and a created context encode as `expected` does. */
static void assert_works(job *j, const job *expected) {
    minnow_error error = {0};
    if ((j->context == NULL && create_context(j, &error) != MINNOW_OK) ||
        minnow_encode(j->context, TEXT, MINNOW_STRLEN, j->vector, MAX_FLOATS, NULL, &error) != MINNOW_OK)
        fail_msg("%s", error.message);
    assert_memory_equal(j->vector, expected->vector, sizeof j->vector);
}

/* Where a graph is opened and made ready (for a batch, once for each thread), constants that cannot be folded for want
 * of memory are left to the run. */
static int may_do_without(const job *j) {
    return (j->action <= CREATE || j->action == ENCODE_BATCH) && j->source >= FROM_FOLDER;
}

/* 0 if there was no such request. */
static int fail_request(job *j, const job *expected, size_t n, int all) {
    const int filler = 0x5a;
    minnow_error error = {0};
    minnow_status status;
    const size_t live = memory_live();
    int refused;
    begin(j, filler);
    memory_watch(n, all);
    status = call(j, &error);
    refused = memory_was_refused();
    memory_watch(NEVER, 0);
    if (refused && !(status == MINNOW_OK && may_do_without(j))) {
        assert_says_so(j, status, &error, n);
        assert_untouched(j, filler);
        status = call(j, &error);
    }
    if (status != MINNOW_OK) fail_msg("after request %zu had failed: %s", n, error.message);
    if (j->action <= CREATE) assert_works(j, expected);
    assert_memory_equal(j->vector, expected->vector, sizeof j->vector);
    assert_memory_equal(j->ids, expected->ids, sizeof j->ids);
    end(j);
    memory_unwatch();
    if (memory_live() != live) fail_msg("request %zu%s: leaks", n, all ? " and all after it" : "");
    return refused;
}

static void torture(action a, source s, size_t n_threads) {
    static job j, expected;
    const size_t step = getenv("MINNOW_TEST_EMULATED") != NULL ? EMULATED_STEP : 1;
    minnow_error error = {0};
    size_t n = 0;
    int all;
    j = (job){.action = a, .source = s, .n_threads = n_threads};
    begin(&j, 0x5a);
    if (call(&j, &error) != MINNOW_OK) fail_msg("%s", error.message);
    if (a <= CREATE) assert_works(&j, &j);
    expected = j;
    end(&j);
    for (all = 0; all <= 1; all++)
        for (n = 0; fail_request(&j, &expected, n, all); n += step) continue;
    if (getenv("MINNOW_TEST_VERBOSE") != NULL)
        print_message("action %d, source %d, %zu threads: %zu requests\n", (int)a, (int)s, n_threads, n);
}

static void open_minnow(void **state) { (void)state, torture(OPEN, FROM_MINNOW, 0); }
static void open_memory(void **state) { (void)state, torture(OPEN, FROM_MEMORY, 0); }
static void open_folder(void **state) { (void)state, torture(OPEN, FROM_FOLDER, 0); }
static void open_onnx(void **state) { (void)state, torture(OPEN, FROM_ONNX, 0); }

/* One thread, and three. */
static void of_each(action a) {
    for (int s = FROM_MINNOW; s <= FROM_ONNX; s++) {
        torture(a, (source)s, 1);
        torture(a, (source)s, 3);
    }
}
static void create(void **state) { (void)state, of_each(CREATE); }
static void encode(void **state) { (void)state, of_each(ENCODE); }
static void encode_tokens(void **state) { (void)state, of_each(ENCODE_TOKENS); }
static void encode_batch(void **state) { (void)state, of_each(ENCODE_BATCH); }
static void tokenize(void **state) {
    (void)state;
    torture(TOKENIZE, FROM_MINNOW, 0);
    torture(TOKENIZE, FROM_FOLDER, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open_minnow), cmocka_unit_test(open_memory), cmocka_unit_test(open_folder),
        cmocka_unit_test(open_onnx),   cmocka_unit_test(create),      cmocka_unit_test(encode),
        cmocka_unit_test(encode_tokens), cmocka_unit_test(encode_batch), cmocka_unit_test(tokenize),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
