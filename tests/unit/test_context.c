/* SPDX-License-Identifier: Apache-2.0
 * Contexts of a .minnow model: whose memory they are in and how much of it, that encoding allocates nothing, keeps to
 * itself and leaves the caller's floating-point modes as they were. The library's own calls of malloc and its kin are
 * counted: the Makefile links this program with --wrap. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <fenv.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fpenv.h"
#include "base/thread.h"
#include "small_minnow.h"

#define N_TEXTS 40
#define GUARD 4096

static atomic_size_t n_allocations;
void *__real_malloc(size_t bytes);
void *__real_calloc(size_t n, size_t bytes);
void *__real_realloc(void *p, size_t bytes);
void *__real_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t n, size_t bytes);
void *__wrap_realloc(void *p, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_malloc(size_t bytes) {
    atomic_fetch_add(&n_allocations, 1);
    return __real_malloc(bytes);
}
void *__wrap_calloc(size_t n, size_t bytes) {
    atomic_fetch_add(&n_allocations, 1);
    return __real_calloc(n, bytes);
}
void *__wrap_realloc(void *p, size_t bytes) {
    atomic_fetch_add(&n_allocations, 1);
    return __real_realloc(p, bytes);
}
void *__wrap_aligned_alloc(size_t alignment, size_t bytes) {
    atomic_fetch_add(&n_allocations, 1);
    return __real_aligned_alloc(alignment, bytes);
}

static uint8_t *file_bytes;
static minnow_model *model;
static minnow_error error;
static minnow_text texts[N_TEXTS];
static float expected[N_TEXTS][HIDDEN], vectors[N_TEXTS][HIDDEN];

static minnow_context *new_context(const minnow_context_options *options) {
    minnow_context *c = NULL;
    if (minnow_context_create(&c, model, options, &error) != MINNOW_OK) fail_msg("%s", error.message);
    return c;
}

static minnow_status encode_all(minnow_context *c) {
    return minnow_encode_batch(c, texts, N_TEXTS, vectors[0], N_TEXTS * HIDDEN, NULL, NULL, NULL, &error);
}

static void check(minnow_context *c) {
    memset(vectors, 0, sizeof vectors);
    assert_int_equal(encode_all(c), MINNOW_OK);
    assert_memory_equal(vectors, expected, sizeof vectors);
}

static int set_up(void **state) {
    static const char *const kinds[] = {"", "a", "hello a b c d", "Hello, \xc3\xa9hello! x", "ab ba ab ba ab ba ab ba"};
    const minnow_context_options one = {.size = sizeof one, .n_threads = 1};
    size_t i;
    minnow_context *c;
    (void)state;
    if (small_minnow_open(&model, &file_bytes, &error) != 0) return -1;
    for (i = 0; i < N_TEXTS; i++) texts[i] = (minnow_text){kinds[i * 7 % 5], MINNOW_STRLEN};
    c = new_context(&one);
    for (i = 0; i < N_TEXTS; i++)
        if (minnow_encode(c, texts[i].data, MINNOW_STRLEN, expected[i], HIDDEN, NULL, &error) != MINNOW_OK) return -1;
    minnow_context_close(&c);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    return small_minnow_close(&model, &file_bytes);
}

/* --- Memory ------------------------------------------------------------------------------------------------------- */

static void encoding_allocates_nothing(void **state) {
    float tokens[MAX_TOKENS * HIDDEN];
    size_t n_threads, before, i;
    (void)state;
    for (n_threads = 1; n_threads <= 3; n_threads++) {
        const minnow_context_options options = {.size = sizeof options, .n_threads = n_threads};
        minnow_context *c;
        before = n_allocations;
        c = new_context(&options);
        assert_int_equal(n_allocations - before, 1);
        check(c);
        for (i = 0; i < 5; i++) {
            assert_int_equal(minnow_encode(c, texts[i].data, MINNOW_STRLEN, vectors[0], HIDDEN, NULL, &error),
                             MINNOW_OK);
            assert_int_equal(minnow_encode_tokens(c, texts[i].data, MINNOW_STRLEN, tokens, MAX_TOKENS * HIDDEN, NULL,
                                                  &error), MINNOW_OK);
        }
        assert_int_equal(n_allocations - before, 1);
        minnow_context_close(&c);
    }
}

