/* SPDX-License-Identifier: Apache-2.0
 * The same text gives the same bytes: 2,000 texts by a random model, on every instruction set that this machine has
 * (and in C what it has not), by 1 to 64 threads, in 1,000 random batches. The golden hashes are the reference's.
 *
 *     test_same_bytes --update [MODEL.minnow...]
 *
 * makes tests/golden/random.minnow and same_bytes.json anew, the latter with the models named; others in it stay.
 *
 *     test_same_bytes --real MODEL.minnow
 *
 * holds a model of same_bytes.json to all its hashes, on every tier but scalar: a minute or so. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/memory.h"
#include "convert/import/tokenizer_files.h"
#include "convert/pack/pack.h"
#include "kernel_tables.h"
#include "random_model.h"
#include "run/engine/engine.h"
#include "run/engine/pool.h"
#include "same_bytes.h"

#define VOCABULARY "tests/golden/random_vocab.txt"
#define MODEL_LIMIT 300000
#define MAX_ROWS ((size_t)512) /* of a batch */
#define MAX_THREADS ((size_t)64)

/* Nothing is a multiple of anything: 240, 80 and 136 columns end inside a tile of 64, the last inside a panel; 80 and
 * 136 inputs inside a tile of 64; 250 positions. */
static const random_shape shape = {.n_layers = 2, .hidden = 80, .n_heads = 5, .intermediate = 136, .n_positions = 250,
                                   .words = INT8_TABLE_MIXED, .norm_inputs = 1};

static minnow_error error;
static same_bytes_texts texts;
static const size_t parts[] = {20, 100, SAME_BYTES_TEXTS}; /* the first texts that have hashes of their own */
#define N_PARTS (sizeof parts / sizeof *parts)

static int is_emulated(void) { return getenv("MINNOW_TEST_EMULATED") != NULL; }
#if defined(__SANITIZE_ADDRESS__) /* where all texts on every table take minutes, and find no more than the first */
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* --- Encoding ----------------------------------------------------------------------------------------------------- */
typedef struct rig {
    int8_model *model;
    int32_t *ids;       /* of all texts, end to end */
    size_t *starts;     /* [SAME_BYTES_TEXTS + 1] */
    void *scratch;      /* for MAX_ROWS rows by MAX_THREADS threads */
    float *hidden;      /* [MAX_ROWS, hidden] */
    double *sums;       /* [hidden] */
} rig;

static void rig_close(rig *r) {
    free(r->ids);
    free(r->starts);
    free(r->sums);
    memory_aligned_free(r->scratch);
    memory_aligned_free(r->hidden);
    int8_model_close(&r->model);
    memset(r, 0, sizeof *r);
}

static minnow_status rig_tokenize(rig *r) {
    const int8_model *m = r->model;
    token_ids ids = {NULL, 0, 0};
    minnow_status status = MINNOW_OK;
    size_t i;
    for (i = 0; i < SAME_BYTES_TEXTS && status == MINNOW_OK; i++) {
        status = tokenizer_encode(m->tokenizer, texts.data[i], texts.bytes[i], m->max_tokens, &ids, NULL, &error);
        if (status != MINNOW_OK) break;
        memcpy(r->ids + r->starts[i], ids.data, ids.count * sizeof *ids.data);
        r->starts[i + 1] = r->starts[i] + ids.count;
    }
    token_ids_free(&ids);
    return status;
}

/* Whatever it returns, close it. */
static minnow_status rig_open(rig *r, const char *path) {
    const int8_model *m;
    memset(r, 0, sizeof *r);
    TRY(int8_model_open(&r->model, path, &error));
    m = r->model;
    r->ids = malloc(SAME_BYTES_TEXTS * m->max_tokens * sizeof *r->ids);
    r->starts = calloc(SAME_BYTES_TEXTS + 1, sizeof *r->starts);
    r->sums = malloc(m->hidden * sizeof *r->sums);
    r->hidden = memory_aligned_alloc(MAX_ROWS * m->hidden * sizeof *r->hidden);
    r->scratch = memory_aligned_alloc(engine_threads_scratch_bytes(m, MAX_ROWS, MAX_ROWS, MAX_THREADS));
    if (r->ids == NULL || r->starts == NULL || r->sums == NULL || r->hidden == NULL || r->scratch == NULL)
        return error_set(&error, MINNOW_ERROR_MEMORY, "out of memory");
    return rig_tokenize(r);
}

