/* SPDX-License-Identifier: Apache-2.0
 * The tile of kernels_neon_i8mm.c: what dot_tile of dot_impl.h does, in smmla. Included there, after it.
 *
 *   acc[p][c] = ( row 2p  . column 2c    row 2p  . column 2c+1 )   2 x 2 int32 in one vector
 *               ( row 2p+1. column 2c    row 2p+1. column 2c+1 )   */
#define ROW_PAIRS ((TILE_ROWS + 1) / 2)
#define COLUMN_PAIRS (INT8_PANEL / 2)

/* `bytes` (4 or 8) of a row, the rest 0 */
ALWAYS_INLINE int8x8_t row_bytes(const uint8_t *x, size_t bytes) {
    uint32_t quad;
    if (bytes == 8) return vreinterpret_s8_u8(vld1_u8(x));
    memcpy(&quad, x, sizeof quad);
    return vreinterpret_s8_u32(vset_lane_u32(quad, vdup_n_u32(0), 0));
}

/* `inputs` (4 or 8) more inputs, from j on. */
ALWAYS_INLINE void smmla_step(operands o, size_t j, size_t inputs, size_t rows,
                              int32x4_t acc[ROW_PAIRS][COLUMN_PAIRS]) {
    const size_t pairs = (rows + 1) / 2;
    int8x16_t a[ROW_PAIRS];
    size_t p, v;
    UNROLL for (p = 0; p < pairs; p++) { /* an odd last row stands for its missing neighbour too */
        const uint8_t *upper = o.x + 2 * p * o.stride + j, *lower = 2 * p + 1 < rows ? upper + o.stride : upper;
        a[p] = vcombine_s8(row_bytes(upper, inputs), row_bytes(lower, inputs));
    }
    UNROLL for (v = 0; v < PANEL_VECTORS; v++) {
        const uint8_t *quads = o.panels + j * INT8_PANEL + v * sizeof(vi);
        const vi first = vi_load(quads), second = inputs == 8 ? vi_load(quads + 4 * INT8_PANEL) : vi_set1(0);
        const int8x16_t left = vreinterpretq_s8_s32(vzip1q_s32(first, second));
        const int8x16_t right = vreinterpretq_s8_s32(vzip2q_s32(first, second));
        UNROLL for (p = 0; p < pairs; p++) {
            acc[p][2 * v] = vmmlaq_s32(acc[p][2 * v], a[p], left);
            acc[p][2 * v + 1] = vmmlaq_s32(acc[p][2 * v + 1], a[p], right);
        }
    }
}

/* One panel. */
ALWAYS_INLINE void smmla_tile(operands o, int32_t *out, size_t out_stride, size_t rows) {
    int32x4_t acc[ROW_PAIRS][COLUMN_PAIRS];
    const size_t pairs = (rows + 1) / 2;
    size_t j, p, v;
    UNROLL for (p = 0; p < pairs; p++) {
        UNROLL for (v = 0; v < COLUMN_PAIRS; v++) acc[p][v] = vi_set1(0);
    }
    for (j = 0; j + 8 <= o.k; j += 8) smmla_step(o, j, 8, rows, acc);
    if (j < o.k) smmla_step(o, j, 4, rows, acc);
    UNROLL for (p = 0; p < pairs; p++) {
        UNROLL for (v = 0; v < PANEL_VECTORS; v++) {
            const int64x2_t left = vreinterpretq_s64_s32(acc[p][2 * v]);
            const int64x2_t right = vreinterpretq_s64_s32(acc[p][2 * v + 1]);
            int32_t *to = out + 2 * p * out_stride + v * VF_LANES;
            vi_store(to, vreinterpretq_s32_s64(vzip1q_s64(left, right)));
            if (2 * p + 1 < rows) vi_store(to + out_stride, vreinterpretq_s32_s64(vzip2q_s64(left, right)));
        }
    }
}

ALWAYS_INLINE void dot_tile_of(operands o, int32_t *out, size_t out_stride, size_t rows, size_t panels, u7_side side) {
    if (rows > 3) smmla_tile(o, out, out_stride, rows);
    else dot_tile(o, out, out_stride, rows, panels, side);
}