/* Exactly as much as was asked for, and not a byte beside it. */
static void a_context_fits_its_memory(void **state) {
    minnow_context_options options = {.size = sizeof options};
    size_t bytes, before, i;
    (void)state;
    for (options.n_threads = 1; options.n_threads <= 4; options.n_threads++)
        for (options.batch_tokens = MAX_TOKENS; options.batch_tokens < 200; options.batch_tokens *= 3) {
            uint8_t *memory;
            minnow_context *c;
            assert_int_equal(minnow_context_bytes(model, &options, &bytes, &error), MINNOW_OK);
            memory = memory_aligned_alloc(bytes + 2 * GUARD);
            assert_non_null(memory);
            memset(memory, 0xa5, bytes + 2 * GUARD);
            options.memory = memory + GUARD;
            options.memory_bytes = bytes;
            before = n_allocations;
            c = new_context(&options);
            check(c);
            assert_int_equal(minnow_encode(c, "hello", 5, vectors[0], HIDDEN, NULL, &error), MINNOW_OK);
            minnow_context_close(&c);
            assert_int_equal(n_allocations, before);
            for (i = 0; i < GUARD; i++)
                if (memory[i] != 0xa5 || memory[GUARD + bytes + i] != 0xa5) fail_msg("byte %zu beside it", i);
            c = (minnow_context *)8;
            options.memory_bytes = bytes - 1;
            assert_int_equal(minnow_context_create(&c, model, &options, &error), MINNOW_ERROR_CAPACITY);
            assert_null(c);
            options.memory = memory + GUARD + 32;
            options.memory_bytes = bytes;
            assert_int_equal(minnow_context_create(&c, model, &options, &error), MINNOW_ERROR_ARGUMENT);
            options.memory = NULL;
            memory_aligned_free(memory);
        }
}

typedef struct counting {
    size_t n_allocated, n_released, bytes, shift;
    uint8_t *memory;
} counting;

static void *count_allocate(void *user, size_t bytes, size_t alignment) {
    counting *n = user;
    n->n_allocated++;
    n->bytes = bytes;
    if (alignment != 64) n->bytes = 0;
    n->memory = n->shift == SIZE_MAX ? NULL : memory_aligned_alloc(bytes + 64);
    return n->memory != NULL ? n->memory + n->shift : NULL;
}

static void count_release(void *user, void *memory, size_t bytes) {
    counting *n = user;
    if (memory == n->memory + n->shift && bytes == n->bytes) n->n_released++;
    memory_aligned_free(n->memory);
}

static void an_allocator_is_asked_once(void **state) {
    counting n = {0};
    minnow_allocator allocator = {count_allocate, count_release, &n};
    minnow_context_options options = {.size = sizeof options, .n_threads = 2, .allocator = &allocator};
    minnow_context *c = new_context(&options);
    size_t bytes;
    (void)state;
    memset(&allocator, 0, sizeof allocator); /* it was copied */
    check(c);
    minnow_context_close(&c);
    assert_int_equal(minnow_context_bytes(model, &options, &bytes, &error), MINNOW_OK);
    assert_int_equal(n.bytes, bytes);
    assert_int_equal(n.n_allocated, 1);
    assert_int_equal(n.n_released, 1);
    assert_int_equal(minnow_context_create(&c, model, &options, &error), MINNOW_ERROR_ARGUMENT);
    allocator = (minnow_allocator){count_allocate, count_release, &n};
    n = (counting){.shift = 16}; /* what is not aligned is given back */
    assert_int_equal(minnow_context_create(&c, model, &options, &error), MINNOW_ERROR_ARGUMENT);
    assert_int_equal(n.n_allocated, 1);
    assert_int_equal(n.n_released, 1);
    n = (counting){.shift = SIZE_MAX};
    assert_int_equal(minnow_context_create(&c, model, &options, &error), MINNOW_ERROR_MEMORY);
    assert_int_equal(n.n_released, 0);
    assert_null(c);
}