static size_t tokens_of(const rig *r, size_t text) { return r->starts[text + 1] - r->starts[text]; }

/* The texts which[0 .. n), at most MAX_ROWS tokens, in one batch -> vectors [n, hidden]. */
static void encode_batch(const rig *r, const kernels *k, thread_pool *pool, const size_t *which, size_t n,
                         float *vectors) {
    int32_t ids[MAX_ROWS];
    size_t starts[MAX_ROWS + 1], i;
    const engine_texts batch = {ids, starts, n};
    starts[0] = 0;
    for (i = 0; i < n; i++) {
        memcpy(ids + starts[i], r->ids + r->starts[which[i]], tokens_of(r, which[i]) * sizeof *ids);
        starts[i + 1] = starts[i] + tokens_of(r, which[i]);
    }
    engine_run_threads(r->model, k, &batch, pool, r->scratch, r->hidden);
    for (i = 0; i < n; i++)
        pool_tokens(r->hidden + starts[i] * r->model->hidden, starts[i + 1] - starts[i], r->model->hidden,
                    r->model->pooling, r->model->normalize, r->sums, vectors + i * r->model->hidden);
}

/* The first n texts, each alone -> vectors [n, hidden], to be freed. */
static float *encode_each(const rig *r, const kernels *k, size_t n) {
    float *vectors = malloc(n * r->model->hidden * sizeof *vectors);
    size_t i;
    for (i = 0; i < n && vectors != NULL; i++) encode_batch(r, k, NULL, &i, 1, vectors + i * r->model->hidden);
    return vectors;
}

/* --- The golden files --------------------------------------------------------------------------------------------- */
static float *mine(const float *x) { return (float *)(uintptr_t)x; } /* of the random model's arena */

/* Bias for inputs whose codes are `middle` on average, in place of the random one. */
static void center(const int8_matrix *w, int middle) {
    size_t i, j;
    for (i = 0; i < w->n; i++) {
        int sum = 0;
        for (j = 0; j < w->k; j++) sum += (int)w->panels[int8_panel_index(w->k, i, j)] - INT8_WEIGHT_BIAS;
        mine(w->bias)[i] = -(float)(middle * sum) * w->scale[i];
    }
}

/* What all texts have in common gets smaller, so that their means differ. */
static void tell_apart(int8_model *m) {
    size_t l, i;
    for (i = 0; i < m->n_positions; i++) mine(m->positions.scale)[i] *= 0.125f;
    for (l = 0; l < m->n_layers; l++) {
        const int8_layer *layer = &m->layers[l];
        center(&layer->down, -75);
        for (i = 0; i < m->hidden; i++) {
            mine(layer->attention_norm.beta)[i] *= 0.125f;
            mine(layer->output_norm.beta)[i] *= 0.125f;
            mine(layer->attention_output.bias)[i] *= 0.125f;
        }
    }
}

/* random.minnow's bytes, to be freed by memory_aligned_free. */
static minnow_status make_random_model(uint8_t **out, size_t *bytes) {
    random_shape s = shape;
    random_model r;
    arena memory;
    tokenizer_config t;
    minnow_status status;
    arena_init(&memory, (size_t)1 << 24);
    status = tokenizer_config_open(&t, &memory, VOCABULARY, &error);
    if (status == MINNOW_OK) {
        s.n_vocab = t.n_vocab;
        if (random_model_init(&r, &s, 1)) {
            tell_apart(&r.model);
            status = pack_bytes(&r.model, &t, out, bytes, &error);
            random_model_free(&r);
        } else {
            status = error_set(&error, MINNOW_ERROR_MEMORY, "out of memory");
        }
    }
    arena_free(&memory);
    return status;
}

