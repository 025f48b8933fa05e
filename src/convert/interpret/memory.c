/* SPDX-License-Identifier: Apache-2.0
 * The interpreter's memory. In: sizes that operators ask for. Out: buffers that are counted, shared by views, and kept
 * for the next node and the next run, so that a run of known shapes allocates nothing. */
#include <string.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "convert/interpret/interpreter_impl.h"

#define ELEMENT_WORK 16         /* multiply-adds that an element made is worth */
#define CLASSES_TO_BORROW 8     /* a free buffer of up to four times the size will do */

static int size_class(size_t bytes, size_t *capacity) {
    int e = 6, q = 0;
    if (bytes < 64) bytes = 64;
    while (e < 62 && (bytes >> (e + 1)) != 0) e++;
    q = (int)((bytes >> (e - 2)) & 3);
    if ((bytes & (((size_t)1 << (e - 2)) - 1)) != 0) q++;
    *capacity = (size_t)(4 + q) << (e - 2);
    return 4 * e + q; /* q = 4 is the next power's q = 0 */
}

void buffers_init(struct interpreter *in) {
    for (int i = 0; i < BUFFER_CLASSES; i++) in->free_heads[i] = -1;
    in->unused_slot = -1;
}

/* Frees what nobody uses. */
static void trim(struct interpreter *in) {
    for (int i = 0; i < BUFFER_CLASSES; i++) {
        while (in->free_heads[i] >= 0) {
            const int32_t b = in->free_heads[i];
            buffer *f = &in->buffers[b];
            in->free_heads[i] = f->next_free;
            memory_aligned_free(f->data);
            in->held_bytes -= f->capacity;
            f->data = NULL;
            f->next_free = in->unused_slot;
            in->unused_slot = b;
        }
    }
}

void buffers_close(struct interpreter *in) {
    for (size_t i = 0; i < in->n_buffers; i++) memory_aligned_free(in->buffers[i].data);
    memory_aligned_free(in->buffers);
}

static int32_t new_slot(struct interpreter *in) {
    if (in->unused_slot >= 0) {
        const int32_t b = in->unused_slot;
        in->unused_slot = in->buffers[b].next_free;
        return b;
    }
    if (in->n_buffers == in->buffers_capacity) {
        const size_t capacity = in->buffers_capacity ? 2 * in->buffers_capacity : 64;
        buffer *grown;
        if (capacity > INT32_MAX) return -1;
        grown = memory_aligned_alloc(capacity * sizeof *grown);
        if (!grown) return -1;
        if (in->n_buffers) memcpy(grown, in->buffers, in->n_buffers * sizeof *grown);
        memory_aligned_free(in->buffers);
        in->buffers = grown;
        in->buffers_capacity = capacity;
    }
    return (int32_t)in->n_buffers++;
}

minnow_status buffer_acquire(struct interpreter *in, size_t bytes, int32_t *out, minnow_error *error) {
    size_t capacity;
    int class;
    int32_t b;
    void *data;
    if (bytes > in->memory_limit)
        return error_set(error, MINNOW_ERROR_MEMORY, "%zu bytes are over the memory limit of %zu bytes", bytes,
                         in->memory_limit);
    class = size_class(bytes, &capacity);
    for (int i = class; i < class + CLASSES_TO_BORROW && i < BUFFER_CLASSES; i++) {
        b = in->free_heads[i];
        if (b < 0) continue;
        in->free_heads[i] = in->buffers[b].next_free;
        in->buffers[b].refs = 1;
        *out = b;
        return MINNOW_OK;
    }
    if (in->held_bytes > in->memory_limit || capacity > in->memory_limit - in->held_bytes) trim(in);
    if (in->held_bytes > in->memory_limit || capacity > in->memory_limit - in->held_bytes)
        return error_set(error, MINNOW_ERROR_MEMORY, "the values of a run need more than the memory limit of %zu bytes",
                         in->memory_limit);
    b = new_slot(in);
    if (b < 0) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    data = memory_aligned_alloc(capacity);
    in->buffers[b] = (buffer){.data = data, .capacity = capacity, .refs = 1, .next_free = -1};
    if (!data) {
        in->buffers[b].next_free = in->unused_slot;
        in->unused_slot = b;
        return error_set(error, MINNOW_ERROR_MEMORY, "out of memory for %zu bytes", capacity);
    }
    in->held_bytes += capacity;
    *out = b;
    return MINNOW_OK;
}

void buffer_release(struct interpreter *in, int32_t b) {
    if (b < 0) return;
    buffer *f = &in->buffers[b];
    size_t capacity;
    if (--f->refs > 0) return;
    const int class = size_class(f->capacity, &capacity);
    f->next_free = in->free_heads[class];
    in->free_heads[class] = b;
}

void value_clear(struct interpreter *in, int32_t value) {
    value_state *v = &in->values[value];
    if (v->is_constant || !v->is_set) return;
    buffer_release(in, v->buffer);
    v->buffer = -1;
    v->is_set = 0;
    v->is_strided = 0;
    v->t.data = NULL;
}

