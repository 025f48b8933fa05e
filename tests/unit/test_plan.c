/* SPDX-License-Identifier: Apache-2.0
 * src/run/engine/arrange.h and plan.h: no two buffers that are alive together overlap, by brute force; the arena is
 * near what it cannot be less than; the engine's plan holds what its steps touch, and never grows for less work. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "run/engine/plan.h"
#include "run/kernels/kernels.h"

#define MAX_BUFFERS 24
#define N_STEPS 10

static size_t up(size_t bytes) { return (bytes + MEMORY_ALIGNMENT - 1) / MEMORY_ALIGNMENT * MEMORY_ALIGNMENT; }

static uint32_t next_random(uint32_t *state) { /* xorshift32 */
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* --- Arranging ---------------------------------------------------------------------------------------------------- */
/* Whether two buffers of different places share a byte in a step; alignment and the arena's end too. */
static void check_places(const arrange_buffer *b, size_t n, size_t bytes) {
    size_t i, j, step;
    assert_int_equal(bytes % MEMORY_ALIGNMENT, 0);
    for (i = 0; i < n; i++) {
        if (b[i].bytes == 0) continue;
        assert_int_equal(b[i].offset % MEMORY_ALIGNMENT, 0);
        assert_true(b[i].offset + b[i].bytes <= bytes);
        for (j = 0; j < i; j++)
            for (step = 0; step < N_STEPS; step++)
                if (b[j].bytes > 0 && step >= b[i].first && step <= b[i].last && step >= b[j].first &&
                    step <= b[j].last && b[i].offset < b[j].offset + b[j].bytes &&
                    b[j].offset < b[i].offset + b[i].bytes)
                    fail_msg("buffers %zu and %zu overlap in step %zu", j, i, step);
    }
}

/* The largest sum of what is alive in one step. */
static size_t least_bytes(const arrange_buffer *b, size_t n) {
    size_t least = 0, step, i;
    for (step = 0; step < N_STEPS; step++) {
        size_t sum = 0;
        for (i = 0; i < n; i++)
            if (step >= b[i].first && step <= b[i].last) sum += up(b[i].bytes);
        if (sum > least) least = sum;
    }
    return least;
}

static void test_random(void **state) {
    uint32_t random = 7;
    double excess = 0.0, worst = 0.0;
    size_t round, i;
    (void)state;
    for (round = 0; round < 5000; round++) {
        arrange_buffer b[MAX_BUFFERS] = {{0}}, again[MAX_BUFFERS];
        const size_t n = next_random(&random) % (MAX_BUFFERS + 1);
        size_t bytes, bytes_again, least;
        for (i = 0; i < n; i++) {
            const size_t one = next_random(&random) % N_STEPS, other = next_random(&random) % N_STEPS;
            b[i].bytes = next_random(&random) % (next_random(&random) % 4 == 0 ? 1u : 5000u);
            b[i].first = one < other ? one : other;
            b[i].last = one < other ? other : one;
            b[i].offset = next_random(&random); /* what is there before means nothing */
        }
        memcpy(again, b, sizeof b);
        for (i = 0; i < n; i++) again[i].offset = 0;
        assert_true(arrange_buffers(b, n, &bytes));
        assert_true(arrange_buffers(again, n, &bytes_again));
        assert_true(bytes == bytes_again);
        for (i = 0; i < n; i++) assert_true(b[i].offset == again[i].offset);
        check_places(b, n, bytes);
        least = least_bytes(b, n);
        assert_true(bytes >= least);
        if (least > 0) {
            const double x = (double)(bytes - least) / (double)least;
            excess += x / 5000.0;
            if (x > worst) worst = x;
        }
    }
    print_message("above the largest sum alive: %.2f %% on average, %.1f %% at most\n", excess * 100.0, worst * 100.0);
    assert_true(excess < 0.05 && worst < 0.6);
}

static void test_shared_places(void **state) {
    arrange_buffer b[3] = {{64000, 0, 1, 9}, {96000, 3, 4, 9}, {32000, 0, 1, 9}};
    size_t bytes = 1;
    (void)state;
    assert_true(arrange_buffers(b, 3, &bytes));
    assert_true(bytes == 96000 && b[0].offset == 0 && b[1].offset == 0 && b[2].offset == 64000);
    assert_true(arrange_buffers(b, 0, &bytes) && bytes == 0);
    b[0] = (arrange_buffer){1, 0, 0, 0};
    b[1] = (arrange_buffer){1, 0, 0, 0};
    assert_true(arrange_buffers(b, 2, &bytes) && bytes == 128 && b[0].offset == 0 && b[1].offset == 64);
}

static void test_too_much(void **state) {
    const size_t most = SIZE_MAX - (MEMORY_ALIGNMENT - 1);
    arrange_buffer b[2] = {{most, 0, 1, 0}, {1, 1, 1, 0}};
    size_t bytes;
    (void)state;
    assert_true(arrange_buffers(b, 1, &bytes) && bytes == most);
    assert_false(arrange_buffers(b, 2, &bytes));
    b[1].first = b[1].last = 2;
    assert_true(arrange_buffers(b, 2, &bytes) && bytes == most);
    b[0].bytes = SIZE_MAX;
    assert_false(arrange_buffers(b, 1, &bytes));
    b[0].bytes = b[1].bytes = SIZE_MAX / 2 + 1;
    b[1].first = 0;
    assert_false(arrange_buffers(b, 2, &bytes));
}

/* --- The engine's plan -------------------------------------------------------------------------------------------- */
/* all-MiniLM-L6-v2's shape, and one whose sizes are no multiples of anything. */
static const int8_model models[2] = {{.n_layers = 6, .hidden = 384, .n_heads = 12, .intermediate = 1536},
                                     {.n_layers = 1, .hidden = 36, .n_heads = 9, .intermediate = 52}};