/* The line of same_bytes.json for a model. */
static minnow_status write_entry(FILE *f, const char *path, const kernels *k) {
    char model[HEX_BYTES], hex[HEX_BYTES];
    float *vectors = NULL;
    rig b;
    size_t i;
    minnow_status status = rig_open(&b, path);
    if (status == MINNOW_OK && same_bytes_file_hex(path, model)) vectors = encode_each(&b, k, SAME_BYTES_TEXTS);
    if (vectors != NULL) {
        fprintf(f, "{\"name\":\"%s\",\"sha256\":\"%s\",\"vectors\":{", b.model->name, model);
        for (i = 0; i < N_PARTS; i++) {
            same_bytes_hex(vectors, parts[i] * b.model->hidden * sizeof *vectors, hex);
            fprintf(f, "%s\"%zu\":\"%s\"", i > 0 ? "," : "", parts[i], hex);
        }
        fputs("}}", f);
    } else if (status == MINNOW_OK) {
        status = error_set(&error, MINNOW_ERROR_IO, "%s: cannot be read", path);
    }
    free(vectors);
    rig_close(&b);
    return status;
}

/* 1 if --update leaves an entry of the old same_bytes.json as it is. */
static int is_kept(yyjson_val *entry, char **paths, int n_paths) {
    const char *sha = yyjson_get_str(yyjson_obj_get(entry, "sha256"));
    char hex[HEX_BYTES];
    int i;
    if (sha == NULL || yyjson_equals_str(yyjson_obj_get(entry, "name"), "random")) return 0;
    for (i = 0; i < n_paths; i++)
        if (same_bytes_file_hex(paths[i], hex) && strcmp(hex, sha) == 0) return 0;
    return 1;
}

static void write_kept(FILE *f, char **paths, int n_paths) {
    yyjson_doc *old = NULL;
    yyjson_val *entry;
    size_t i, n;
    if (json_open(&old, SAME_BYTES_GOLDEN, NULL) != MINNOW_OK) return;
    yyjson_arr_foreach(yyjson_obj_get(yyjson_doc_get_root(old), "models"), i, n, entry) {
        char *text = is_kept(entry, paths, n_paths) ? yyjson_val_write(entry, 0, NULL) : NULL;
        if (text != NULL) fprintf(f, ",\n%s", text);
        free(text);
    }
    yyjson_doc_free(old);
}

static minnow_status write_golden(FILE *f, char **paths, int n_paths) {
    int i;
    fprintf(f, "{\"about\":\"SHA-256 of the vectors, float32 little-endian, of the first N texts of"
               " same_bytes_texts.jsonl, by the model file's SHA-256\",\n\"texts\":\"%s\",\n\"models\":[\n", texts.hex);
    TRY(write_entry(f, SAME_BYTES_RANDOM, &kernels_scalar));
    for (i = 0; i < n_paths; i++) {
        fputs(",\n", f);
        TRY(write_entry(f, paths[i], kernels_best())); /* the reference would take minutes */
    }
    write_kept(f, paths, n_paths);
    return fputs("\n]}\n", f) < 0 ? error_set(&error, MINNOW_ERROR_IO, "cannot write") : MINNOW_OK;
}

static minnow_status update(char **paths, int n_paths) {
    file_writer w;
    uint8_t *model = NULL;
    size_t bytes = 0;
    minnow_status status;
    memset(&w, 0, sizeof w);
    TRY_GOTO(make_random_model(&model, &bytes));
    TRY_GOTO(file_write_all(SAME_BYTES_RANDOM, model, bytes, &error));
    TRY_GOTO(file_writer_open(&w, SAME_BYTES_GOLDEN, &error));
    TRY_GOTO(write_golden(w.stream, paths, n_paths));
    TRY_GOTO(file_writer_commit(&w, &error));
    memory_aligned_free(model);
    return MINNOW_OK;
fail:
    file_writer_abort(&w);
    memory_aligned_free(model);
    return status;
}

