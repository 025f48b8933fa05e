/* SPDX-License-Identifier: Apache-2.0
 * quantize --to onnx: INT8 model -> QDQ ONNX file, and the small files that belong to it. */
#include "convert/onnx/onnx.h"
#include "convert/qdq/qdq.h"
#include "quantize_job.h"

#define HUB_NAME "onnx/model_quantized.onnx" /* what transformers.js looks for with dtype 'q8' */

minnow_status quantize_onnx_plan(quantize_job *j, minnow_error *error) {
    const quantize_settings *s = j->settings;
    TRY(export_files_plan(&j->files, j->source.at.folder, s->output, HUB_NAME, s->force, error));
    TRY(export_files_make_folders(&j->files, error));
    return quantize_check_output(&j->source, j->files.model, error);
}

minnow_status quantize_onnx_make(quantize_job *j, const int8_model *m, minnow_error *error) {
    const qdq_types types = {j->source.encoder->n_types, j->source.encoder->types};
    return qdq_graph(&j->graph, m, &types, error);
}

/* The model is written last: one that is there is complete. */
minnow_status quantize_onnx_write(quantize_job *j, minnow_error *error) {
    TRY(export_files_copy(&j->files, j->source.at.folder, error));
    TRY(onnx_write(j->graph, j->files.model, error));
    j->file_bytes = export_files_model_bytes(&j->files);
    return MINNOW_OK;
}
