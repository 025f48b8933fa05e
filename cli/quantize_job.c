/* SPDX-License-Identifier: Apache-2.0
 * FP32 model -> ranges -> INT8 model -> bytes, read back and checked -> file, .minnow or ONNX. */
#include "quantize_job.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/os.h"
#include "convert/import/tokenizer_files.h"
#include "convert/pack/pack.h"
#include "quantize_page.h"

/* The strings are borrowed: they outlive the model. */
static void label(int8_model *m, const quantize_settings *s, const quantize_source *source, const quantize_labels *l) {
    m->pooling = model_pooling(&source->settings);
    m->normalize = source->settings.normalize != 0;
    m->max_tokens = source->max_tokens;
    m->name = s->name != NULL ? s->name : l->name;
    m->licence = s->licence != NULL ? s->licence : l->licence;
    m->source = l->file;
    memcpy(m->source_sha256, l->sha256, sizeof m->source_sha256);
}

/* --- The work ----------------------------------------------------------------------------------------------- */

void quantize_job_close(quantize_job *j) {
    int8_model_close(&j->model);
    memory_aligned_free(j->file);
    export_files_free(&j->files);
    free(j->matrices);
    arena_free(&j->memory);
    ranges_close(&j->ranges);
    quantize_labels_free(&j->labels);
    quantize_source_close(&j->source);
    memset(j, 0, sizeof *j);
}

static minnow_status open_ranges(quantize_job *j, minnow_error *error) {
    uint8_t hash[SHA256_BYTES];
    TRY(ranges_open(&j->ranges, j->settings->ranges, error));
    ranges_weights_sha256(j->source.encoder, hash);
    if (memcmp(hash, j->ranges->weights_sha256, sizeof hash) == 0) return MINNOW_OK;
    return error_set(error, MINNOW_ERROR_FORMAT, "%s: ranges of another model: its weights are not these",
                     j->settings->ranges);
}

static minnow_status get_ranges(quantize_job *j, minnow_error *error) {
    range_options o = j->settings->calibration.ranges;
    if (j->settings->ranges != NULL) return open_ranges(j, error);
    o.progress = quantize_progress_update;
    o.progress_context = &j->progress;
    return ranges_calibrate(&j->ranges, j->source.floats, &j->source.texts, &o, error);
}

static minnow_status make_model(quantize_job *j, minnow_error *error) {
    quantize_options o = j->settings->quantize;
    const int with_texts = j->source.texts.n_texts > 0;
    if (j->settings->usual_copies) o.n_copies = quantize_usual_copies(j->source.encoder->intermediate);
    o.pool = j->source.pool;
    o.progress = quantize_progress_update;
    o.progress_context = &j->progress;
    j->n_matrices = 4 * j->source.encoder->n_layers;
    j->matrices = calloc(j->n_matrices, sizeof *j->matrices);
    if (j->matrices == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    return quantize_encoder(&j->model, j->source.encoder, j->ranges, with_texts ? j->source.floats : NULL,
                            with_texts ? &j->source.texts : NULL, &o, j->matrices, error);
}

const char *quantize_job_output(const quantize_job *j) {
    return j->settings->to_onnx ? j->files.model : j->settings->output;
}

/* Ctrl-C ends the program at once until here: there is nothing to remove before. */
static minnow_status write_output(quantize_job *j, minnow_error *error) {
    os_catch_interrupts();
    if (j->settings->to_onnx) return quantize_onnx_write(j, error);
    return file_write_all(j->settings->output, j->file, j->file_bytes, error);
}

/* What is checked and written is what will be read: the packed bytes, or the graph that is made of them. */
static minnow_status check_and_write(quantize_job *j, const int8_model *read, minnow_error *error) {
    minnow_status status;
    if (j->settings->to_onnx) TRY(quantize_onnx_make(j, read, error));
    status = quantize_check_run(&j->check, read, j->graph, &j->source, &j->progress, error);
    quantize_progress_end(&j->progress);
    if (status == MINNOW_OK) status = write_output(j, error);
    graph_close(&j->graph);
    return status;
}

static minnow_status pack_and_write(quantize_job *j, minnow_error *error) {
    tokenizer_config config;
    int8_model *read = NULL;
    minnow_status status;
    quantize_progress_update(&j->progress, "pack", 0, 1);
    label(j->model, j->settings, &j->source, &j->labels);
    TRY(tokenizer_config_open(&config, &j->memory, j->source.at.tokenizer, error));
    TRY(pack_bytes(j->model, &config, &j->file, &j->file_bytes, error));
    TRY(int8_model_read(&read, j->file, j->file_bytes, error));
    status = check_and_write(j, read, error);
    int8_model_close(&read);
    return status;
}

static minnow_status run(quantize_job *j, minnow_error *error) {
    TRY(quantize_labels_read(&j->labels, &j->source, error));
    TRY(get_ranges(j, error));
    TRY(make_model(j, error));
    return pack_and_write(j, error);
}

static minnow_status plan_output(quantize_job *j, minnow_error *error) {
    const char *output = j->settings->output;
    if (j->settings->to_onnx) return quantize_onnx_plan(j, error);
    if (*path_name(output) == '\0' || file_is_directory(output))
        return error_set(error, MINNOW_ERROR_IO,
                         "%s: a folder, where a file is to be written (--to onnx writes into folders)", output);
    return quantize_check_output(&j->source, output, error);
}

minnow_status quantize_job_run(quantize_job *j, const quantize_settings *s, minnow_error *error) {
    const int texts_optional = s->ranges != NULL && s->quantize.rounding == QUANTIZE_NEAREST;
    eval_tasks tasks;
    minnow_status status;
    j->settings = s;
    TRY(quantize_source_open(&j->source, &s->calibration, texts_optional, error));
    TRY(plan_output(j, error));
    status = quantize_page_prepare(&tasks, j, error);
    if (status == MINNOW_OK) status = run(j, error);
    if (status == MINNOW_OK) status = quantize_page_write(j, &tasks, error);
    eval_tasks_close(&tasks);
    return status;
}
