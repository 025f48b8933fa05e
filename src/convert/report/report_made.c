/* SPDX-License-Identifier: Apache-2.0
 * The report's head, what it comes to, and what was made with which options. */
#include <stdio.h>
#include <string.h>

#include "convert/report/parts.h"

/* --- Summary -------------------------------------------------------------------------------------------------- */

static void put_size_sentence(html_writer *w, const report_input *in) {
    html_put(w, "<p class=\"lead\">");
    if (in->file_bytes == 0) return;
    html_put(w, "The static INT8 model takes <strong>");
    html_text(w, report_bytes(in->file_bytes).text);
    html_put(w, "</strong>");
    if (in->source_bytes > 0) {
        html_put(w, ", ");
        html_text(w, report_percent((double)in->file_bytes / (double)in->source_bytes).text);
        html_put(w, " of its source’s ");
        html_text(w, report_bytes(in->source_bytes).text);
    }
    html_put(w, ".");
}

static void put_cosine_sentence(html_writer *w, const report_input *in) {
    if (in->n_compared == 0) {
        html_put(w, " Its vectors were compared with nothing: there were no texts.");
        return;
    }
    html_format(w, " On %zu %s its vectors have a cosine of <strong>%.6f</strong> to the FP32 model’s in the mean, "
                   "%.6f at least.", in->n_compared,
                in->held_out ? "texts that calibration has not seen" : "of the calibration texts themselves",
                in->cosine_mean, in->cosine_least);
}

static void put_tasks_sentence(html_writer *w, const report_input *in) {
    const report_task *worst;
    const double change = report_tasks_change(in, &worst);
    size_t n = 0;
    if (worst == NULL) return;
    for (size_t i = 0; i < in->n_tasks; i++) n += !report_is_nan(report_task_change(&in->tasks[i]));
    if (n == 1) html_format(w, " The score of the one task changes by <strong>%s</strong>", report_change(change).text);
    else
        html_format(w, " The scores of %zu tasks change by <strong>%s</strong> in the mean, %s at worst", n,
                    report_change(change).text, report_change(report_task_change(worst)).text);
    html_put(w, " (<bdi>");
    html_text(w, worst->name);
    html_put(w, "</bdi>).");
}

static void put_tile(html_writer *w, const char *name, const char *value, const char *note) {
    html_put(w, "<div><dt>");
    html_text(w, name);
    html_put(w, "</dt><dd><b>");
    html_text(w, value);
    html_put(w, "</b> <span>");
    html_text(w, note);
    html_put(w, "</span></dd></div>");
}

static void put_tiles(html_writer *w, const report_input *in) {
    const report_task *worst;
    const double change = report_tasks_change(in, &worst);
    char value[48], note[64];
    html_put(w, "<dl class=\"tiles\">");
    snprintf(note, sizeof note, "from %s", report_bytes(in->source_bytes).text);
    if (in->file_bytes > 0)
        put_tile(w, "File", report_bytes(in->file_bytes).text, in->source_bytes > 0 ? note : "INT8");
    if (in->n_compared > 0) {
        snprintf(value, sizeof value, "%.6f", in->cosine_mean);
        snprintf(note, sizeof note, "least %.6f", in->cosine_least);
        put_tile(w, "Cosine to FP32", value, note);
    }
    if (in->drift != NULL) {
        snprintf(note, sizeof note, "mean token cosine %.6f", in->drift[in->model->n_layers].cosine_mean);
        put_tile(w, "Error after the last layer",
                 report_percent(in->drift[in->model->n_layers].relative_error).text, note);
    }
    if (worst != NULL) {
        snprintf(note, sizeof note, "worst %s", report_change(report_task_change(worst)).text);
        put_tile(w, "Change of scores", report_change(change).text, note);
    }
    html_put(w, "</dl>\n");
}

const char *report_model_name(const report_input *in) {
    return *in->model->name != '\0' ? in->model->name : "A model without a name";
}

void report_summary(html_writer *w, const report_input *in) {
    html_put(w, "<header><p class=\"over\">Quantization report</p><h1><bdi>");
    html_text(w, report_model_name(in));
    html_put(w, "</bdi>, FP32 to INT8</h1>\n");
    put_size_sentence(w, in);
    put_cosine_sentence(w, in);
    put_tasks_sentence(w, in);
    html_put(w, "</p>");
    put_tiles(w, in);
    html_put(w, "</header>\n");
}

