/* SPDX-License-Identifier: Apache-2.0
 * Matrix products in AMX's tiles: linear_block_of of linear_impl.h, for kernels_amx.c. Included there, after
 * linear_block.
 *
 * A tile is 16 rows of 64 bytes. A panel [k / 4][16][4] is a column of tiles as it lies in memory: 64 inputs of 16
 * outputs each, so nothing is repacked. A step of 64 inputs, 32 rows, 2 panels; k / 64 of them make a block of sums:
 *
 *                     B 6: panel p    B 7: panel p + 1
 *   A 4: rows  0-15   C 0             C 1
 *   A 5: rows 16-31   C 2             C 3
 *
 * Panels are loaded with w + 64, so C begins as -64 times the sum of x's row: a product too, by a tile of -64s.
 *
 * What follows a product takes the vector units longer than the tiles take. So while a block is multiplied, the block
 * before it is finished, some rows a step, a quarter of that after each product: in the order of the program, for the
 * processor looks only so far ahead. */
#define BLOCK_HEIGHT (2 * TILE_HEIGHT)
#define FINISH_ROWS ((size_t)4)    /* at once */
#define PREFETCH_LINES ((size_t)8) /* of the next panels, a step */

typedef struct tile_sums {
    int32_t minus[LINEAR_ROWS][16];                             /* -64 * sum_k x[row][k], in every lane */
    int32_t of[2][(TILE_HEIGHT + BLOCK_HEIGHT) * TILE_COLUMNS]; /* C, of two blocks in turns */
} tile_sums;

/* A block's sums; rows = 0: there is none. */
typedef struct block {
    const int32_t *sums; /* [rows][TILE_COLUMNS] */
    size_t row, rows, first; /* first: of its columns */
} block;

/* x's and the sums' have `height` rows. */
static void configure_linear(size_t height) {
    tile_shapes shapes = whole_tiles;
    size_t t;
    for (t = 0; t < 6; t++) shapes.rows[t] = (uint8_t)height;
    load_shapes(&shapes);
}

/* Rows are taken by tiles of `height`; the last tile reaches back over rows that were done before. */
static void sum_rows(const int8_t *x, size_t rows, size_t height, size_t k, int32_t (*minus)[16]) {
    int8_t factors[TILE_HEIGHT * TILE_INPUTS];
    size_t r, j;
    memset(factors, -INT8_WEIGHT_BIAS, sizeof factors);
    written_before_tiles();
    tile_load(6, factors, TILE_INPUTS);
    for (r = 0; r < rows; r += 2 * height) {
        const size_t top = r < rows - height ? r : rows - height;
        const size_t bottom = r + height < rows - height ? r + height : rows - height;
        tile_zero(0);
        tile_zero(2);
        for (j = 0; j < k; j += TILE_INPUTS) {
            tile_load(4, x + top * k + j, k);
            tile_load(5, x + bottom * k + j, k);
            tile_dot(0, 4, 6);
            tile_dot(2, 5, 6);
        }
        tile_store(0, minus[top], sizeof minus[0]);
        tile_store(2, minus[bottom], sizeof minus[0]);
    }
}

/* Of n rows, 4 or 1, 32 floats each: rounded and cut to 8 bits, which maps NaN to -128. */
ALWAYS_INLINE void store_block_codes(const vf *value, size_t n, int8_t *codes, size_t stride) {
    const vi halves = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    size_t i;
    UNROLL for (i = 0; i < n; i += 2) {
        const size_t second = i + 1 < n ? i + 1 : i;
        const vi a = _mm512_packs_epi32(nearest_of(value[2 * i]), nearest_of(value[2 * i + 1]));
        const vi b = _mm512_packs_epi32(nearest_of(value[2 * second]), nearest_of(value[2 * second + 1]));
        const vi both = _mm512_permutexvar_epi32(halves, _mm512_packs_epi16(a, b));
        _mm256_storeu_si256((__m256i *)(void *)(codes + i * stride), _mm512_castsi512_si256(both));
        if (second > i)
            _mm256_storeu_si256((__m256i *)(void *)(codes + second * stride), _mm512_extracti64x4_epi64(both, 1));
    }
}

/* n rows, 4 or 1: quantized if they were given to GELU, rounded or added; to where `at` is in the output. */
ALWAYS_INLINE void store_block_rows(vf *value, size_t n, size_t at, size_t first, const linear_out *out, finish how) {
    const vf high = vf_set1(how == FINISH_CODES ? out->high : 127.0f);
    size_t i;
    if (how == FINISH_CODES || how == FINISH_GELU_CODES) {
        UNROLL for (i = 0; i < 2 * n; i++) {
            const size_t column = first + i % 2 * VF_LANES;
            if (how == FINISH_CODES) value[i] = vf_max(value[i], vf_set1(out->low));
            else value[i] = value[i] * vf_load(out->q->multiplier + column) + vf_load(out->q->offset + column);
            value[i] = vf_min(high, value[i]); /* a NaN stays */
        }
        store_block_codes(value, n, out->codes + at, out->stride);
        return;
    }
    UNROLL for (i = 0; i < 2 * n; i++) {
        float *y = out->y + at + i / 2 * out->stride + i % 2 * VF_LANES;
        if (how == FINISH_ADD) value[i] = value[i] + vf_load(y);
        vf_store(y, value[i]);
    }
}

