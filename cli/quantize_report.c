/* SPDX-License-Identifier: Apache-2.0
 * What became of a quantization, for people and as JSON. */
#include <string.h>

#include "quantize_job.h"

static const quantize_matrix_report *worst_matrix(const quantize_job *j, double *mean) {
    const quantize_matrix_report *worst = &j->matrices[0];
    size_t i;
    *mean = 0;
    for (i = 0; i < j->n_matrices; i++) {
        *mean += j->matrices[i].relative_error / (double)j->n_matrices;
        if (j->matrices[i].relative_error > worst->relative_error) worst = &j->matrices[i];
    }
    return worst;
}

static void print_json(const quantize_job *j) {
    size_t i;
    double mean;
    (void)worst_matrix(j, &mean);
    fputs("{\"model\":", stdout);
    cli_json_string(stdout, quantize_job_output(j), strlen(quantize_job_output(j)));
    printf(",\"format\":\"%s\",\"bytes\":%zu,\"source_bytes\":%llu,\"name\":",
           j->settings->to_onnx ? "onnx" : "minnow", j->file_bytes, (unsigned long long)j->labels.bytes);
    cli_json_string(stdout, j->model->name, strlen(j->model->name));
    fputs(",\"license\":", stdout);
    cli_json_string(stdout, j->model->licence, strlen(j->model->licence));
    printf(",\"max_tokens\":%zu,\"calibration\":{", j->model->max_tokens);
    quantize_ranges_print_json(j->ranges);
    fputs("},\"matrix_error\":{\"mean\":", stdout);
    cli_json_double(stdout, mean);
    for (i = 0; i < j->n_matrices; i++) {
        printf(",\"%s\":", j->matrices[i].name);
        cli_json_double(stdout, j->matrices[i].relative_error);
    }
    fputs("},\"cosine\":", stdout);
    if (j->check.n_texts == 0) fputs("null", stdout);
    else
        printf("{\"texts\":%zu,\"held_out\":%s,\"mean\":%.6f,\"min\":%.6f}", j->check.n_texts,
               j->check.held_out ? "true" : "false", j->check.mean, j->check.least);
    fputs(",\"seconds\":", stdout);
    quantize_progress_print_json(&j->progress);
    if (j->settings->report != NULL) {
        fputs(",\"report\":", stdout);
        cli_json_string(stdout, j->settings->report, strlen(j->settings->report));
    }
    if (j->settings->to_onnx) {
        fputs(",\"files\":", stdout);
        export_files_print_json(&j->files);
    }
    fputs("}\n", stdout);
}

static const char *format_bytes(char *out, size_t capacity, uint64_t bytes) {
    if (bytes < 1000000) snprintf(out, capacity, "%llu bytes", (unsigned long long)bytes);
    else snprintf(out, capacity, "%.2f MB", (double)bytes / 1e6);
    return out;
}

static void print_text(const quantize_job *j) {
    char size[32];
    double mean;
    const quantize_matrix_report *worst = worst_matrix(j, &mean);
    cli_print_text(stdout, quantize_job_output(j), strlen(quantize_job_output(j)));
    printf(": %s,", format_bytes(size, sizeof size, j->file_bytes));
    printf(" FP32 %s\n", format_bytes(size, sizeof size, j->labels.bytes));
    fputs("calibration: ", stdout);
    quantize_ranges_print(j->ranges);
    printf("\nsquared error of matrices: mean %.2g, most %.2g (%s)\n", mean, worst->relative_error, worst->name);
    if (j->check.n_texts > 0)
        printf("cosine to FP32: mean %.6f, least %.6f on %zu %s\n", j->check.mean, j->check.least, j->check.n_texts,
               j->check.held_out ? "texts of the same file that calibration did not take"
                                 : "of the calibration texts themselves; judge by others: minnow eval");
    quantize_progress_print(&j->progress);
    putchar('\n');
    if (j->settings->report != NULL) {
        fputs("report: ", stdout);
        cli_print_text(stdout, j->settings->report, strlen(j->settings->report));
        putchar('\n');
    }
    if (j->settings->to_onnx) export_files_print(&j->files);
}

void quantize_job_print(const quantize_job *j, int json) {
    if (json) print_json(j);
    else print_text(j);
}
