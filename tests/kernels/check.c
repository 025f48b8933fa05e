/* SPDX-License-Identifier: Apache-2.0
 * Operands between guards, and the loop: a case's operands, what the reference makes of them, what each tier does. */
#include "run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define GUARD 0xa5
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifdef SANITIZED
#include <sanitizer/asan_interface.h>
#define GUARD_BYTES ((size_t)0) /* the sanitizer's own, which see reads too */
#else
#define GUARD_BYTES ((size_t)128)
#endif

/* --- Memory ------------------------------------------------------------------------------------------------------- */
static void *allocate(size_t bytes) {
    void *p = memory_aligned_alloc(bytes > 0 ? bytes : 1);
    if (p == NULL) {
        fprintf(stderr, "check_kernels: out of memory\n");
        exit(2);
    }
    return p;
}

/*   block  [ guards | shift: guards | data | guards ]   */
typedef struct check_buffer {
    uint8_t *block, *data, *copy; /* copy: what an operand held when all were made */
    size_t bytes, shift;
    int writable;
    struct check_buffer *next;
} check_buffer;

static size_t block_bytes(const check_buffer *b) { return GUARD_BYTES + b->shift + b->bytes + GUARD_BYTES; }

static check_buffer buffer_of(size_t bytes, size_t shift) {
    check_buffer b = {.bytes = bytes, .shift = shift};
    b.block = allocate(block_bytes(&b));
    memset(b.block, GUARD, block_bytes(&b));
    b.data = b.block + GUARD_BYTES + shift;
#ifdef SANITIZED
    /* memory_aligned_alloc rounds up. */
    ASAN_POISON_MEMORY_REGION(b.data + bytes, (0 - shift - bytes) % MEMORY_ALIGNMENT);
#endif
    return b;
}

static int guards_hold(const check_buffer *b) {
    const uint8_t *p, *end = b->block + block_bytes(b);
    for (p = b->block; p < b->data; p++)
        if (*p != GUARD) return 0;
    for (p = b->data + b->bytes; p < end; p++)
        if (*p != GUARD) return 0;
    return 1;
}

static check_buffer *job_buffer(check_job *j, size_t bytes, size_t alignment, int writable) {
    check_buffer *b = allocate(sizeof *b);
    *b = buffer_of(bytes, check_random(j) % MEMORY_ALIGNMENT / alignment * alignment);
    b->writable = writable;
    b->next = j->buffers;
    return j->buffers = b;
}

void *check_operand(check_job *j, size_t bytes, size_t alignment) { return job_buffer(j, bytes, alignment, 0)->data; }

void *check_scratch(check_job *j, size_t bytes) {
    check_buffer *b = job_buffer(j, bytes, MEMORY_ALIGNMENT, 1);
    memset(b->data, 0x7f, bytes);
    return b->data;
}

static void job_keep(check_job *j) {
    check_buffer *b;
    for (b = j->buffers; b != NULL; b = b->next)
        if (!b->writable) memcpy(b->copy = allocate(b->bytes), b->data, b->bytes);
}

static void job_free(check_job *j) {
    while (j->buffers != NULL) {
        check_buffer *b = j->buffers;
        j->buffers = b->next;
        memory_aligned_free(b->block);
        memory_aligned_free(b->copy);
        memory_aligned_free(b);
    }
}

static int operands_hold(const check_job *j) {
    const check_buffer *b;
    for (b = j->buffers; b != NULL; b = b->next)
        if (!guards_hold(b) || (!b->writable && memcmp(b->data, b->copy, b->bytes) != 0)) return 0;
    return 1;
}

/* --- Patterns ----------------------------------------------------------------------------------------------------- */
uint32_t check_random(check_job *j) { /* xorshift32, its low bits mixed */
    j->random ^= j->random << 13;
    j->random ^= j->random >> 17;
    j->random ^= j->random << 5;
    return j->random ^ (j->random >> 15);
}

float check_between(check_job *j, float low, float high) {
    return low + (high - low) * ((float)(check_random(j) >> 8) * 0x1p-24f);
}

int8_t check_code(check_job *j, pattern p, size_t i) {
    switch (p) {
    case P_SMALLEST: return -128;
    case P_LARGEST: return 127;
    case P_ALTERNATING: return i % 2 ? 127 : -128;
    case P_EXTREMES: return check_random(j) & 0x100 ? 127 : -128;
    case P_ZEROS: return 0;
    default: return (int8_t)((int)(check_random(j) >> 24) - 128);
    }
}