/* n rows, 4 or 1, of a whole block, from r on, in the quarters that GELU has. */
ALWAYS_INLINE void finish_quarter(gelu_parts *g, size_t quarter, const block *b, size_t r, size_t n,
                                  const int8_matrix *w, const linear_out *out, finish how) {
    const size_t at = (b->row + r) * out->stride + b->first;
    size_t i;
    if (quarter == 0) {
        UNROLL for (i = 0; i < 2 * n; i++) {
            const size_t column = b->first + i % 2 * VF_LANES;
            g[i].x = vf_from_int(vi_load(b->sums + (r + i / 2) * TILE_COLUMNS + i % 2 * VF_LANES)) *
                     vf_load(w->scale + column) + vf_load(w->bias + column);
        }
    }
    if (how == FINISH_GELU_CODES) {
        UNROLL for (i = 0; i < 2 * n; i++) gelu_quarter(&g[i], quarter, gelu_factors);
    }
    if (quarter == 3) {
        vf value[2 * FINISH_ROWS];
        UNROLL for (i = 0; i < 2 * n; i++) value[i] = g[i].x;
        store_block_rows(value, n, at, b->first, out, how);
    } else if (how == FINISH_GELU_CODES && n == FINISH_ROWS) { /* the compiler keeps the order */
        UNROLL for (i = 0; i < 2 * n; i++) __asm__ volatile("" : "+v"(g[i].x), "+v"(g[i].u), "+v"(g[i].p));
    }
}

ALWAYS_INLINE void finish_block_rows(const block *b, size_t r, size_t n, const int8_matrix *w, const linear_out *out,
                                     finish how) {
    gelu_parts g[2 * FINISH_ROWS];
    size_t quarter;
    UNROLL for (quarter = 0; quarter < 4; quarter++) finish_quarter(g, quarter, b, r, n, w, out, how);
}

/* The next rows of a whole block, from *r on. */
ALWAYS_INLINE void finish_more(const block *b, size_t *r, const int8_matrix *w, const linear_out *out, finish how) {
    const size_t n = b->rows - *r >= FINISH_ROWS ? FINISH_ROWS : 1;
    if (n == FINISH_ROWS) finish_block_rows(b, *r, FINISH_ROWS, w, out, how);
    else finish_block_rows(b, *r, 1, w, out, how);
    *r += n;
}

/* What the products of a block read. */
typedef struct block_operands {
    const int8_t *top, *bottom; /* rows of tiles 4 and 5, `stride` apart; no tile 5 if not `lower` */
    size_t stride;
    const uint8_t *left, *right; /* panels of tiles 6 and 7; right is NULL if there is one */
    int lower;
} block_operands;

/* 64 inputs more, from j on. */
ALWAYS_INLINE void multiply_step(const block_operands *o, size_t j) {
    tile_load(4, o->top + j, o->stride);
    tile_load(6, o->left + j * INT8_PANEL, TILE_INPUTS);
    tile_dot(0, 4, 6);
    if (o->right != NULL) {
        tile_load(7, o->right + j * INT8_PANEL, TILE_INPUTS);
        tile_dot(1, 4, 7);
    }
    if (o->lower) {
        tile_load(5, o->bottom + j, o->stride);
        tile_dot(2, 5, 6);
        if (o->right != NULL) tile_dot(3, 5, 7);
    }
}

/* The same with all four tiles; between them rows r to r + FINISH_ROWS - 1 of the block before are finished. */
ALWAYS_INLINE void multiply_step_and_finish(const block_operands *o, size_t j, const block *before, size_t r,
                                            const int8_matrix *w, const linear_out *out, finish how) {
    gelu_parts g[2 * FINISH_ROWS];
    tile_load(4, o->top + j, o->stride);
    tile_load(6, o->left + j * INT8_PANEL, TILE_INPUTS);
    tile_dot(0, 4, 6);
    finish_quarter(g, 0, before, r, FINISH_ROWS, w, out, how);
    tile_load(7, o->right + j * INT8_PANEL, TILE_INPUTS);
    tile_dot(1, 4, 7);
    finish_quarter(g, 1, before, r, FINISH_ROWS, w, out, how);
    tile_load(5, o->bottom + j, o->stride);
    tile_dot(2, 5, 6);
    finish_quarter(g, 2, before, r, FINISH_ROWS, w, out, how);
    tile_dot(3, 5, 7);
    finish_quarter(g, 3, before, r, FINISH_ROWS, w, out, how);
}

