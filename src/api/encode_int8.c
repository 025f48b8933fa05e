/* SPDX-License-Identifier: Apache-2.0
 *
 * A .minnow file: texts -> token vectors -> vectors, by the INT8 engine. All memory is there before the first text:
 *
 *   state   [ int8_state | pool | lane of thread 0 | of thread 1 | ... ]      or, in the lanes' place, one for all
 *   lane    [ starts, places [rows + 1] | ids [rows + max_tokens] | tokenizer's scratch | pooled f64 [hidden]
 *           | hidden f32 [rows, hidden] | engine's scratch ]
 *
 * A text by itself, and a batch of fewer texts than keep all threads busy, runs in the one lane for all: threads share
 * its rows. Else each thread has a lane: it takes texts until its rows are full, encodes them end to end, alone, writes
 * the vectors where they belong, and takes more. The text that was too long for the rows left begins the next run. */
#include <string.h>

#include "api/batch.h"
#include "base/bytes.h"
#include "base/cpu.h"
#include "base/memory.h"
#include "base/thread.h"
#include "run/engine/engine.h"

/* Where the parts of a lane begin. */
typedef struct lane_parts {
    size_t starts, places, ids, words, pooled, hidden, scratch, end;
} lane_parts;

typedef struct int8_parts {
    size_t pool, lanes, end;
    lane_parts lane, wide; /* a thread's; all threads' */
} int8_parts;

typedef struct int8_state {
    const int8_model *model;
    const kernels *kernels;
    thread_pool *pool;
    size_t rows, max_tokens;
    int8_parts parts;
} int8_state;

/* Texts on their way through a lane: text i of the run is rows [starts[i], starts[i + 1]). */
typedef struct lane {
    const int8_state *state;
    thread_pool *pool;  /* whose threads share the rows; NULL: this one alone */
    size_t n_texts;
    size_t *starts;     /* [n_texts + 1] */
    size_t *places;     /* [n_texts]: in the batch */
    int32_t *ids;       /* [rows + max_tokens] */
    size_t n_carried;   /* tokens, behind those of the run, of a text that the rows left had no room for; 0: none */
    size_t carried;     /* its place */
    void *words;        /* the tokenizer's scratch */
    double *pooled;     /* [hidden] */
    float *hidden;      /* [rows, hidden] */
    void *scratch;
} lane;

/* --- Memory ------------------------------------------------------------------------------------------------------- */

/* *next = at + count * bytes, rounded up to MEMORY_ALIGNMENT. */
static int lay(size_t at, size_t count, size_t bytes, size_t *next) {
    return size_mul(count, bytes, &bytes) && size_add(at, bytes, next) && size_align(*next, MEMORY_ALIGNMENT, next);
}

static int lay_lane(lane_parts *p, const int8_model *m, const context_settings *s, size_t n_threads) {
    const size_t rows = s->batch_tokens;
    const size_t scratch = engine_threads_scratch_bytes(m, rows, s->max_tokens, n_threads);
    size_t n_ids, row_bytes;
    p->starts = 0;
    return scratch != 0 && size_add(rows, s->max_tokens, &n_ids) &&
           size_mul(m->hidden, sizeof(float), &row_bytes) && lay(p->starts, rows + 1, sizeof(size_t), &p->places) &&
           lay(p->places, rows, sizeof(size_t), &p->ids) && lay(p->ids, n_ids, sizeof(int32_t), &p->words) &&
           lay(p->words, tokenizer_scratch_bytes(m->tokenizer), 1, &p->pooled) &&
           lay(p->pooled, m->hidden, sizeof(double), &p->hidden) && lay(p->hidden, rows, row_bytes, &p->scratch) &&
           lay(p->scratch, scratch, 1, &p->end);
}

static int lay_out(int8_parts *p, const int8_model *m, const context_settings *s) {
    size_t narrow_end, wide_end;
    if (!lay(0, 1, sizeof(int8_state), &p->pool) || !lay(p->pool, thread_pool_bytes(s->n_threads), 1, &p->lanes) ||
        !lay_lane(&p->lane, m, s, 1) || !lay_lane(&p->wide, m, s, s->n_threads) ||
        !lay(p->lanes, s->n_threads, p->lane.end, &narrow_end) || !lay(p->lanes, 1, p->wide.end, &wide_end))
        return 0;
    p->end = narrow_end > wide_end ? narrow_end : wide_end;
    return 1;
}