/* No byte is in two buffers that live in one step, of any thread; a thread's own may share among themselves. */
static void check_plan(const engine_plan *p) {
    size_t i, j, thread;
    for (i = ENGINE_CODES; i < ENGINE_BUFFERS; i++) {
        const engine_plan_buffer *a = &p->buffers[i];
        const size_t last = a->is_own ? p->n_threads - 1 : 0;
        assert_int_equal(a->offset % MEMORY_ALIGNMENT, 0);
        assert_true(a->offset + last * p->own_bytes + a->bytes <= p->bytes);
        for (j = ENGINE_CODES; j < i; j++) {
            const engine_plan_buffer *b = &p->buffers[j];
            const int alive_together = a->first <= b->last && b->first <= a->last;
            for (thread = 0; thread <= last; thread++) {
                const size_t at = a->offset + thread * p->own_bytes;
                if (a->bytes > 0 && b->bytes > 0 && alive_together && at < b->offset + b->bytes &&
                    b->offset < at + a->bytes)
                    fail_msg("%s of thread %zu and %s overlap", a->name, thread, b->name);
            }
        }
        if (a->is_own) assert_true(a->bytes <= p->own_bytes);
    }
}

static void test_engine_plan(void **state) {
    static const size_t rows[] = {1, 7, 8, 9, 96, 97, 256, 1000}, threads[] = {1, 2, 3, 16, 256};
    size_t m, r, t;
    (void)state;
    for (m = 0; m < 2; m++)
        for (r = 0; r < sizeof rows / sizeof rows[0]; r++)
            for (t = 0; t < sizeof threads / sizeof threads[0]; t++) {
                const size_t head_dim = models[m].hidden / models[m].n_heads;
                engine_plan p;
                const engine_plan_buffer *b = p.buffers;
                assert_true(engine_plan_make(&p, &models[m], rows[r], rows[r], threads[t]));
                check_plan(&p);
                assert_true(b[ENGINE_HIDDEN].bytes == rows[r] * models[m].hidden * sizeof(float));
                assert_true(b[ENGINE_CODES].bytes == rows[r] * models[m].hidden);
                assert_true(b[ENGINE_QKV].bytes == rows[r] * 3 * models[m].hidden);
                assert_true(b[ENGINE_QKV_ODD].bytes == (threads[t] > 1 ? b[ENGINE_QKV].bytes : 0));
                assert_true((b[ENGINE_QKV_ODD].offset == b[ENGINE_QKV].offset) == (threads[t] == 1));
                assert_true(b[ENGINE_ATTENTION].bytes == kernels_attention_scratch_bytes(rows[r], head_dim));
                assert_true(b[ENGINE_INNER].bytes == p.block_rows * models[m].intermediate);
                assert_true(b[ENGINE_ATTENTION].offset == b[ENGINE_INNER].offset); /* never alive together */
                assert_true(p.block_rows > 0 && p.block_rows <= ENGINE_BLOCK_ROWS);
            }
}

/* What a step touches is alive in it. */
static void test_lives(void **state) {
    engine_plan p;
    size_t i, step;
    (void)state;
    assert_true(engine_plan_make(&p, &models[0], 100, 50, 2));
    for (step = 0; step < ENGINE_STEPS; step++)
        for (i = 0; i < ENGINE_BUFFERS; i++)
            if ((engine_steps[step].reads | engine_steps[step].writes) & ENGINE_BIT(i))
                assert_true(p.buffers[i].first <= step && step <= p.buffers[i].last);
    for (i = 0; i <= 6; i++) {
        assert_int_equal(engine_step_times(ENGINE_STEP_EMBED, i), 1);
        assert_int_equal(engine_step_times(ENGINE_STEP_ATTENTION, i), i);
        assert_int_equal(engine_step_times(ENGINE_STEP_FIRST_QKV, i) + engine_step_times(ENGINE_STEP_NEXT_QKV, i), i);
    }
}

/* The engine plans for the texts at hand in memory that was made for more. */
static void test_less_work(void **state) {
    static const size_t threads[] = {1, 2, 3, 5, 16};
    size_t t, rows, longest;
    (void)state;
    for (t = 0; t < sizeof threads / sizeof threads[0]; t++) {
        size_t before[301] = {0};
        for (rows = 1; rows <= 300; rows += t == 1 ? 1 : 7) {
            size_t shorter = 0;
            for (longest = 1; longest <= rows; longest++) {
                engine_plan p;
                assert_true(engine_plan_make(&p, &models[1], rows, longest, threads[t]));
                assert_true(p.bytes >= shorter && p.bytes >= before[longest]);
                before[longest] = shorter = p.bytes;
            }
        }
    }
}

static void test_plan_too_much(void **state) {
    engine_plan p;
    (void)state;
    assert_false(engine_plan_make(&p, &models[0], SIZE_MAX / 8, 80, 1));
    assert_false(engine_plan_make(&p, &models[0], SIZE_MAX, 80, 1));
    assert_false(engine_plan_make(&p, &models[0], 100, SIZE_MAX / 8, 1));
    assert_false(engine_plan_make(&p, &models[0], 100, 80, SIZE_MAX / 64));
    assert_false(engine_plan_make(&p, &models[0], SIZE_MAX / 1536, 80, 2)); /* each buffer fits, not all */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random), cmocka_unit_test(test_shared_places), cmocka_unit_test(test_too_much),
        cmocka_unit_test(test_engine_plan), cmocka_unit_test(test_lives), cmocka_unit_test(test_less_work),
        cmocka_unit_test(test_plan_too_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
