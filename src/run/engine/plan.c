/* SPDX-License-Identifier: Apache-2.0 */
#include "run/engine/plan.h"

#include "base/bytes.h"
#include "run/kernels/kernels.h"

enum {
    HIDDEN = ENGINE_BIT(ENGINE_HIDDEN),
    CODES = ENGINE_BIT(ENGINE_CODES),
    QKV = ENGINE_BIT(ENGINE_QKV),
    QKV_ODD = ENGINE_BIT(ENGINE_QKV_ODD),
    ATTENTION = ENGINE_BIT(ENGINE_ATTENTION),
    INNER = ENGINE_BIT(ENGINE_INNER)
};

const engine_step_info engine_steps[ENGINE_STEPS] = {
    [ENGINE_STEP_EMBED] = {"embed + norm + quantize", 0, HIDDEN | CODES},
    [ENGINE_STEP_FIRST_QKV] = {"query, key, value", CODES, QKV},
    [ENGINE_STEP_ATTENTION] = {"attention", QKV, CODES | ATTENTION},
    [ENGINE_STEP_OUTPUT] = {"output + residual + norm + quantize", CODES | HIDDEN, HIDDEN | CODES},
    [ENGINE_STEP_UP] = {"up + GELU + quantize", CODES, INNER},
    [ENGINE_STEP_DOWN] = {"down + residual + norm + quantize", INNER | HIDDEN, HIDDEN | CODES},
    [ENGINE_STEP_NEXT_QKV] = {"next query, key, value", CODES, QKV_ODD}};

size_t engine_step_times(engine_step step, size_t n_layers) {
    if (step == ENGINE_STEP_EMBED) return 1;
    if (step == ENGINE_STEP_FIRST_QKV) return n_layers > 0;
    return step == ENGINE_STEP_NEXT_QKV && n_layers > 0 ? n_layers - 1 : n_layers;
}

static engine_plan_buffer buffer(const char *name, size_t rows, size_t columns, size_t element_bytes, int is_own) {
    return (engine_plan_buffer){
        .name = name, .rows = rows, .columns = columns, .element_bytes = element_bytes, .is_own = is_own};
}

/* Rows of the largest share of a thread, up to a block. */
static size_t rows_of_block(size_t rows, size_t n_threads) {
    const size_t units = rows / ENGINE_SHARE_ROWS + (rows % ENGINE_SHARE_ROWS != 0);
    const size_t share = units / n_threads + (units % n_threads != 0);
    if (share >= ENGINE_BLOCK_ROWS / ENGINE_SHARE_ROWS) return ENGINE_BLOCK_ROWS;
    return (share > 0 ? share : 1) * ENGINE_SHARE_ROWS;
}

static int shape_buffers(engine_plan *p, const int8_model *m, size_t rows, size_t longest) {
    const size_t attention = kernels_attention_scratch_bytes(longest, m->hidden / m->n_heads);
    engine_plan_buffer *b = p->buffers;
    size_t i;
    if (attention == 0 && longest > 0) return 0;
    b[ENGINE_HIDDEN] = buffer("hidden", rows, m->hidden, sizeof(float), 0);
    b[ENGINE_CODES] = buffer("codes", rows, m->hidden, 1, 0);
    b[ENGINE_QKV] = buffer("qkv", rows, 3 * m->hidden, 1, 0);
    b[ENGINE_QKV_ODD] = buffer("qkv_odd", p->n_threads > 1 ? rows : 0, 3 * m->hidden, 1, 0);
    b[ENGINE_ATTENTION] = buffer("attention", 1, attention, 1, 1);
    b[ENGINE_INNER] = buffer("inner", p->block_rows, m->intermediate, 1, 1);
    for (i = 0; i < ENGINE_BUFFERS; i++)
        if (!size_mul(b[i].rows, b[i].columns, &b[i].bytes) || !size_mul(b[i].bytes, b[i].element_bytes, &b[i].bytes))
            return 0;
    return 1;
}

/* From the first step that touches a buffer to the last; if threads share it, to the last of the loop, for they and the
 * blocks are not in one step. The layers' loop closes in step 2: what is read there was written before, so lives. */
static void find_life(engine_plan_buffer *b, engine_buffer which) {
    size_t step;
    int is_found = 0;
    for (step = 0; step < ENGINE_STEPS; step++)
        if ((engine_steps[step].reads | engine_steps[step].writes) & ENGINE_BIT(which)) {
            if (!is_found) b->first = step;
            b->last = step;
            is_found = 1;
        }
    if (!b->is_own) b->last = ENGINE_STEPS - 1;
}

/* Arranges a thread's own buffers, or those of all. `threads`, if not 0: bytes that live throughout beside them. */
static int arrange(engine_plan *p, int is_own, size_t threads, size_t *threads_at, size_t *bytes) {
    arrange_buffer places[ENGINE_BUFFERS + 1];
    engine_plan_buffer *of[ENGINE_BUFFERS + 1];
    size_t n = 0, i;
    for (i = ENGINE_CODES; i < ENGINE_BUFFERS; i++)
        if (p->buffers[i].is_own == is_own) {
            of[n] = &p->buffers[i];
            places[n] = (arrange_buffer){of[n]->bytes, of[n]->first, of[n]->last, 0};
            n++;
        }
    places[n] = (arrange_buffer){threads, 0, ENGINE_STEPS - 1, 0};
    if (!arrange_buffers(places, n + 1, bytes)) return 0;
    for (i = 0; i < n; i++) of[i]->offset = places[i].offset;
    *threads_at = places[n].offset;
    return 1;
}

int engine_plan_make(engine_plan *p, const int8_model *m, size_t rows, size_t longest, size_t n_threads) {
    engine_plan_buffer *b = p->buffers;
    size_t threads, at, i;
    p->n_threads = n_threads;
    p->block_rows = rows_of_block(rows, n_threads);
    if (!shape_buffers(p, m, rows, longest)) return 0;
    for (i = 0; i < ENGINE_BUFFERS; i++) find_life(&b[i], (engine_buffer)i);
    b[ENGINE_QKV_ODD].first = b[ENGINE_QKV].first; /* an odd layer's is the last of the layer before */
    if (!arrange(p, 1, 0, &at, &p->own_bytes) || !size_mul(n_threads, p->own_bytes, &threads) ||
        !arrange(p, 0, threads, &at, &p->bytes))
        return 0;
    for (i = 0; i < ENGINE_BUFFERS; i++)
        if (b[i].is_own) b[i].offset += at;
    if (n_threads == 1) b[ENGINE_QKV_ODD].offset = b[ENGINE_QKV].offset;
    return 1;
}