int8_t *check_codes(check_job *j, size_t n, pattern p) {
    int8_t *x = check_operand(j, n, 1);
    size_t i;
    for (i = 0; i < n; i++) x[i] = check_code(j, p, i);
    return x;
}

/* Half of them edges, the others ordinary ones of several magnitudes. */
static float special(check_job *j) {
    static const float edges[] = {0.0f, -0.0f, 1.0f, -1.0f, INFINITY, -INFINITY, NAN, -NAN, 0x1p-149f, -0x1p-149f,
                                  0x1p-126f, -0x1p-127f, 3.4028235e38f, -3.4028235e38f, 0.5f, -0.5f, 1.5f, 2.5f,
                                  126.5f, 127.5f, -127.5f, -128.5f, 5.2f, -5.2f, 1e15f, -1e15f, 12582912.0f, 63.5f,
                                  -64.5f, 127.0f, 128.0f, -128.0f, -129.0f};
    static const float sizes[] = {1.0f, 6.0f, 100.0f, 0.01f, 1e-20f, 1e20f};
    const uint32_t r = check_random(j);
    if (r & 1) return edges[(r >> 1) % (sizeof edges / sizeof edges[0])];
    return check_between(j, -1.0f, 1.0f) * sizes[(r >> 1) % (sizeof sizes / sizeof sizes[0])];
}

float *check_floats(check_job *j, size_t n, pattern p, float low, float high) {
    const float largest = 3.4028235e38f;
    float *x = check_operand(j, n * sizeof *x, sizeof *x);
    size_t i;
    for (i = 0; i < n; i++) switch (p) {
        case P_SMALLEST: x[i] = -largest; break;
        case P_LARGEST: x[i] = largest; break;
        case P_ALTERNATING: x[i] = i % 2 ? largest : -largest; break;
        case P_EXTREMES: x[i] = check_random(j) & 0x100 ? largest : -largest; break;
        case P_ZEROS: x[i] = check_random(j) & 0x100 ? 0.0f : -0.0f; break;
        case P_SPECIAL: x[i] = special(j); break;
        case P_TIES: x[i] = (float)(int)(check_random(j) % 260) - 130.0f + 0.5f; break;
        default: x[i] = check_between(j, low, high); break;
        }
    return x;
}

/* --- The loop ----------------------------------------------------------------------------------------------------- */
size_t check_output_bytes(const check_job *j) {
    return j->rows > 0 ? ((j->rows - 1) * j->stride + j->columns) * j->element : 0;
}

void check_fill_output(const check_job *j, uint8_t *out) {
    const size_t row = j->columns * j->element;
    size_t i;
    memset(out, GUARD, check_output_bytes(j));
    for (i = 0; j->initial != NULL && i < j->rows; i++)
        memcpy(out + i * j->stride * j->element, (const uint8_t *)j->initial + i * row, row);
}

static int is_nan(const uint8_t *p) {
    float x;
    memcpy(&x, p, sizeof x);
    return x != x;
}

/* The first element that differs, NaN by NaN aside; `bytes` if none does. */
static size_t first_difference(const check_job *j, const uint8_t *out, const uint8_t *expected, int may_be_nan) {
    const size_t bytes = check_output_bytes(j);
    size_t i;
    if (memcmp(out, expected, bytes) == 0) return bytes;
    for (i = 0; i < bytes; i += j->element)
        if (memcmp(out + i, expected + i, j->element) != 0 &&
            !(may_be_nan && j->element == sizeof(float) && is_nan(out + i) && is_nan(expected + i)))
            return i;
    return bytes;
}

static void print_element(const uint8_t *p, size_t bytes) {
    float x;
    if (bytes == 1) {
        fprintf(stderr, "%d", (int8_t)*p);
    } else {
        memcpy(&x, p, sizeof x);
        fprintf(stderr, "%.9g", (double)x);
    }
}

