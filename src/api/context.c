/* SPDX-License-Identifier: Apache-2.0
 * Contexts: options -> settings, checked -> memory, laid out -> a handle; and one text -> its vector. Each text runs at
 * its own length: no padding, so no batch can change a byte. */
#include "api/context.h"

#include <math.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cpu.h"
#include "base/memory.h"
#include "base/thread.h"
#include "run/engine/pool.h"

#define DEFAULT_MAX_THREADS ((size_t)16) /* unless asked for: a text is too short for more */
#define DEFAULT_BATCH_TOKENS ((size_t)256)

/* --- Options ------------------------------------------------------------------------------------------------------ */

static minnow_context_options options_in_force(const minnow_context_options *given) {
    minnow_context_options o;
    options_copy(&o, sizeof o, given);
    return o;
}

static minnow_status check_pooling(const minnow_model *m, minnow_pooling pooling, minnow_error *error) {
    if ((unsigned)pooling > MINNOW_POOLING_MAX)
        return error_set(error, MINNOW_ERROR_ARGUMENT, "unknown pooling %d", (int)pooling);
    if (m->pooled_only && pooling != MINNOW_POOLING_DEFAULT)
        return error_set(error, MINNOW_ERROR_ARGUMENT,
                         "the graph gives pooled vectors only: its pooling cannot be chosen");
    return MINNOW_OK;
}

static minnow_status find_settings(context_settings *s, const minnow_model *m, const minnow_context_options *o,
                                   minnow_error *error) {
    const size_t n_processors = cpu_count();
    s->n_threads = o->n_threads != 0 ? o->n_threads
                   : n_processors < DEFAULT_MAX_THREADS ? n_processors : DEFAULT_MAX_THREADS;
    if (s->n_threads > THREAD_POOL_MAX)
        return error_set(error, MINNOW_ERROR_ARGUMENT, "%zu threads asked for, at most %zu possible", s->n_threads,
                         THREAD_POOL_MAX);
    s->max_tokens = o->max_tokens != 0 ? o->max_tokens : m->max_tokens;
    if (m->max_positions != 0 && s->max_tokens > m->max_positions)
        return error_set(error, MINNOW_ERROR_ARGUMENT, "%zu tokens asked for, the model has positions for %zu",
                         s->max_tokens, m->max_positions);
    s->batch_tokens = o->batch_tokens;
    if (s->batch_tokens == 0)
        s->batch_tokens = s->max_tokens > DEFAULT_BATCH_TOKENS ? s->max_tokens : DEFAULT_BATCH_TOKENS;
    if (s->batch_tokens < s->max_tokens)
        return error_set(error, MINNOW_ERROR_ARGUMENT, "batches of %zu tokens asked for, one text may have %zu",
                         s->batch_tokens, s->max_tokens);
    TRY(check_pooling(m, o->pooling, error));
    s->pooling = o->pooling != MINNOW_POOLING_DEFAULT ? o->pooling : m->pooling;
    s->normalize = !o->no_normalize;
    s->isa = o->isa;
    return MINNOW_OK;
}

/* --- Memory ------------------------------------------------------------------------------------------------------- */

typedef struct context_parts {
    size_t pooled, state, end; /* where each begins */
} context_parts;

static minnow_status lay_out(context_parts *p, const minnow_model *m, const context_settings *s, minnow_error *error) {
    size_t state_bytes, pooled_bytes;
    TRY(m->path->state_bytes(m, s, &state_bytes, error));
    if (size_align(sizeof(minnow_context), MEMORY_ALIGNMENT, &p->pooled) &&
        size_mul(m->dimensions, sizeof(double), &pooled_bytes) &&
        size_add(p->pooled, pooled_bytes, &p->state) && size_align(p->state, MEMORY_ALIGNMENT, &p->state) &&
        size_add(p->state, state_bytes, &p->end) && size_align(p->end, MEMORY_ALIGNMENT, &p->end))
        return MINNOW_OK;
    return error_set(error, MINNOW_ERROR_MEMORY, "out of memory: more than there are addresses");
}

static void *allocate_aligned(void *user, size_t bytes, size_t alignment) {
    (void)user;
    (void)alignment; /* MEMORY_ALIGNMENT */
    return memory_aligned_alloc(bytes);
}

static void release_aligned(void *user, void *memory, size_t bytes) {
    (void)user;
    (void)bytes;
    memory_aligned_free(memory);
}

