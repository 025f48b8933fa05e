/* SPDX-License-Identifier: Apache-2.0
 * Options -> the model's files, opened, and texts as token ids. What costs least is checked first. */
#include "quantize_source.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/file_os.h"
#include "convert/import/tokenizer_files.h"
#include "convert/onnx/onnx.h"
#include "convert/shapes/infer.h"

static minnow_status find_model(quantize_source *s, const calibration_options *o, minnow_error *error) {
    char *found = NULL;
    const char *path = o->model;
    minnow_status status;
    if (path == NULL) {
        path = found = cli_find_model(error);
        if (found == NULL) return error->status;
    }
    status = model_locate(&s->at, path, o->tokenizer, error);
    if (status == MINNOW_OK && s->at.packed != NULL)
        status = error_set(error, MINNOW_ERROR_ARGUMENT,
                           "%s: a .minnow file is quantized already; name the ONNX file or the model's folder",
                           s->at.packed);
    else if (status == MINNOW_OK && s->at.tokenizer == NULL)
        status = error_set(error, MINNOW_ERROR_IO,
                           "%s: no tokenizer.json or vocab.txt beside it; name one with --tokenizer", path);
    free(found);
    return status;
}

static const char *weights_name(const quantize_source *s) { return s->at.onnx != NULL ? s->at.onnx : s->at.folder; }

static minnow_status open_encoder(quantize_source *s, int external_data, minnow_error *error) {
    if (s->at.onnx != NULL) TRY(onnx_open(&s->graph, s->at.onnx, external_data, error));
    else TRY(import_folder(&s->graph, s->at.folder, NULL, error));
    if (graph_infer_shapes(s->graph, error) || optimize_encoder(&s->encoder, s->graph, error))
        return error_prefix(error, error->status, "%s", weights_name(s));
    if (tokenizer_vocab_size(s->tokenizer) > s->encoder->n_vocab)
        return error_set(error, MINNOW_ERROR_FORMAT, "%s: token ids up to %zu, where %s has embeddings for %zu",
                         s->at.tokenizer, tokenizer_vocab_size(s->tokenizer) - 1, weights_name(s), s->encoder->n_vocab);
    return MINNOW_OK;
}

static minnow_status choose_max_tokens(quantize_source *s, size_t asked, minnow_error *error) {
    const size_t n = s->encoder->n_positions, usual = model_max_tokens(&s->settings);
    s->max_tokens = asked != 0 ? asked : usual < n ? usual : n;
    if (s->max_tokens > n)
        return error_set(error, MINNOW_ERROR_ARGUMENT, "%zu tokens asked for, the model has positions for %zu",
                         s->max_tokens, n);
    return MINNOW_OK;
}

static minnow_status open_texts(quantize_source *s, const calibration_options *o, int optional, minnow_error *error) {
    s->texts_path = o->texts != NULL ? path_join("", o->texts) : cli_find_calibration_texts(error);
    if (s->texts_path == NULL && o->texts != NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    if (s->texts_path == NULL) return optional && error->status == MINNOW_ERROR_IO ? MINNOW_OK : error->status;
    return calibration_texts_open(&s->texts, s->texts_path, s->tokenizer, o->samples, s->max_tokens, error);
}

minnow_status quantize_source_open(quantize_source *s, const calibration_options *o, int texts_optional,
                                   minnow_error *error) {
    TRY(find_model(s, o, error));
    TRY(settings_read(&s->settings, s->at.folder, error));
    TRY(tokenizer_open(&s->tokenizer, s->at.tokenizer, error));
    TRY(open_encoder(s, o->external_data, error));
    TRY(choose_max_tokens(s, o->max_tokens, error));
    TRY(open_texts(s, o, texts_optional, error));
    TRY(thread_pool_create(&s->pool, o->n_threads, error));
    return float_encoder_create(&s->floats, s->encoder, s->pool, error);
}

void quantize_source_close(quantize_source *s) {
    calibration_texts_free(&s->texts);
    free(s->texts_path);
    float_encoder_close(&s->floats);
    thread_pool_close(&s->pool);
    encoder_close(&s->encoder);
    graph_close(&s->graph);
    tokenizer_close(&s->tokenizer);
    settings_free(&s->settings);
    model_location_free(&s->at);
    memset(s, 0, sizeof *s);
}

char *quantize_source_file(const quantize_source *s) {
    return s->at.onnx != NULL ? path_join("", s->at.onnx) : path_join(s->at.folder, "model.safetensors");
}

static minnow_status check_folder(const char *path, minnow_error *error) {
    char *folder = path_folder(path);
    minnow_status status = MINNOW_OK;
    if (folder == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    if (!file_is_directory(folder)) status = error_set(error, MINNOW_ERROR_IO, "%s: no such folder", folder);
    free(folder);
    return status;
}

/* Makes a file beside it and takes it away again. A pipe would notice, and is not asked. */
static minnow_status check_writable(const char *path, minnow_error *error) {
    file_writer probe;
    if (file_os_is_special(path)) return MINNOW_OK;
    TRY(file_writer_open(&probe, path, error));
    file_writer_abort(&probe);
    return MINNOW_OK;
}

/* A file's real path; that of its folder and its name, if it is not there yet. malloc'd, or NULL. */
static char *place_of(const char *path) {
    char *place = file_os_real_path(path), *folder, *real;
    if (place != NULL) return place;
    folder = path_folder(path);
    real = folder != NULL ? file_os_real_path(folder) : NULL;
    place = real != NULL ? path_join(real, path_name(path)) : NULL;
    free(folder);
    free(real);
    return place;
}

int quantize_is_same_file(const char *a, const char *b) {
    char *x = place_of(a), *y = place_of(b);
    const int same = strcmp(a, b) == 0 || (x != NULL && y != NULL && strcmp(x, y) == 0);
    free(x);
    free(y);
    return same;
}

/* What is read may be a device that is written as well. */
static int is_input(const char *path, const char *input) {
    return input != NULL && !file_os_is_special(path) && quantize_is_same_file(path, input);
}

minnow_status quantize_check_output(const quantize_source *s, const char *path, minnow_error *error) {
    char *weights;
    int is_model;
    if (*path_name(path) == '\0' || file_is_directory(path))
        return error_set(error, MINNOW_ERROR_IO, "%s: a folder, where a file is to be written", path);
    TRY(check_folder(path, error));
    TRY(check_writable(path, error));
    weights = quantize_source_file(s);
    if (weights == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    is_model = is_input(path, weights);
    free(weights);
    if (is_model) return error_set(error, MINNOW_ERROR_ARGUMENT, "%s: is the model itself", path);
    if (is_input(path, s->at.tokenizer) || is_input(path, s->texts_path))
        return error_set(error, MINNOW_ERROR_ARGUMENT, "%s: is read here, and would be overwritten", path);
    return MINNOW_OK;
}