/* C of block b, and of the block before all that is left to be done. */
ALWAYS_INLINE void multiply_block(const int8_t *x, size_t height, const block *b, tile_sums *s, int32_t *sums,
                                  const block *before, const int8_matrix *w, const linear_out *out, finish how) {
    const size_t k = w->k, out_bytes = TILE_COLUMNS * sizeof *sums, panel_bytes = INT8_PANEL * k;
    const int lower = b->rows > height, right = w->n - b->first > INT8_PANEL;
    const size_t bottom = b->row + b->rows - height, top = lower || b->rows == height ? b->row : bottom;
    const uint8_t *panel = w->panels + b->first * k;
    const uint8_t *next = panel + 2 * panel_bytes + (b->row / BLOCK_HEIGHT) * PREFETCH_LINES * (k / TILE_INPUTS) * 64;
    const block_operands o = {.top = x + top * k, .bottom = x + bottom * k, .stride = k, .left = panel,
                              .right = right ? panel + panel_bytes : NULL, .lower = lower};
    size_t j, i, finished = 0, due = 0;
    tile_load(0, s->minus[top], sizeof s->minus[0]);
    if (right) tile_load(1, s->minus[top], sizeof s->minus[0]);
    if (lower) tile_load(2, s->minus[bottom], sizeof s->minus[0]);
    if (lower && right) tile_load(3, s->minus[bottom], sizeof s->minus[0]);
    for (j = 0; j < k; j += TILE_INPUTS) {
        due += BLOCK_HEIGHT / FINISH_ROWS * TILE_INPUTS;
        if (due >= k && before->rows - finished >= FINISH_ROWS && lower && right) {
            multiply_step_and_finish(&o, j, before, finished, w, out, how);
            finished += FINISH_ROWS;
            due -= k;
        } else {
            multiply_step(&o, j);
        }
        for (i = 0; i < PREFETCH_LINES; i++, next += 64) __builtin_prefetch(next, 0, 2);
        for (; due >= k && finished < before->rows; due -= k) finish_more(before, &finished, w, out, how);
    }
    while (finished < before->rows) finish_more(before, &finished, w, out, how);
    sums -= (b->row - top) * TILE_COLUMNS;
    tile_store(0, sums, out_bytes);
    if (right) tile_store(1, sums + INT8_PANEL, out_bytes);
    sums += (bottom - top) * TILE_COLUMNS;
    if (lower) tile_store(2, sums, out_bytes);
    if (lower && right) tile_store(3, sums + INT8_PANEL, out_bytes);
}

ALWAYS_INLINE void multiply_blocks(const int8_t *x, size_t rows, size_t height, const int8_matrix *w,
                                   const linear_out *out, tile_sums *s, finish how) {
    static const int32_t nothing[LINEAR_ROWS];
    block before = {.rows = 0}, b;
    size_t finished = 0, turn = 0;
    for (b.first = 0; b.first < w->n; b.first += TILE_COLUMNS) {
        const size_t columns = w->n - b.first < TILE_COLUMNS ? w->n - b.first : TILE_COLUMNS;
        for (b.row = 0; b.row < rows; b.row += BLOCK_HEIGHT, turn ^= 1) {
            int32_t *sums = s->of[turn] + TILE_HEIGHT * TILE_COLUMNS; /* a tile may begin before its block */
            b.rows = rows - b.row < BLOCK_HEIGHT ? rows - b.row : BLOCK_HEIGHT;
            b.sums = sums;
            multiply_block(x, height, &b, s, sums, &before, w, out, how);
            before = b;
            if (columns < TILE_COLUMNS) {
                linear_finish(sums, nothing, b.row, b.rows, b.first, columns, w, out);
                before.rows = 0;
            }
        }
    }
    while (finished < before.rows) finish_more(&before, &finished, w, out, how);
}

static void linear_block_of(const int8_t *x, size_t rows, const int8_matrix *w, const linear_out *out) {
    const size_t height = rows < TILE_HEIGHT ? rows : TILE_HEIGHT;
    BUFFER tile_sums s;
    if (w->k % TILE_INPUTS != 0) {
        linear_block(x, rows, w, out);
        return;
    }
    configure_linear(height);
    sum_rows(x, rows, height, w->k, s.minus);
    switch (out->how) {
    case FINISH_FLOATS: multiply_blocks(x, rows, height, w, out, &s, FINISH_FLOATS); break;
    case FINISH_ADD: multiply_blocks(x, rows, height, w, out, &s, FINISH_ADD); break;
    case FINISH_CODES: multiply_blocks(x, rows, height, w, out, &s, FINISH_CODES); break;
    case FINISH_GELU_CODES: multiply_blocks(x, rows, height, w, out, &s, FINISH_GELU_CODES); break;
    }
    tile_release();
}