static void sizes_are_checked(void **state) {
    minnow_context_options options = {.size = sizeof options, .batch_tokens = MAX_TOKENS - 1};
    minnow_context *c = NULL;
    size_t bytes = 7;
    (void)state;
    assert_int_equal(minnow_context_bytes(model, &options, &bytes, &error), MINNOW_ERROR_ARGUMENT);
    assert_string_equal(error.message, "batches of 11 tokens asked for, one text may have 12");
    options.batch_tokens = SIZE_MAX;
    assert_int_equal(minnow_context_bytes(model, &options, &bytes, &error), MINNOW_ERROR_MEMORY);
    options.batch_tokens = SIZE_MAX / 600; /* fits in a size, not in memory */
    assert_int_equal(minnow_context_create(&c, model, &options, &error), MINNOW_ERROR_MEMORY);
    options = (minnow_context_options){.size = sizeof options, .n_threads = 257};
    assert_int_equal(minnow_context_bytes(model, &options, &bytes, &error), MINNOW_ERROR_ARGUMENT);
    assert_int_equal(minnow_context_bytes(NULL, NULL, &bytes, &error), MINNOW_ERROR_ARGUMENT);
    assert_int_equal(minnow_context_bytes(model, NULL, NULL, &error), MINNOW_ERROR_ARGUMENT);
    assert_int_equal(bytes, 7);
    assert_int_equal(minnow_context_bytes(model, NULL, &bytes, NULL), MINNOW_OK);
    /* The struct of a caller who knows the first fields only. */
    options = (minnow_context_options){.size = offsetof(minnow_context_options, pooling), .n_threads = 1, .isa = "?"};
    assert_int_equal(minnow_context_create(&c, model, &options, &error), MINNOW_OK);
    minnow_context_close(&c);
}

static void a_graph_has_none_of_this(void **state) {
    const minnow_model_options of_model = {sizeof of_model, "tests/cli/data/vocab.txt", 0};
    minnow_context_options options = {.size = sizeof options, .isa = "scalar"};
    minnow_model *m = NULL;
    minnow_context *c = NULL;
    size_t bytes;
    (void)state;
    assert_int_equal(minnow_model_open_with(&m, "tests/golden/tiny-bert/gelu-f32", &of_model, &error), MINNOW_OK);
    assert_int_equal(minnow_context_create(&c, m, &options, &error), MINNOW_ERROR_UNSUPPORTED);
    options.isa = NULL;
    options.batch_tokens = 1;
    assert_int_equal(minnow_context_create(&c, m, &options, &error), MINNOW_ERROR_UNSUPPORTED);
    assert_int_equal(minnow_context_bytes(m, NULL, &bytes, &error), MINNOW_ERROR_UNSUPPORTED);
    assert_int_equal(minnow_context_create(&c, m, NULL, &error), MINNOW_OK);
    assert_null(minnow_context_isa(c));
    minnow_context_close(&c);
    minnow_model_close(&m);
}

/* --- One thread at a time ----------------------------------------------------------------------------------------- */

typedef struct rush {
    minnow_context *context;
    atomic_size_t n_ok, n_refused, n_else;
} rush;

static void rush_in(void *context, size_t part, size_t n_parts) {
    rush *r = context;
    float vector[HIDDEN];
    size_t i;
    (void)n_parts;
    for (i = 0; i < 200; i++) {
        const size_t t = (part + i) % N_TEXTS;
        minnow_error own;
        const minnow_status status = minnow_encode(r->context, texts[t].data, MINNOW_STRLEN, vector, HIDDEN, NULL,
                                                   &own);
        if (status == MINNOW_OK && memcmp(vector, expected[t], sizeof vector) == 0) r->n_ok++;
        else if (status == MINNOW_ERROR_ARGUMENT && strstr(own.message, "in use by another thread")) r->n_refused++;
        else r->n_else++;
    }
}

static void a_second_thread_is_refused(void **state) {
    const minnow_context_options options = {.size = sizeof options, .n_threads = 2};
    rush r = {.context = new_context(&options)};
    thread_pool *pool = NULL;
    (void)state;
    assert_int_equal(thread_pool_create(&pool, 4, &error), MINNOW_OK);
    thread_pool_run(pool, rush_in, &r);
    assert_int_equal(r.n_else, 0);
    assert_int_equal(r.n_ok + r.n_refused, 4 * 200);
    assert_true(r.n_ok > 0);
    thread_pool_close(&pool);
    minnow_context_close(&r.context);
}