/* Every tier's vectors of all texts; what differs is printed. Returns how many tiers' do. */
static int check_real(const char *path) {
    yyjson_doc *known = NULL;
    char model[HEX_BYTES], hex[HEX_BYTES];
    rig r;
    int tier, n_wrong = 0;
    if (rig_open(&r, path) == MINNOW_OK && json_open(&known, SAME_BYTES_GOLDEN, &error) == MINNOW_OK &&
        same_bytes_file_hex(path, model)) {
        const char *wanted = same_bytes_expected(known, model, SAME_BYTES_TEXTS);
        for (tier = CPU_TIER_SCALAR + 1; tier < CPU_TIER_COUNT; tier++) {
            const kernels *k = kernels_for_tier(tier);
            float *vectors = k != NULL ? encode_each(&r, k, SAME_BYTES_TEXTS) : NULL;
            if (vectors == NULL) continue;
            same_bytes_hex(vectors, SAME_BYTES_TEXTS * r.model->hidden * sizeof *vectors, hex);
            printf("%s: %s%s\n", k->name, hex, strcmp(hex, wanted) == 0 ? "" : ": not what is known of this model");
            n_wrong += strcmp(hex, wanted) != 0;
            free(vectors);
        }
    } else {
        fprintf(stderr, "%s\n", error.message);
        n_wrong = 1;
    }
    yyjson_doc_free(known);
    rig_close(&r);
    return n_wrong;
}

/* --- The tests ---------------------------------------------------------------------------------------------------- */
static rig base;           /* of the random model */
static float *expected;    /* [SAME_BYTES_TEXTS, hidden]: each text alone, by the fastest kernels */
static yyjson_doc *golden;

static int set_up(void **state) {
    (void)state;
    if (rig_open(&base, SAME_BYTES_RANDOM) == MINNOW_OK && json_open(&golden, SAME_BYTES_GOLDEN, &error) == MINNOW_OK)
        expected = encode_each(&base, kernels_best(), SAME_BYTES_TEXTS);
    if (expected == NULL) fprintf(stderr, "%s\n", error.message);
    return expected != NULL ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    free(expected);
    yyjson_doc_free(golden);
    rig_close(&base);
    return 0;
}

static void check_vectors(const char *what, const float *vectors, size_t n) {
    char model[HEX_BYTES], hex[HEX_BYTES];
    assert_true(same_bytes_file_hex(SAME_BYTES_RANDOM, model));
    same_bytes_hex(vectors, n * base.model->hidden * sizeof *vectors, hex);
    if (strcmp(hex, same_bytes_expected(golden, model, n)) != 0) fail_msg("%s, %zu texts: %s", what, n, hex);
}

/* The files here belong to each other, and the model is what the program makes. */
static void test_files(void **state) {
    uint8_t *made;
    size_t bytes, i;
    file_map file;
    (void)state;
    assert_int_equal(make_random_model(&made, &bytes), MINNOW_OK);
    assert_int_equal(file_map_open(&file, SAME_BYTES_RANDOM, &error), MINNOW_OK);
    assert_true(bytes <= MODEL_LIMIT);
    assert_int_equal(file.bytes, bytes);
    assert_memory_equal(file.data, made, bytes);
    file_map_close(&file);
    memory_aligned_free(made);
    assert_string_equal(yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(golden), "texts")), texts.hex);
    for (i = 0; i < N_PARTS; i++) check_vectors("the fastest kernels", expected, parts[i]);
}

/* The texts have many lengths, up to the longest, and many of the vocabulary's tokens. */
static void test_texts(void **state) {
    uint8_t has_length[MAX_ROWS] = {0}, *has_id = calloc(base.model->n_vocab, 1);
    const size_t rows = base.starts[SAME_BYTES_TEXTS];
    size_t i, n_lengths = 0, n_ids = 0, n_unknown = 0;
    (void)state;
    assert_non_null(has_id);
    for (i = 0; i < SAME_BYTES_TEXTS; i++) has_length[tokens_of(&base, i)] = 1;
    for (i = 0; i < rows; i++) has_id[base.ids[i]] = 1, n_unknown += base.ids[i] == 1;
    for (i = 0; i < sizeof has_length; i++) n_lengths += has_length[i];
    for (i = 0; i < base.model->n_vocab; i++) n_ids += has_id[i];
    free(has_id);
    assert_true(n_lengths >= 120 && has_length[2] && has_length[base.model->max_tokens]);
    assert_true(n_ids >= 800 && n_unknown < rows / 20);
}

static int same_text(size_t a, size_t b) {
    const size_t n = tokens_of(&base, a);
    return n == tokens_of(&base, b) &&
           memcmp(base.ids + base.starts[a], base.ids + base.starts[b], n * sizeof *base.ids) == 0;
}

