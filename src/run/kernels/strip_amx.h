/* SPDX-License-Identifier: Apache-2.0
 * The strip of kernels_amx.c: what strip_dots of linear_impl.h does, in AMX's tiles. Included there, after it. */
#define TILE_HEIGHT ((size_t)16)
#define TILE_INPUTS ((size_t)64)

/* Palette 1: eight tiles, all whole. A constant: GCC's intrinsic does not say that it reads all of it. */
static const struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} whole_tiles = {
    .palette = 1, .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64}, .rows = {16, 16, 16, 16, 16, 16, 16, 16}};

#define products_begin() tile_configure(&whole_tiles)
#define products_end() tile_release()

/* 16 rows, or 32 if `lower`; one panel, or two if `right`. k: a multiple of TILE_INPUTS */
static void tile_products(operands o, int lower, int right, int32_t *out) {
    const size_t out_stride = TILE_COLUMNS * sizeof *out;
    size_t j;
    tile_zero(0);
    tile_zero(1);
    tile_zero(2);
    tile_zero(3);
    for (j = 0; j < o.k; j += TILE_INPUTS) {
        tile_load(4, o.x + j, o.stride);
        tile_load(6, o.panels + j * INT8_PANEL, TILE_INPUTS);
        tile_dot(0, 4, 6);
        if (right) {
            tile_load(7, o.panels + o.panel_bytes + j * INT8_PANEL, TILE_INPUTS);
            tile_dot(1, 4, 7);
        }
        if (lower) {
            tile_load(5, o.x + TILE_HEIGHT * o.stride + j, o.stride);
            tile_dot(2, 5, 6);
            if (right) tile_dot(3, 5, 7);
        }
    }
    tile_store(0, out, out_stride);
    if (right) tile_store(1, out + INT8_PANEL, out_stride);
    if (lower) tile_store(2, out + TILE_HEIGHT * TILE_COLUMNS, out_stride);
    if (lower && right) tile_store(3, out + TILE_HEIGHT * TILE_COLUMNS + INT8_PANEL, out_stride);
}

static void strip_dots_of(operands o, size_t rows, size_t panels, int32_t *sums) {
    const size_t whole = o.k % TILE_INPUTS == 0 ? rows / TILE_HEIGHT * TILE_HEIGHT : 0;
    if (whole > 0) tile_products(o, whole > TILE_HEIGHT, panels > 1, sums);
    o.x += whole * o.stride;
    if (whole < rows) strip_dots(o, rows - whole, panels, sums + whole * TILE_COLUMNS);
}