static minnow_status find_kernels(const kernels **out, const char *isa, minnow_error *error) {
    const int tier = isa != NULL ? cpu_tier_from_name(isa) : 0;
    *out = isa != NULL ? kernels_for_tier(tier) : kernels_best();
    if (tier < 0) return error_set(error, MINNOW_ERROR_ARGUMENT, "there is no instruction set '%.100s'", isa);
    if (*out == NULL) return error_set(error, MINNOW_ERROR_UNSUPPORTED, "this machine does not have %s", isa);
    return MINNOW_OK;
}

static minnow_status plan(int8_parts *parts, const kernels **k, const minnow_model *m, const context_settings *s,
                          minnow_error *error) {
    TRY(find_kernels(k, s->isa, error));
    if (lay_out(parts, m->weights, s)) return MINNOW_OK;
    return error_set(error, MINNOW_ERROR_MEMORY, "out of memory: %zu tokens at once, %zu threads", s->batch_tokens,
                     s->n_threads);
}

static minnow_status state_bytes(const minnow_model *m, const context_settings *s, size_t *bytes, minnow_error *error) {
    const kernels *k;
    int8_parts parts;
    TRY(plan(&parts, &k, m, s, error));
    *bytes = parts.end;
    return MINNOW_OK;
}

static minnow_status create_state(void *state, const minnow_model *m, const context_settings *s, minnow_error *error) {
    int8_state *i8 = state;
    i8->model = m->weights;
    i8->rows = s->batch_tokens;
    i8->max_tokens = s->max_tokens;
    TRY(plan(&i8->parts, &i8->kernels, m, s, error));
    return thread_pool_create_in(&i8->pool, (uint8_t *)state + i8->parts.pool, s->n_threads, error);
}

static void close_state(void *state) {
    int8_state *s = state;
    thread_pool_close(&s->pool);
}

/* The lane of thread `part`, or the one for all. */
static lane lane_at(int8_state *s, size_t part, int is_wide) {
    const lane_parts *p = is_wide ? &s->parts.wide : &s->parts.lane;
    uint8_t *at = (uint8_t *)s + s->parts.lanes + part * p->end;
    lane l = {.state = s, .pool = is_wide ? s->pool : NULL};
    l.starts = (size_t *)(void *)(at + p->starts);
    l.places = (size_t *)(void *)(at + p->places);
    l.ids = (int32_t *)(void *)(at + p->ids);
    l.words = at + p->words;
    l.pooled = (double *)(void *)(at + p->pooled);
    l.hidden = (float *)(void *)(at + p->hidden);
    l.scratch = at + p->scratch;
    l.starts[0] = 0;
    return l;
}

/* --- Running ------------------------------------------------------------------------------------------------------ */

/* The ids of a text, behind those that are there. */
static minnow_status tokenize(const lane *l, const char *text, size_t bytes, minnow_encoding *encoding,
                              minnow_error *error) {
    const int8_state *s = l->state;
    int32_t *ids = l->ids + l->starts[l->n_texts];
    size_t n, i;
    int truncated = 0;
    TRY(tokenizer_encode_into(s->model->tokenizer, text, bytes, s->max_tokens, l->words, ids, &n, &truncated, error));
    if (n == 0) return context_no_tokens(error);
    for (i = 0; i < n; i++) /* opening has checked the tokenizer, but no table may be read past its end */
        if (ids[i] < 0 || (size_t)ids[i] >= s->model->n_vocab)
            return error_set(error, MINNOW_ERROR_FORMAT, "token id %d: the model has %zu", (int)ids[i],
                             s->model->n_vocab);
    encoding->n_tokens = n;
    encoding->truncated = truncated;
    return MINNOW_OK;
}

static void add_text(lane *l, size_t place, size_t n_tokens) {
    l->places[l->n_texts] = place;
    l->starts[l->n_texts + 1] = l->starts[l->n_texts] + n_tokens;
    l->n_texts++;
}