/* Vectors tell texts apart, to the eye and to the bit; or else a hash of them would tell little. */
static void test_vectors(void **state) {
    const size_t h = base.model->hidden;
    double sum = 0.0;
    size_t i, j;
    (void)state;
    for (i = 1; i < SAME_BYTES_TEXTS; i++) {
        sum += minnow_similarity(expected + i * h, expected + (i - 1) * h, h);
        for (j = 0; j < i; j++)
            if (memcmp(expected + i * h, expected + j * h, h * sizeof *expected) == 0 && !same_text(i, j))
                fail_msg("texts %zu and %zu: one vector", j, i);
    }
    assert_true(sum / (double)(SAME_BYTES_TEXTS - 1) < 0.75);
}

/* Which codes occur, over all layers. */
typedef struct spread {
    const char *site;
    int low, high; /* the clamps */
    size_t least;  /* codes that must occur */
    size_t count[256], n;
} spread;
enum { INPUT, QUERY, KEY, VALUE, CONTEXT, UP_INPUT, INNER, N_SITES };

static void count_codes(spread *s, const int8_t *codes, size_t rows, size_t n, size_t stride) {
    size_t i, j;
    for (i = 0; i < rows; i++)
        for (j = 0; j < n; j++) s->count[codes[i * stride + j] + 128]++;
    s->n += rows * n;
}

/* The layer's steps one by one, as engine.h has them. */
static void count_layer(spread sites[N_SITES], const int8_layer *layer, const engine_texts *one) {
    const int8_model *m = base.model;
    const kernels *k = kernels_best();
    const size_t rows = one->starts[1], h = m->hidden;
    static int8_t codes[512 * 80], qkv[512 * 240], inner[512 * 136];
    engine_quantize(k, &layer->attention_input, base.hidden, rows, h, codes);
    count_codes(&sites[INPUT], codes, rows, h, h);
    engine_query_key_value(m, k, layer, codes, rows, qkv);
    count_codes(&sites[QUERY], qkv, rows, h, 3 * h);
    count_codes(&sites[KEY], qkv + h, rows, h, 3 * h);
    count_codes(&sites[VALUE], qkv + 2 * h, rows, h, 3 * h);
    engine_attention(m, k, layer, one, qkv, base.scratch, codes);
    count_codes(&sites[CONTEXT], codes, rows, h, h);
    engine_output(m, k, &layer->attention_output, &layer->attention_norm, codes, rows, base.hidden);
    engine_quantize(k, &layer->up_input, base.hidden, rows, h, codes);
    count_codes(&sites[UP_INPUT], codes, rows, h, h);
    engine_up(k, layer, codes, rows, inner);
    count_codes(&sites[INNER], inner, rows, m->intermediate, m->intermediate);
    engine_output(m, k, &layer->down, &layer->output_norm, inner, rows, base.hidden);
}

/* Every site uses its whole range and is seldom clamped. */
static void test_ranges(void **state) {
    static spread sites[N_SITES] = {{.site = "attention input", .low = -128, .high = 127, .least = 256},
                                    {.site = "query", .low = -128, .high = 127, .least = 256},
                                    {.site = "key", .low = -64, .high = 63, .least = 128},
                                    {.site = "value", .low = -128, .high = 127, .least = 256},
                                    {.site = "context", .low = -128, .high = 127, .least = 256},
                                    {.site = "up input", .low = -128, .high = 127, .least = 256},
                                    {.site = "inner", .low = -128, .high = 127, .least = 200}};
    size_t t, l, i, c;
    (void)state;
    for (t = 0; t < 100; t++) {
        const size_t starts[2] = {0, tokens_of(&base, t)};
        const engine_texts one = {base.ids + base.starts[t], starts, 1};
        engine_embed(base.model, kernels_best(), &one, base.hidden);
        for (l = 0; l < base.model->n_layers; l++) count_layer(sites, &base.model->layers[l], &one);
    }
    for (i = 0; i < N_SITES; i++) {
        const spread *s = &sites[i];
        const size_t clamped = s->count[s->low + 128] + s->count[s->high + 128];
        size_t used = 0;
        for (c = 0; c < 256; c++) used += s->count[c] > 0;
        if (used < s->least || clamped > s->n / 10)
            fail_msg("%s: %zu codes used, %zu of %zu clamped", s->site, used, clamped, s->n);
    }
}