minnow_status ops_charge(op_context *c, uint64_t amount) {
    if (amount > c->in->work_left)
        return error_set(c->error, MINNOW_ERROR_MEMORY, "the run is over the work limit of %llu operations",
                         (unsigned long long)c->in->work_limit);
    c->in->work_left -= amount;
    return MINNOW_OK;
}

minnow_status ops_charge_product(op_context *c, uint64_t a, uint64_t b, uint64_t k) {
    const uint64_t bound = UINT64_MAX;
    if (a == 0 || b == 0 || k == 0) return MINNOW_OK;
    if (a > bound / b || a * b > bound / k) return ops_charge(c, bound);
    return ops_charge(c, a * b * k);
}

static minnow_status place(op_context *c, size_t i, dtype type, int rank, const int64_t *dims, size_t *bytes) {
    tensor *t = &c->outputs[i];
    size_t count;
    if (dtype_bytes(type) == 0) return ops_unsupported_type(c, type);
    TRY(tensor_check_shape(type, rank, dims, &count, c->error));
    TRY(ops_charge_product(c, count, ELEMENT_WORK, 1));
    t->type = type;
    t->rank = rank;
    if (rank) memmove(t->dims, dims, (size_t)rank * sizeof *dims);
    *bytes = count * dtype_bytes(type);
    return MINNOW_OK;
}

minnow_status ops_output(op_context *c, size_t i, dtype type, int rank, const int64_t *dims) {
    size_t bytes;
    TRY(place(c, i, type, rank, dims, &bytes));
    TRY(buffer_acquire(c->in, bytes, &c->output_buffers[i], c->error));
    c->outputs[i].data = c->in->buffers[c->output_buffers[i]].data;
    return MINNOW_OK;
}

minnow_status ops_output_over(op_context *c, size_t i, dtype type, int rank, const int64_t *dims, size_t input) {
    const int32_t value = input < c->n_inputs ? c->input_values[input] : -1;
    size_t count;
    if (value >= 0 && tensor_check_shape(type, rank, dims, &count, NULL) == MINNOW_OK) {
        const value_state *v = &c->in->values[value];
        if (v->buffer >= 0 && v->uses_left == 1 && !v->is_constant && !v->is_strided &&
            c->in->buffers[v->buffer].refs == 1 && tensor_bytes(&v->t) == count * dtype_bytes(type)) {
            size_t bytes;
            TRY(place(c, i, type, rank, dims, &bytes));
            c->output_buffers[i] = v->buffer;
            c->in->buffers[v->buffer].refs++;
            c->outputs[i].data = v->t.data;
            return MINNOW_OK;
        }
    }
    return ops_output(c, i, type, rank, dims);
}

static void share(op_context *c, size_t i, size_t input) {
    const int32_t value = c->input_values[input];
    const int32_t b = value >= 0 ? c->in->values[value].buffer : -1;
    if (b >= 0) c->in->buffers[b].refs++;
    c->output_buffers[i] = b;
    c->outputs[i].data = c->inputs[input]->data;
}

minnow_status ops_view(op_context *c, size_t i, size_t input, int rank, const int64_t *dims) {
    const tensor *in = c->inputs[input];
    size_t bytes;
    TRY(place(c, i, in->type, rank, dims, &bytes));
    if (bytes != tensor_bytes(in))
        return error_set(c->error, MINNOW_ERROR_FORMAT, "a tensor of %zu elements cannot become one of %zu",
                         tensor_count(in), bytes / dtype_bytes(in->type));
    share(c, i, input);
    return MINNOW_OK;
}

minnow_status ops_view_strided(op_context *c, size_t i, size_t input, int rank, const int64_t *dims,
                               const int64_t *strides) {
    size_t bytes;
    TRY(place(c, i, c->inputs[input]->type, rank, dims, &bytes));
    memcpy(c->output_strides[i], strides, (size_t)rank * sizeof *strides);
    c->output_strided[i] = 1;
    share(c, i, input);
    return MINNOW_OK;
}

minnow_status ops_scratch(op_context *c, size_t bytes, void **out) {
    struct interpreter *in = c->in;
    int32_t b;
    if (in->n_scratch == in->scratch_capacity) {
        const size_t capacity = in->scratch_capacity ? 2 * in->scratch_capacity : 16;
        int32_t *grown = arena_array(&in->memory, capacity, sizeof *grown);
        if (!grown) return error_set(c->error, MINNOW_ERROR_MEMORY, "out of memory");
        if (in->n_scratch) memcpy(grown, in->scratch, in->n_scratch * sizeof *grown);
        in->scratch = grown;
        in->scratch_capacity = capacity;
    }
    TRY(buffer_acquire(in, bytes, &b, c->error));
    in->scratch[in->n_scratch++] = b;
    *out = in->buffers[b].data;
    return MINNOW_OK;
}

minnow_status ops_scratch_array(op_context *c, size_t a, size_t b, size_t element_bytes, void **out) {
    size_t bytes;
    if (!size_mul(a, b, &bytes) || !size_mul(bytes, element_bytes, &bytes)) bytes = SIZE_MAX;
    return ops_scratch(c, bytes, out);
}

void scratch_release(struct interpreter *in) {
    while (in->n_scratch) buffer_release(in, in->scratch[--in->n_scratch]);
}
