/* SPDX-License-Identifier: Apache-2.0
 * FP32 encoder + ranges (+ texts) -> INT8 model: checks that they fit together, fills a model in, has its matrices
 * rounded. */
#include "convert/quantize/quantize.h"

#include <stdio.h>
#include <string.h>

#include "convert/quantize/parts.h"
#include "run/model/storage.h"

/* Times the mean diagonal. By mean cosine on texts that are not calibrated with: a small ridge fits the calibration
 * texts too closely (0.02: 0.9966, 0.2: 0.9973, 1 to 3: 0.9976), and no regression at all is behind it again. The
 * damping hardly matters. */
#define DEFAULT_RIDGE 3.0
#define DEFAULT_DAMPING 0.1
#define LARGEST_K ((size_t)1 << 17) /* 2^17 * 128 * 64 fits in an int32 */

typedef struct quantization {
    const encoder *e;
    const ranges *r;
    const quantize_options *options;
    int8_model *m;
    int8_layer *layers;
    split_layer *split;     /* [n_layers] */
    matrix_job *jobs;       /* [4 n_layers] */
    const float **means;    /* [4 n_layers][k]: of each job's input */
    arena scratch;          /* jobs and what they point to */
} quantization;

static minnow_status out_of_memory(minnow_error *error) {
    return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
}

/* --- Do the parts fit together? ----------------------------------------------------------------------------------- */
static minnow_status check_encoder(const encoder *e, minnow_error *error) {
    const float epsilon = e->embedding_norm.epsilon;
    if (e->n_layers == 0 || e->n_heads == 0 || e->hidden % e->n_heads != 0 || e->hidden / e->n_heads % 4 != 0)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED,
                         "%zu layers of %zu heads in %zu dimensions: heads must have a multiple of 4",
                         e->n_layers, e->n_heads, e->hidden);
    if (e->intermediate == 0 || e->intermediate % 4 != 0 || e->intermediate > LARGEST_K || e->hidden > LARGEST_K)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED, "hidden size %zu, intermediate size %zu", e->hidden,
                         e->intermediate);
    for (size_t i = 0; i < e->n_layers; i++)
        if (e->layers[i].attention_norm.epsilon != epsilon || e->layers[i].output_norm.epsilon != epsilon)
            return error_set(error, MINNOW_ERROR_UNSUPPORTED,
                             "layer %zu: its layer norms have another epsilon than the embeddings'", i);
    return MINNOW_OK;
}

static minnow_status check_ranges(const encoder *e, const ranges *r, minnow_error *error) {
    if (r->n_layers != e->n_layers || r->hidden != e->hidden || r->intermediate != e->intermediate ||
        r->n_heads != e->n_heads)
        return error_set(error, MINNOW_ERROR_ARGUMENT,
                         "ranges of %zu layers, %zu dimensions, %zu heads and %zu inside, the model has %zu, %zu, "
                         "%zu, %zu",
                         r->n_layers, r->hidden, r->n_heads, r->intermediate, e->n_layers, e->hidden, e->n_heads,
                         e->intermediate);
    for (size_t i = 0; i < r->n_layers; i++)
        for (int role = 0; role < RANGE_ROLES; role++) {
            const range_site *site = ranges_site(r, i, (range_role)role);
            if (site == NULL || site->channels != (role == RANGE_DOWN_INPUT ? e->intermediate : e->hidden))
                return error_set(error, MINNOW_ERROR_ARGUMENT, "ranges lack a site of layer %zu", i);
        }
    return MINNOW_OK;
}

static minnow_status check_texts(const encoder *e, const calibration_texts *t, minnow_error *error) {
    if (t->n_texts == 0 || t->rows == 0) return error_set(error, MINNOW_ERROR_ARGUMENT, "no calibration texts");
    if (t->longest > e->n_positions)
        return error_set(error, MINNOW_ERROR_ARGUMENT, "a text of %zu tokens, the model has %zu positions", t->longest,
                         e->n_positions);
    for (size_t i = 0; i < t->rows; i++)
        if (t->ids[i] < 0 || (size_t)t->ids[i] >= e->n_vocab)
            return error_set(error, MINNOW_ERROR_ARGUMENT, "token %zu has id %d, the model's vocabulary ends at %zu", i,
                             (int)t->ids[i], e->n_vocab);
    return MINNOW_OK;
}