static size_t all_tables(const kernels *tables[KERNEL_TABLES + 1]) {
    const size_t n = kernel_tables(tables);
    tables[n] = &kernels_scalar;
    return n + 1;
}

/* All texts, each alone, on every table. Emulated or under ASan, the fastest have done all, and the others do the
 * first. */
static void test_kernels(void **state) {
    const kernels *tables[KERNEL_TABLES + 1];
    const size_t n_tables = all_tables(tables), n = is_emulated() || SANITIZED ? 100 : SAME_BYTES_TEXTS;
    size_t i;
    (void)state;
    for (i = 0; i < n_tables; i++) {
        float *vectors = encode_each(&base, tables[i], n);
        assert_non_null(vectors);
        check_vectors(tables[i]->name, vectors, n);
        free(vectors);
    }
}

/* --- In company --------------------------------------------------------------------------------------------------- */
/* Texts in any order, one more than once at times, until a text does not fit. Returns how many. */
static size_t random_batch(size_t *which, size_t most_texts, size_t most_rows) {
    size_t n, rows = 0;
    for (n = 0; n < most_texts; n++) {
        which[n] = n > 0 && dice(16) == 0 ? which[dice(n)] : dice(SAME_BYTES_TEXTS);
        rows += tokens_of(&base, which[n]);
        if (rows > most_rows) break;
    }
    return n;
}

static void check_batch(const kernels *k, thread_pool *pool, const size_t *which, size_t n) {
    static float vectors[512 * 80];
    const size_t h = base.model->hidden;
    size_t i;
    encode_batch(&base, k, pool, which, n, vectors);
    for (i = 0; i < n; i++)
        if (memcmp(vectors + i * h, expected + which[i] * h, h * sizeof *vectors) != 0)
            fail_msg("%s, %zu threads, text %zu as %zu of %zu: other bytes than alone", k->name,
                     thread_pool_size(pool), which[i], i + 1, n);
}

/* Random subsets, orders and cuts, each on one table in turn. */
static void test_batches(void **state) {
    const kernels *tables[KERNEL_TABLES + 1];
    const size_t n_tables = all_tables(tables), n_batches = 1000, most_rows = is_emulated() ? 48 : MAX_ROWS;
    size_t which[64], i, n;
    (void)state;
    for (i = 0; i < n_batches; i++) {
        n = random_batch(which, 1 + dice(64), 1 + dice(most_rows));
        check_batch(tables[i % n_tables], NULL, which, n);
    }
}

static void test_threads(void **state) {
    size_t which[64], n_threads, i, n;
    (void)state;
    for (n_threads = 1; n_threads <= MAX_THREADS; n_threads++) {
        thread_pool *pool = NULL;
        assert_int_equal(thread_pool_create(&pool, n_threads, &error), MINNOW_OK);
        for (i = 0; i < 4; i++) { /* two batches, and two texts alone */
            n = random_batch(which, i < 2 ? 64 : 1, is_emulated() ? 48 : MAX_ROWS);
            check_batch(kernels_best(), pool, which, n);
        }
        thread_pool_close(&pool);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),   cmocka_unit_test(test_texts),   cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_ranges),  cmocka_unit_test(test_kernels), cmocka_unit_test(test_batches),
        cmocka_unit_test(test_threads),
    };
    int failed = 1;
    if (same_bytes_texts_read(&texts, &error) != MINNOW_OK) fprintf(stderr, "%s\n", error.message);
    else if (argc > 1 && strcmp(argv[1], "--update") == 0) {
        failed = update(argv + 2, argc - 2) != MINNOW_OK;
        if (failed) fprintf(stderr, "%s\n", error.message);
    } else if (argc > 2 && strcmp(argv[1], "--real") == 0) {
        failed = check_real(argv[2]) != 0;
    } else {
        failed = cmocka_run_group_tests(tests, set_up, tear_down);
    }
    same_bytes_texts_free(&texts);
    return failed;
}