static minnow_status check_memory(const void *memory, const char *whose, minnow_error *error) {
    if ((uintptr_t)memory % MEMORY_ALIGNMENT == 0) return MINNOW_OK;
    return error_set(error, MINNOW_ERROR_ARGUMENT, "%s memory does not begin at a multiple of %zu bytes", whose,
                     MEMORY_ALIGNMENT);
}

/* The memory of a context; allocator->release is NULL if it is the caller's. */
static minnow_status take_memory(void **memory, minnow_allocator *allocator, size_t bytes,
                                 const minnow_context_options *o, minnow_error *error) {
    static const minnow_allocator own = {allocate_aligned, release_aligned, NULL};
    minnow_status status;
    memset(allocator, 0, sizeof *allocator);
    *memory = o->memory;
    if (o->memory != NULL) {
        if (o->memory_bytes < bytes)
            return error_set(error, MINNOW_ERROR_CAPACITY, "a context takes %zu bytes, %zu were given", bytes,
                             o->memory_bytes);
        return check_memory(o->memory, "the given", error);
    }
    if (o->allocator != NULL && (o->allocator->allocate == NULL || o->allocator->release == NULL))
        return error_set(error, MINNOW_ERROR_ARGUMENT, "an allocator has two functions: one is NULL");
    *allocator = o->allocator != NULL ? *o->allocator : own;
    *memory = allocator->allocate(allocator->user, bytes, MEMORY_ALIGNMENT);
    if (*memory == NULL)
        return error_set(error, MINNOW_ERROR_MEMORY, "out of memory: %zu bytes for a context", bytes);
    status = check_memory(*memory, "the allocator's", error);
    if (status != MINNOW_OK) allocator->release(allocator->user, *memory, bytes);
    return status;
}

/* --- Handles ------------------------------------------------------------------------------------------------------ */

static minnow_status create(minnow_context **out, const minnow_model *m, const context_settings *s,
                            const minnow_context_options *o, minnow_error *error) {
    context_parts parts;
    minnow_allocator allocator;
    minnow_context *c;
    minnow_status status;
    void *memory;
    TRY(lay_out(&parts, m, s, error));
    TRY(take_memory(&memory, &allocator, parts.end, o, error));
    c = memory;
    memset(c, 0, sizeof *c);
    c->model = m;
    atomic_flag_clear(&c->busy);
    c->settings = *s;
    c->pooled = (double *)(void *)((uint8_t *)memory + parts.pooled);
    c->state = (uint8_t *)memory + parts.state;
    c->bytes = parts.end;
    c->allocator = allocator;
    status = m->path->create(c->state, m, s, error);
    if (status == MINNOW_OK) *out = c;
    else if (allocator.release != NULL) allocator.release(allocator.user, memory, parts.end);
    return status;
}

minnow_status minnow_context_create(minnow_context **out, const minnow_model *model,
                                    const minnow_context_options *options, minnow_error *error) {
    const minnow_context_options o = options_in_force(options);
    context_settings settings;
    minnow_status status;
    fpenv before;
    if (out != NULL) *out = NULL;
    if (out == NULL || model == NULL)
        return error_set(error, MINNOW_ERROR_ARGUMENT, "minnow_context_create: NULL argument");
    if (model->path->isa == NULL && (o.isa != NULL || o.batch_tokens != 0 || o.memory != NULL || o.allocator != NULL))
        return error_set(error, MINNOW_ERROR_UNSUPPORTED,
                         "isa, batch_tokens, memory and allocator are for .minnow models");
    TRY(find_settings(&settings, model, &o, error));
    before = fpenv_enter();
    status = create(out, model, &settings, &o, error);
    fpenv_set(before);
    return status;
}

minnow_status minnow_context_bytes(const minnow_model *model, const minnow_context_options *options, size_t *bytes,
                                   minnow_error *error) {
    const minnow_context_options o = options_in_force(options);
    context_settings settings;
    context_parts parts;
    minnow_status status;
    fpenv before;
    if (model == NULL || bytes == NULL)
        return error_set(error, MINNOW_ERROR_ARGUMENT, "minnow_context_bytes: NULL argument");
    if (model->path->isa == NULL)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED,
                         "no .minnow model: how much memory it takes is not known beforehand");
    TRY(find_settings(&settings, model, &o, error));
    before = fpenv_enter(); /* kernels may be timed */
    status = lay_out(&parts, model, &settings, error);
    fpenv_set(before);
    if (status == MINNOW_OK) *bytes = parts.end;
    return status;
}