/* --- Norms -------------------------------------------------------------------------------------------------------- */
static float larger(float a, float b) {
    const float x = a < 0.0f ? -a : a, y = b < 0.0f ? -b : b;
    return x > y ? x : y;
}

/* --ln-inputs: 8 bits for what goes into a norm, one step for all channels or one each. */
static minnow_status quantize_norm_input(quantization *q, int8_norm *out, size_t place, minnow_error *error) {
    const size_t n = q->e->hidden;
    const range_norm *norm = q->r->norms + place;
    float *multiplier = arena_array(&q->m->storage->memory, n, sizeof *multiplier);
    float *step = arena_array(&q->m->storage->memory, n, sizeof *step), largest = 0.0f;
    if (multiplier == NULL || step == NULL) return out_of_memory(error);
    for (size_t j = 0; j < n; j++) largest = larger(largest, larger(norm->minimum[j], norm->maximum[j]));
    for (size_t j = 0; j < n; j++) {
        const int is_one = q->options->norm_inputs == QUANTIZE_NORM_PER_TENSOR;
        float range = is_one ? largest : larger(norm->minimum[j], norm->maximum[j]);
        if (!(range < 1e30f))
            return error_set(error, MINNOW_ERROR_FORMAT, "ranges: norm %zu, channel %zu is out of range", place, j);
        if (!(range > 1e-30f)) range = 1e-30f;
        step[j] = range / 127.0f;
        multiplier[j] = 127.0f / range;
    }
    out->input_multiplier = multiplier;
    out->input_step = step;
    return MINNOW_OK;
}

static minnow_status fill_norm(quantization *q, int8_norm *out, const encoder_norm *norm, size_t place,
                               minnow_error *error) {
    const size_t n = q->e->hidden;
    float *gamma = arena_array(&q->m->storage->memory, n, sizeof *gamma),
        *beta = arena_array(&q->m->storage->memory, n, sizeof *beta);
    if (gamma == NULL || beta == NULL) return out_of_memory(error);
    memcpy(gamma, norm->gamma, n * sizeof *gamma);
    memcpy(beta, norm->beta, n * sizeof *beta);
    *out = (int8_norm){.gamma = gamma, .beta = beta};
    return q->options->norm_inputs == QUANTIZE_NORM_FLOAT ? MINNOW_OK : quantize_norm_input(q, out, place, error);
}

/* --- Layers ------------------------------------------------------------------------------------------------------- */
static minnow_status fill_sites(quantization *q, size_t i, minnow_error *error) {
    int8_layer *layer = &q->layers[i];
    arena *memory = &q->m->storage->memory;
    const ranges *r = q->r;
    float *score_scale = arena_array(memory, q->e->n_heads, sizeof *score_scale);
    if (score_scale == NULL) return out_of_memory(error);
    TRY(site_quantizer(&layer->attention_input, memory, ranges_site(r, i, RANGE_ATTENTION_INPUT), error));
    TRY(site_context(&layer->context, memory, ranges_site(r, i, RANGE_CONTEXT), ranges_site(r, i, RANGE_VALUE), error));
    TRY(site_quantizer(&layer->up_input, memory, ranges_site(r, i, RANGE_UP_INPUT), error));
    TRY(site_quantizer(&layer->down_input, memory, &q->split[i].site, error));
    TRY(site_scores(score_scale, r, i, q->e->attention_scale, error));
    layer->score_scale = score_scale;
    return MINNOW_OK;
}

/* One matrix of at most three parts, whose input goes through `site` (whose quantizer the engine applies is
 * `applied`). */