/* --- Floating-point modes ----------------------------------------------------------------------------------------- */

/* Upward rounding; and denormals flushed and taken for zero where that is a mode. */
static void set_odd_modes(void) {
    assert_int_equal(fesetround(FE_UPWARD), 0);
#if defined(__x86_64__)
    fpenv_set((fpenv){fpenv_get().modes | 0x8040});
#elif defined(__aarch64__)
    fpenv_set((fpenv){fpenv_get().modes | (uint64_t)1 << 24});
#endif
}

static int look_at_modes(void *user, size_t n_done, size_t n_texts) {
    (void)n_done;
    (void)n_texts;
    *(int *)user += fegetround() == FE_UPWARD;
    return 0;
}

/* All the calls that encode, with the caller's modes, which `before` has; the comparisons are made in ordinary ones. */
static void encode_in_modes(minnow_context *c, fpenv ordinary, fpenv before) {
    float vector[HIDDEN], tokens[MAX_TOKENS * HIDDEN];
    fpenv after[5];
    minnow_status status[5];
    int n_upward = 0;
    const minnow_batch_options batch = {sizeof batch, look_at_modes, &n_upward};
    size_t i;
    memset(vectors, 0, sizeof vectors);
    fpenv_set(before);
    status[0] = minnow_encode(c, texts[1].data, MINNOW_STRLEN, vector, HIDDEN, NULL, &error);
    after[0] = fpenv_get();
    status[1] = minnow_encode_tokens(c, texts[1].data, MINNOW_STRLEN, tokens, MAX_TOKENS * HIDDEN, NULL, &error);
    after[1] = fpenv_get();
    status[2] = minnow_encode_batch(c, texts, N_TEXTS, vectors[0], N_TEXTS * HIDDEN, NULL, &batch, NULL, &error);
    after[2] = fpenv_get();
    status[3] = minnow_encode_tokens(c, texts[1].data, MINNOW_STRLEN, tokens, HIDDEN, NULL, &error);
    after[3] = fpenv_get();
    status[4] = minnow_encode_batch(c, &(minnow_text){NULL, 1}, 1, vector, HIDDEN, NULL, &batch, NULL, &error);
    after[4] = fpenv_get();
    fpenv_set(ordinary);
    for (i = 0; i < 5; i++) {
        assert_true(after[i].modes == before.modes);
        assert_int_equal(status[i], i < 3 ? MINNOW_OK : i == 3 ? MINNOW_ERROR_CAPACITY : MINNOW_ERROR_ARGUMENT);
    }
    assert_true(n_upward > 0);
    assert_memory_equal(vector, expected[1], sizeof vector);
    assert_memory_equal(vectors, expected, sizeof vectors);
}

static void modes_of_the_caller_do_not_matter(void **state) {
    minnow_context_options options = {.size = sizeof options};
    const fpenv ordinary = fpenv_get();
    volatile float one = 1.0f, tiny = 0x1p-60f, sum;
    fpenv odd;
    (void)state;
    set_odd_modes();
    odd = fpenv_get();
    sum = one + tiny;
    fpenv_set(ordinary);
    assert_true(sum > one + tiny); /* the modes are real */
    for (options.n_threads = 1; options.n_threads <= 3; options.n_threads++) {
        minnow_context *c;
        fpenv_set(odd); /* its threads begin with the modes that are set here */
        c = new_context(&options);
        fpenv_set(ordinary);
        encode_in_modes(c, ordinary, odd);
        minnow_context_close(&c);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encoding_allocates_nothing),
        cmocka_unit_test(a_context_fits_its_memory),
        cmocka_unit_test(an_allocator_is_asked_once),
        cmocka_unit_test(sizes_are_checked),
        cmocka_unit_test(a_graph_has_none_of_this),
        cmocka_unit_test(a_second_thread_is_refused),
        cmocka_unit_test(modes_of_the_caller_do_not_matter),
    };
    return cmocka_run_group_tests_name("context", tests, set_up, tear_down);
}