/* --- What was made -------------------------------------------------------------------------------------------- */

static void put_fact(html_writer *w, const char *name, const char *text) {
    html_put(w, "<div><dt>");
    html_text(w, name);
    html_put(w, "</dt><dd><bdi>");
    html_text(w, *text != '\0' ? text : "not known");
    html_put(w, "</bdi></dd></div>\n");
}

/* 64 digits, or "" if the hash is not known. */
static const char *hash_text(const uint8_t hash[32], char text[65]) {
    unsigned any = 0;
    for (size_t i = 0; i < 32; i++) {
        any |= hash[i];
        snprintf(text + 2 * i, 3, "%02x", hash[i]);
    }
    if (any == 0) text[0] = '\0';
    return text;
}

static void put_model_facts(html_writer *w, const report_input *in) {
    const int8_model *m = in->model;
    char text[160];
    put_fact(w, "Source", m->source);
    put_fact(w, "Its SHA-256", hash_text(m->source_sha256, text));
    put_fact(w, "Written to", in->output);
    put_fact(w, "Licence", m->licence);
    snprintf(text, sizeof text, "%zu layer%s, %zu dimensions, %zu head%s, %zu inner channels", m->n_layers,
             m->n_layers == 1 ? "" : "s", m->hidden, m->n_heads, m->n_heads == 1 ? "" : "s", in->encoder->intermediate);
    put_fact(w, "Encoder", text);
    snprintf(text, sizeof text, "%zu tokens, %zu positions; texts up to %zu tokens", m->n_vocab, m->n_positions,
             m->max_tokens);
    put_fact(w, "Vocabulary", text);
}

static void put_calibration_facts(html_writer *w, const report_input *in) {
    const ranges *r = in->ranges;
    char text[200];
    size_t used = 0;
    snprintf(text, sizeof text, "%zu texts, %zu tokens; %zu cut%s", r->n_texts, r->n_tokens, r->n_truncated,
             in->ranges_given ? "; ranges from a file" : "");
    put_fact(w, "Calibrated on", text);
    if (in->texts != NULL) put_fact(w, "Texts from", in->texts);
    for (int method = RANGE_AUTO + 1; method < RANGE_METHODS; method++) {
        size_t n = 0;
        for (size_t i = 0; i < r->n_sites; i++) n += (int)r->sites[i].method == method;
        if (n == 0 || used > sizeof text - 64) continue;
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s at %zu of %zu sites", used > 0 ? ", " : "",
                                 range_method_name((range_method)method), n, r->n_sites);
    }
    put_fact(w, "Ranges chosen by", text);
    if (r->alpha > 0) snprintf(text, sizeof text, "alpha %.6g, channels centred and scaled", (double)r->alpha);
    else snprintf(text, sizeof text, "none");
    put_fact(w, "Equalization", text);
}

static const char *embedding_words(int8_table_kind kind) {
    switch (kind) {
    case INT8_TABLE_TENSOR: return "int8-per-tensor: one scale for the whole table";
    case INT8_TABLE_HALF: return "fp16";
    case INT8_TABLE_MIXED: return "mixed: int8, a scale a row; columns of outliers in fp16";
    default: return "int8, a scale a row";
    }
}

static void put_rounding_facts(html_writer *w, const report_input *in) {
    static const char *const norms[] = {"float", "8 bits, one scale a layer norm", "8 bits, a scale a channel"};
    const quantize_options *o = in->options;
    char text[160];
    put_fact(w, "Weights", "7 bits, -64 to 63; a scale an output channel");
    put_fact(w, "Rounding", o->rounding == QUANTIZE_GPTQ    ? "gptq: towards what the FP32 model computes"
                            : o->no_bias_correction != 0    ? "nearest, biases as they are"
                                                            : "nearest, with bias correction");
    snprintf(text, sizeof text, "%zu copies beside %zu inner channels, in each layer", o->n_copies,
             in->encoder->intermediate);
    put_fact(w, "Split channels", o->n_copies > 0 ? text : "none");
    put_fact(w, "Token table", embedding_words(in->model->words.kind));
    put_fact(w, "Inputs of layer norms", norms[o->norm_inputs]);
}

void report_made(html_writer *w, const report_input *in) {
    html_put(w, "<dl class=\"facts\">\n");
    put_model_facts(w, in);
    put_calibration_facts(w, in);
    put_rounding_facts(w, in);
    html_put(w, "</dl>\n");
}