static minnow_status start_job(quantization *q, size_t layer, size_t place, const char *name,
                               const encoder_linear *const *parts,
                               size_t n_parts, range_role role, int8_matrix *out, minnow_error *error) {
    matrix_job *job = &q->jobs[4 * layer + place];
    const range_site *site = role == RANGE_DOWN_INPUT ? &q->split[layer].site : ranges_site(q->r, layer, role);
    snprintf(job->name, sizeof job->name, "layer.%zu.%s", layer, name);
    job->n_parts = n_parts;
    job->k = parts[0]->k;
    for (size_t p = 0; p < n_parts; p++) {
        if (parts[p]->k != site->channels)
            return error_set(error, MINNOW_ERROR_ARGUMENT, "%s: takes %zu inputs", job->name, parts[p]->k);
        job->parts[p] = parts[p];
        job->n += parts[p]->n;
    }
    q->means[4 * layer + place] = site->mean;
    TRY(site_quantizer(&job->input, &q->scratch, site, error)); /* of the context: as seen from its true values */
    return matrix_reserve(job, out, &q->m->storage->memory, error);
}

/* Query, key and value leave their matrix as codes. */
static minnow_status add_output_steps(quantization *q, size_t layer, minnow_error *error) {
    matrix_job *job = &q->jobs[4 * layer];
    const size_t hidden = q->e->hidden;
    double *step = arena_array(&q->scratch, 3 * hidden, sizeof *step),
        *center = arena_array(&q->scratch, 3 * hidden, sizeof *center);
    if (step == NULL || center == NULL) return out_of_memory(error);
    TRY(site_steps(ranges_site(q->r, layer, RANGE_QUERY), step, center, error));
    TRY(site_steps(ranges_site(q->r, layer, RANGE_KEY), step + hidden, center + hidden, error));
    TRY(site_steps(ranges_site(q->r, layer, RANGE_VALUE), step + 2 * hidden, center + 2 * hidden, error));
    job->step = step;
    job->center = center;
    return MINNOW_OK;
}

static minnow_status fill_layer(quantization *q, size_t i, minnow_error *error) {
    const encoder_layer *from = &q->e->layers[i];
    const encoder_linear *const qkv[] = {&from->query, &from->key, &from->value};
    const encoder_linear *const output[] = {&from->output};
    const encoder_linear *const up[] = {&q->split[i].up}, *const down[] = {&q->split[i].down};
    int8_layer *layer = &q->layers[i];
    q->split[i] = (split_layer){from->up, from->down, *ranges_site(q->r, i, RANGE_DOWN_INPUT)};
    TRY(split_channels(&q->split[i], &q->scratch, q->r->alpha, q->options->n_copies, error));
    TRY(fill_sites(q, i, error));
    TRY(fill_norm(q, &layer->attention_norm, &from->attention_norm, 1 + 2 * i, error));
    TRY(fill_norm(q, &layer->output_norm, &from->output_norm, 2 + 2 * i, error));
    TRY(start_job(q, i, 0, "query_key_value", qkv, 3, RANGE_ATTENTION_INPUT, &layer->query_key_value, error));
    TRY(add_output_steps(q, i, error));
    TRY(start_job(q, i, 1, "attention_output", output, 1, RANGE_CONTEXT, &layer->attention_output, error));
    TRY(start_job(q, i, 2, "up", up, 1, RANGE_UP_INPUT, &layer->up, error));
    return start_job(q, i, 3, "down", down, 1, RANGE_DOWN_INPUT, &layer->down, error);
}