static void print_case(const check *run, const char *tier, const check_job *j) {
    static const char *const patterns[PATTERNS] = {"random", "smallest", "largest", "alternating",
                                                   "extremes", "zeros", "special", "ties"};
    size_t i;
    fprintf(stderr, "%s, %s,", run->kernel->name, tier);
    for (i = 0; i < CHECK_SIZES && run->kernel->sizes[i] != NULL; i++)
        fprintf(stderr, " %s %zu,", run->kernel->sizes[i], j->c.size[i]);
    fprintf(stderr, " %s by %s, variant %d (case %zu, seed %u): ", patterns[j->c.x], patterns[j->c.w], j->c.variant,
            run->n_cases, (unsigned)run->seed);
}

/* 1 if the output is as expected; else says why not, if `loud`. */
static int compare(const check *run, const char *tier, const check_job *j, const check_buffer *out,
                   const uint8_t *expected, int loud) {
    const size_t at = first_difference(j, out->data, expected, run->kernel->may_be_nan), i = at / j->element;
    const int guards = guards_hold(out), operands = operands_hold(j);
    if (at == out->bytes && guards && operands) return 1;
    if (!loud) return 0;
    print_case(run, tier, j);
    if (at == out->bytes) {
        fprintf(stderr, "writes %s\n", guards ? "to an operand or beside it" : "outside its output");
    } else if (i % j->stride >= j->columns) {
        fprintf(stderr, "writes behind row %zu\n", i / j->stride);
    } else {
        fprintf(stderr, "[%zu][%zu] is ", i / j->stride, i % j->stride);
        print_element(out->data + at, j->element);
        fprintf(stderr, ", expected ");
        print_element(expected + at, j->element);
        fprintf(stderr, "\n");
    }
    return 0;
}

/* No NaN comes out, but of the kernels that say so. */
static void check_reference(check *run, const check_job *j, const uint8_t *expected) {
    size_t r, c;
    if (run->kernel->may_be_nan || j->element != sizeof(float)) return;
    for (r = 0; r < j->rows; r++)
        for (c = 0; c < j->columns; c++)
            if (is_nan(expected + (r * j->stride + c) * sizeof(float))) {
                print_case(run, "reference", j);
                fprintf(stderr, "[%zu][%zu] is NaN\n", r, c);
                run->counts[0].failed++;
                return;
            }
}

int check_wants(const check *run, const kernels *k) {
    return run->tier == NULL || strcmp(run->tier, k->name) == 0;
}

int check_is_quick(const check *run) { return run->quick; }

static void run_tables(check *run, const check_job *j, const uint8_t *expected) {
    const size_t bytes = check_output_bytes(j);
    size_t t;
    /* By itself the reference is only worth a run where what is expected was made otherwise. */
    for (t = run->kernel->expect != NULL ? 0 : 1; t < run->n_tables; t++) {
        const kernels *k = run->tables[t];
        check_count *count = &run->counts[t];
        check_buffer out;
        if (!check_wants(run, k)) continue;
        out = buffer_of(bytes, (run->n_cases * 29 + t * 7) % MEMORY_ALIGNMENT / j->element * j->element);
        check_fill_output(j, out.data);
        run->kernel->run(j, k, out.data);
        count->cases++;
        if (!compare(run, k->name, j, &out, expected, count->failed == 0)) count->failed++;
        memory_aligned_free(out.block);
    }
}

void check_one(check *run, check_case c) {
    const char *p;
    check_job j = {.c = c, .random = run->seed * 2654435761u + (uint32_t)++run->n_cases * 40503u + 1u};
    uint8_t *expected;
    for (p = run->kernel->name; *p != '\0'; p++) j.random = (j.random ^ (uint8_t)*p) * 16777619u;
    if (j.random == 0) j.random = 1;
    run->kernel->prepare(&j);
    job_keep(&j);
    expected = allocate(check_output_bytes(&j));
    check_fill_output(&j, expected);
    if (run->kernel->expect != NULL) run->kernel->expect(&j, expected);
    else run->kernel->run(&j, run->tables[0], expected);
    check_reference(run, &j, expected);
    run_tables(run, &j, expected);
    if (run->bench) bench_job(run, &j, expected);
    memory_aligned_free(expected);
    job_free(&j);
}

void check_kernel(check *run) {
    memset(run->counts, 0, sizeof run->counts);
    run->n_cases = 0;
    if (run->bench) run->kernel->bench(run);
    else run->kernel->cases(run);
}