void minnow_context_close(minnow_context **context) {
    minnow_context *c = context != NULL ? *context : NULL;
    minnow_allocator allocator;
    if (c == NULL) return;
    allocator = c->allocator; /* lies in what it releases */
    c->model->path->close(c->state);
    if (allocator.release != NULL) allocator.release(allocator.user, c, c->bytes);
    *context = NULL;
}

const char *minnow_context_isa(const minnow_context *c) {
    return c == NULL || c->model->path->isa == NULL ? NULL : c->model->path->isa(c->state);
}

/* --- One text ----------------------------------------------------------------------------------------------------- */

minnow_status context_begin(minnow_context *c, minnow_error *error) {
    if (atomic_flag_test_and_set_explicit(&c->busy, memory_order_acquire))
        return error_set(error, MINNOW_ERROR_ARGUMENT,
                         "the context is in use by another thread, or by the call that reports progress here");
    c->callers = fpenv_enter();
    return MINNOW_OK;
}

void context_end(minnow_context *c) {
    fpenv_set(c->callers);
    atomic_flag_clear_explicit(&c->busy, memory_order_release);
}

void context_pool(const minnow_context *c, const float *values, size_t n_tokens, double *scratch, float *vector) {
    const size_t dimensions = c->model->dimensions;
    size_t d;
    if (!c->model->pooled_only) {
        pool_tokens(values, n_tokens, dimensions, c->settings.pooling, c->settings.normalize, scratch, vector);
        return;
    }
    for (d = 0; d < dimensions; d++) scratch[d] = (double)values[d];
    pool_finish(scratch, dimensions, c->settings.normalize, vector);
}

minnow_status context_no_tokens(minnow_error *error) {
    return error_set(error, MINNOW_ERROR_ARGUMENT, "the text has no tokens, and the tokenizer adds none");
}

static minnow_status run_text(minnow_context *c, const char *text, size_t text_bytes, const float **values,
                              minnow_encoding *encoding, minnow_error *error) {
    return c->model->path->run(c, text, text_bytes == MINNOW_STRLEN ? strlen(text) : text_bytes, values, encoding,
                               error);
}

minnow_status minnow_encode(minnow_context *c, const char *text, size_t text_bytes, float *vector, size_t capacity,
                            minnow_encoding *encoding, minnow_error *error) {
    minnow_encoding found;
    minnow_status status;
    const float *values;
    if (c == NULL || vector == NULL || (text == NULL && text_bytes != 0))
        return error_set(error, MINNOW_ERROR_ARGUMENT, "minnow_encode: NULL argument");
    if (capacity < c->model->dimensions)
        return error_set(error, MINNOW_ERROR_CAPACITY, "a vector has %zu numbers, room for %zu", c->model->dimensions,
                         capacity);
    TRY(context_begin(c, error));
    status = run_text(c, text, text_bytes, &values, &found, error);
    if (status == MINNOW_OK) {
        context_pool(c, values, found.n_tokens, c->pooled, vector);
        if (encoding != NULL) *encoding = found;
    }
    context_end(c);
    return status;
}

static minnow_status encode_tokens(minnow_context *c, const char *text, size_t text_bytes, float *vectors,
                                   size_t capacity, minnow_encoding *encoding, minnow_error *error) {
    minnow_encoding found;
    const float *values;
    size_t needed;
    TRY(run_text(c, text, text_bytes, &values, &found, error));
    needed = found.n_tokens * c->model->dimensions;
    if (needed > capacity)
        return error_set(error, MINNOW_ERROR_CAPACITY, "%zu numbers, room for %zu", needed, capacity);
    memcpy(vectors, values, needed * sizeof *vectors);
    if (encoding != NULL) *encoding = found;
    return MINNOW_OK;
}

minnow_status minnow_encode_tokens(minnow_context *c, const char *text, size_t text_bytes, float *vectors,
                                   size_t capacity, minnow_encoding *encoding, minnow_error *error) {
    minnow_status status;
    if (c == NULL || (vectors == NULL && capacity != 0) || (text == NULL && text_bytes != 0))
        return error_set(error, MINNOW_ERROR_ARGUMENT, "minnow_encode_tokens: NULL argument");
    if (c->model->pooled_only)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED, "the graph gives pooled vectors only");
    TRY(context_begin(c, error));
    status = encode_tokens(c, text, text_bytes, vectors, capacity, encoding, error);
    context_end(c);
    return status;
}

double minnow_similarity(const float *a, const float *b, size_t n) {
    double ab = 0, aa = 0, bb = 0, product;
    size_t i;
    for (i = 0; i < n; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    product = sqrt(aa) * sqrt(bb);
    return product > 0 ? ab / product : 0;
}