static minnow_status fill_model(quantization *q, minnow_error *error) {
    const encoder *e = q->e;
    int8_model *m = q->m;
    arena *memory = &m->storage->memory;
    const int8_table_kind kind = q->options->embedding != 0 ? q->options->embedding : INT8_TABLE_ROWS;
    const int8_table_kind positions_kind = kind == INT8_TABLE_HALF ? INT8_TABLE_HALF : INT8_TABLE_ROWS;
    m->n_layers = e->n_layers;
    m->hidden = e->hidden;
    m->n_heads = e->n_heads;
    m->intermediate = e->intermediate + q->options->n_copies;
    m->n_vocab = e->n_vocab;
    m->n_positions = e->n_positions;
    m->activation = INT8_GELU;
    m->norm_epsilon = e->embedding_norm.epsilon;
    m->pooling = MINNOW_POOLING_MEAN;
    m->max_tokens = e->n_positions;
    q->layers = arena_array(memory, e->n_layers, sizeof *q->layers);
    q->jobs = arena_array(&q->scratch, 4 * e->n_layers, sizeof *q->jobs);
    q->split = arena_array(&q->scratch, e->n_layers, sizeof *q->split);
    q->means = arena_array(&q->scratch, 4 * e->n_layers, sizeof *q->means);
    if (q->layers == NULL || q->jobs == NULL || q->split == NULL || q->means == NULL) return out_of_memory(error);
    m->layers = q->layers;
    TRY(table_quantize(&m->words, memory, kind, e->words, e->n_vocab, e->hidden, q->options->pool, error));
    TRY(table_quantize(&m->positions, memory, positions_kind, e->positions, e->n_positions, e->hidden,
                       q->options->pool, error));
    TRY(fill_norm(q, &m->embedding_norm, &e->embedding_norm, 0, error));
    for (size_t i = 0; i < e->n_layers; i++) TRY(fill_layer(q, i, error));
    return MINNOW_OK;
}

/* --- Rounding ----------------------------------------------------------------------------------------------------- */
static minnow_status round_nearest(quantization *q, quantize_matrix_report *report, minnow_error *error) {
    const size_t n = 4 * q->e->n_layers;
    for (size_t i = 0; i < n; i++) {
        const float *mean = q->options->no_bias_correction ? NULL : q->means[i];
        double relative_error;
        TRY(matrix_nearest(&q->jobs[i], mean, q->options->pool, &relative_error, error));
        if (report != NULL) report[i].relative_error = relative_error;
        if (q->options->progress != NULL) q->options->progress(q->options->progress_context, "quantize", i + 1, n);
    }
    return MINNOW_OK;
}

/* The names live as long as the model. */
static minnow_status name_reports(quantization *q, quantize_matrix_report *report, minnow_error *error) {
    for (size_t i = 0; report != NULL && i < 4 * q->e->n_layers; i++) {
        report[i].name = arena_string(&q->m->storage->memory, q->jobs[i].name, strlen(q->jobs[i].name));
        if (report[i].name == NULL) return out_of_memory(error);
    }
    return MINNOW_OK;
}

static minnow_status quantize_all(quantization *q, float_encoder *f, const calibration_texts *texts,
                                  quantize_matrix_report *report, minnow_error *error) {
    TRY(fill_model(q, error));
    TRY(name_reports(q, report, error));
    if (q->options->rounding == QUANTIZE_GPTQ) return walk_layers(q->m, q->jobs, f, texts, q->options, report, error);
    return round_nearest(q, report, error);
}

minnow_status quantize_encoder(int8_model **out, const encoder *e, const ranges *r, float_encoder *f,
                               const calibration_texts *texts, const quantize_options *options,
                               quantize_matrix_report *report, minnow_error *error) {
    quantize_options chosen = options != NULL ? *options : (quantize_options){0};
    quantization q = {.e = e, .r = r, .options = &chosen};
    minnow_status status;
    *out = NULL;
    if (!(chosen.ridge > 0.0)) chosen.ridge = DEFAULT_RIDGE;
    if (!(chosen.damping > 0.0)) chosen.damping = DEFAULT_DAMPING;
    TRY(check_encoder(e, error));
    TRY(check_ranges(e, r, error));
    if (chosen.n_copies % 4 != 0 || chosen.n_copies > e->intermediate)
        return error_set(error, MINNOW_ERROR_ARGUMENT,
                         "%zu copies of inner channels: not a multiple of 4, or more than the %zu channels",
                         chosen.n_copies, e->intermediate);
    if (chosen.rounding == QUANTIZE_GPTQ) {
        if (f == NULL || texts == NULL) return error_set(error, MINNOW_ERROR_ARGUMENT, "GPTQ needs calibration texts");
        TRY(check_texts(e, texts, error));
    }
    q.m = int8_model_create();
    if (q.m == NULL) return out_of_memory(error);
    status = quantize_all(&q, f, texts, report, error);
    arena_free(&q.scratch);
    if (status != MINNOW_OK) int8_model_close(&q.m);
    else *out = q.m;
    return status;
}