static void encode_lane(lane *l) {
    const int8_state *s = l->state;
    const engine_texts texts = {l->ids, l->starts, l->n_texts};
    engine_run_threads(s->model, s->kernels, &texts, l->pool, l->scratch, l->hidden);
}

static minnow_status run(minnow_context *c, const char *text, size_t text_bytes, const float **values,
                         minnow_encoding *encoding, minnow_error *error) {
    lane l = lane_at(c->state, 0, 1);
    TRY(tokenize(&l, text, text_bytes, encoding, error));
    add_text(&l, 0, encoding->n_tokens);
    encode_lane(&l);
    *values = l.hidden;
    return MINNOW_OK;
}

/* --- A batch ------------------------------------------------------------------------------------------------------ */

/* Takes the next text into the lane, or behind it if it does not fit. Returns 0 if the run is to begin. */
static int take_text(batch_job *job, lane *l) {
    const size_t place = batch_take(job);
    minnow_encoding encoding;
    minnow_error error;
    const char *text;
    size_t bytes;
    if (place == BATCH_NONE) return 0;
    if (batch_text(job, place, &text, &bytes, &error) != MINNOW_OK ||
        tokenize(l, text, bytes, &encoding, &error) != MINNOW_OK) {
        batch_fail(job, place, &error);
        return 0;
    }
    if (job->encodings != NULL) job->encodings[place] = encoding;
    if (l->starts[l->n_texts] + encoding.n_tokens > l->state->rows) {
        l->n_carried = encoding.n_tokens;
        l->carried = place;
        return 0;
    }
    add_text(l, place, encoding.n_tokens);
    return 1;
}

/* The texts of the next run; 0 if there are none. */
static size_t fill_lane(batch_job *job, lane *l) {
    const size_t share = l->pool != NULL ? SIZE_MAX : batch_share(job), end = l->starts[l->n_texts];
    l->n_texts = 0;
    if (l->n_carried > 0) {
        memmove(l->ids, l->ids + end, l->n_carried * sizeof *l->ids);
        add_text(l, l->carried, l->n_carried);
        l->n_carried = 0;
    }
    while (l->n_texts < share && l->starts[l->n_texts] < l->state->rows && take_text(job, l)) continue;
    return l->n_texts;
}

static void encode_texts(batch_job *job, lane *l, size_t part) {
    const size_t hidden = l->state->model->hidden;
    size_t i;
    while (fill_lane(job, l) > 0) {
        encode_lane(l);
        for (i = 0; i < l->n_texts; i++)
            context_pool(job->context, l->hidden + l->starts[i] * hidden, l->starts[i + 1] - l->starts[i], l->pooled,
                         job->vectors + l->places[i] * hidden);
        batch_done(job, l->n_texts, part);
    }
}

static void run_part(void *context, size_t part, size_t n_parts) {
    batch_job *job = context;
    lane l = lane_at(job->context->state, part, 0);
    (void)n_parts;
    encode_texts(job, &l, part);
}

static void run_batch(batch_job *job) {
    int8_state *s = job->context->state;
    if (batch_is_small(job)) {
        lane l = lane_at(s, 0, 1);
        encode_texts(job, &l, 0);
    } else {
        thread_pool_run(s->pool, run_part, job);
    }
}

/* --- The path ----------------------------------------------------------------------------------------------------- */

static const char *isa(const void *state) {
    const int8_state *s = state;
    return s->kernels->name;
}

const char *minnow_isa(size_t index) {
    int tier;
    for (tier = CPU_TIER_COUNT - 1; tier >= 0; tier--)
        if (kernels_for_tier(tier) != NULL && index-- == 0) return cpu_tier_name((cpu_tier)tier);
    return NULL;
}

static void close_weights(void *weights) {
    int8_model *model = weights;
    int8_model_close(&model);
}

static const encode_path int8_path = {state_bytes, create_state, close_state, run, run_batch, isa, close_weights};

void encode_int8_open(minnow_model *m, int8_model *weights) {
    m->path = &int8_path;
    m->weights = weights;
    m->tokenizer = weights->tokenizer;
    m->dimensions = weights->hidden;
    m->max_tokens = weights->max_tokens;
    m->max_positions = weights->n_positions;
    m->pooling = weights->pooling;
}
