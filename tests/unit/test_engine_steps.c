/* SPDX-License-Identifier: Apache-2.0
 * Steps of src/run/engine where a model's sizes are unusual. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "random_model.h"
#include "run/engine/engine.h"
#include "run/kernels/tiers.h"

/* Heads of 12: keys and values begin inside a panel, whose columns are clamped differently. */
static void test_keys_inside_a_panel(void **state) {
    random_shape shape = small_shape;
    const kernels *k = kernels_best();
    random_model r;
    int8_t codes[20 * 24], qkv[20 * 72], expected[20 * 72];
    float y[20 * 72];
    size_t i;
    (void)state;
    shape.hidden = 24;
    shape.n_heads = 2;
    assert_true(random_model_init(&r, &shape, 9));
    for (i = 0; i < sizeof codes; i++) codes[i] = (int8_t)(random_bits(&r) >> 24);
    kernels_scalar.linear(codes, 20, &r.model.layers[0].query_key_value, y);
    for (i = 0; i < 60; i++)
        kernels_scalar.quantize(y + i * 24, NULL, NULL, i % 3 == 1 ? -64.0f : -128.0f, i % 3 == 1 ? 63.0f : 127.0f, 24,
                                expected + i * 24);
    engine_query_key_value(&r.model, k, &r.model.layers[0], codes, 20, qkv);
    assert_memory_equal(qkv, expected, sizeof qkv);
    random_model_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_keys_inside_a_panel)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
