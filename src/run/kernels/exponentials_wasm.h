/* SPDX-License-Identifier: Apache-2.0
 * The WASM files' largest score and exponentials of many keys. Included by attention_impl.h. In: scores. Out: codes.
 *
 * EXP_KEYS keys at a time, twice over, with few operations in a chain each time (finish_wasm.h says why):
 *
 *   scores -> f, the power of 2 | codes and their sum */
#define EXP_AT_ONCE ((size_t)16) /* a period of the dither */
#define EXP_KEYS ((size_t)64)

/* Of score[0 .. i); returns i. */
ALWAYS_INLINE size_t largest_of_many(const int32_t *score, size_t n, vi *maximum) {
    vi a = *maximum, b = a, c = a, d = a;
    size_t i;
    for (i = 0; i + EXP_AT_ONCE <= n; i += EXP_AT_ONCE, score += EXP_AT_ONCE) {
        FIXED(score);
        a = vi_max(a, vi_load(score));
        b = vi_max(b, vi_load(score + VF_LANES));
        c = vi_max(c, vi_load(score + 2 * VF_LANES));
        d = vi_max(d, vi_load(score + 3 * VF_LANES));
    }
    *maximum = vi_max(vi_max(a, b), vi_max(c, d));
    return i;
}

/* The codes p[0 .. i), which *sum has in lanes; returns i. */
ALWAYS_INLINE size_t exponentials_of_many(const int32_t *score, vi maximum, const float *dither, size_t n, vf scale,
                                          uint8_t *p, vi *sum) {
    BUFFER _Alignas(16) float between[2 * EXP_KEYS]; /* of each 16 keys: f, power */
    const vi above = vi_set1((int32_t)EXP_CODE_ABOVE);
    const size_t many = n / EXP_AT_ONCE * EXP_AT_ONCE;
    size_t first, i, v;
    for (first = 0; first < many; first += EXP_KEYS) {
        const size_t keys = many - first < EXP_KEYS ? many - first : EXP_KEYS;
        float *x = between;
        for (i = 0; i < keys; i += EXP_AT_ONCE) {
            FIXED(x);
            FIXED(score);
            UNROLL for (v = 0; v < EXP_AT_ONCE; v += VF_LANES) {
                const exp_parts e = exp_split(vf_from_int(vi_sub(vi_load(score + v), maximum)) * scale);
                vf_store(x + v, e.f);
                vf_store(x + EXP_AT_ONCE + v, e.power);
            }
            x += 2 * EXP_AT_ONCE;
            score += EXP_AT_ONCE;
        }
        x = between;
        for (i = 0; i < keys; i += EXP_AT_ONCE) {
            vi code[EXP_AT_ONCE / VF_LANES];
            FIXED(x);
            FIXED(p);
            UNROLL for (v = 0; v < EXP_AT_ONCE / VF_LANES; v++) {
                const exp_parts e = {vf_load(x + v * VF_LANES), vf_load(x + EXP_AT_ONCE + v * VF_LANES)};
                code[v] = vi_sub(exp_round(exp_join(e), vf_load(dither + v * VF_LANES)), above);
            }
            vi_store_codes_16((int8_t *)p, code[0], code[1], code[2], code[3]);
            *sum = vi_add(*sum, vi_add(vi_add(code[0], code[1]), vi_add(code[2], code[3])));
            x += 2 * EXP_AT_ONCE;
            p += EXP_AT_ONCE;
        }
    }
    return many;
}
