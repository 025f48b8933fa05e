/* SPDX-License-Identifier: Apache-2.0
 * Bytes before and after, by part. */
#include <string.h>

#include "convert/report/parts.h"
#include "run/model/format.h"

typedef enum part {
    PART_WORDS, PART_POSITIONS, PART_ATTENTION, PART_FEED_FORWARD, PART_TOKENIZER, PART_REST, N_PARTS
} part;
static const char *const names[N_PARTS] = {"token table", "positions", "attention", "feed-forward", "tokenizer",
                                           "the rest"};

typedef struct sizes {
    uint64_t before[N_PARTS], after[N_PARTS], sum_before;
} sizes;

/* --- FP32: four bytes a weight; the rest of the source is whatever else its file holds ------------------------- */

static uint64_t linear_bytes(const encoder_linear *l) { return sizeof(float) * ((uint64_t)l->n * l->k); }

static void size_source(const report_input *in, sizes *s) {
    const encoder *e = in->encoder;
    uint64_t known;
    s->before[PART_WORDS] = sizeof(float) * (uint64_t)e->n_vocab * e->hidden;
    s->before[PART_POSITIONS] = sizeof(float) * (uint64_t)e->n_positions * e->hidden;
    for (size_t i = 0; i < e->n_layers; i++) {
        const encoder_layer *l = &e->layers[i];
        s->before[PART_ATTENTION] += linear_bytes(&l->query) + linear_bytes(&l->key) + linear_bytes(&l->value) +
                                     linear_bytes(&l->output);
        s->before[PART_FEED_FORWARD] += linear_bytes(&l->up) + linear_bytes(&l->down);
    }
    known = s->before[PART_WORDS] + s->before[PART_POSITIONS] + s->before[PART_ATTENTION] +
            s->before[PART_FEED_FORWARD];
    s->before[PART_REST] = in->source_bytes > known ? in->source_bytes - known : 0;
    s->sum_before = known + s->before[PART_REST];
}

/* --- INT8: the file's sections -------------------------------------------------------------------------------- */

static part part_of(uint32_t kind) {
    switch (kind) {
    case SECTION_TOKENIZER: return PART_TOKENIZER;
    case SECTION_WORD_CODES:
    case SECTION_WORD_SCALES:
    case SECTION_WORD_OUTLIERS:
    case SECTION_WORD_HALVES: return PART_WORDS;
    case SECTION_POSITION_CODES:
    case SECTION_POSITION_SCALES:
    case SECTION_POSITION_HALVES: return PART_POSITIONS;
    case SECTION_QUERY_KEY_VALUE:
    case SECTION_ATTENTION_OUTPUT: return PART_ATTENTION;
    case SECTION_UP:
    case SECTION_DOWN: return PART_FEED_FORWARD;
    default: return PART_REST;
    }
}

static void size_sections(const report_input *in, sizes *s) {
    model_sections sections;
    s->after[PART_REST] = in->file_bytes;
    if (model_sections_read(&sections, in->file, (size_t)in->file_bytes, 1, NULL) != MINNOW_OK) return;
    for (size_t i = 0; i < sections.n; i++) {
        const model_section section = model_sections_at(&sections, i);
        s->after[PART_REST] -= section.bytes;
        s->after[part_of(section.kind)] += section.bytes;
    }
}

/* --- INT8 in another form: by the shapes of its codes --------------------------------------------------------- */

static uint64_t table_bytes(const int8_table *t) {
    const uint64_t cells = (uint64_t)t->rows * t->columns;
    switch (t->kind) {
    case INT8_TABLE_HALF: return 2 * cells;
    case INT8_TABLE_TENSOR: return cells + sizeof(float);
    case INT8_TABLE_MIXED: return cells + t->rows * (sizeof(float) + 2 * (uint64_t)t->n_outliers);
    default: return cells + sizeof(float) * (uint64_t)t->rows;
    }
}

static void size_shapes(const report_input *in, sizes *s) {
    const int8_model *m = in->model;
    uint64_t known;
    s->after[PART_WORDS] = table_bytes(&m->words);
    s->after[PART_POSITIONS] = table_bytes(&m->positions);
    for (size_t i = 0; i < m->n_layers; i++) {
        const int8_layer *l = &m->layers[i];
        s->after[PART_ATTENTION] += (uint64_t)l->query_key_value.n * l->query_key_value.k +
                                    (uint64_t)l->attention_output.n * l->attention_output.k;
        s->after[PART_FEED_FORWARD] += (uint64_t)l->up.n * l->up.k + (uint64_t)l->down.n * l->down.k;
    }
    known = s->after[PART_WORDS] + s->after[PART_POSITIONS] + s->after[PART_ATTENTION] + s->after[PART_FEED_FORWARD];
    s->after[PART_REST] = in->file_bytes > known ? in->file_bytes - known : 0;
}

/* --- Chart and table ------------------------------------------------------------------------------------------ */

static void put_chart(html_writer *w, const sizes *s) {
    uint64_t most = 1;
    chart_axis axis;
    for (int i = 0; i < N_PARTS; i++) {
        most = s->before[i] > most ? s->before[i] : most;
        most = s->after[i] > most ? s->after[i] : most;
    }
    axis = chart_axis_linear(0, (double)most / 1e6);
    html_put(w, "<figure class=\"g9\"><figcaption>Bytes by part <span class=\"key\"><i class=\"hollow\"></i>FP32, "
                "above <i class=\"filled\"></i>INT8, below</span></figcaption>");
    chart_rows_begin(w, &axis, 2 * N_PARTS, "Bars: megabytes of each part of the model, in FP32 and in INT8; the table "
                                            "has the numbers", "MB (1,000,000 bytes)");
    for (size_t i = 0; i < N_PARTS; i++) {
        chart_row_label_two(w, 2 * i, names[i]);
        chart_row_bar(w, &axis, 2 * i, (double)s->before[i] / 1e6, 1, report_bytes(s->before[i]).text);
        chart_row_bar(w, &axis, 2 * i + 1, (double)s->after[i] / 1e6, 0, report_bytes(s->after[i]).text);
    }
    chart_rows_end(w);
    html_put(w, "</figure>\n");
}

static void put_row(html_writer *w, const char *name, uint64_t before, uint64_t after) {
    report_row_begin(w, name);
    report_cell(w, "%llu", (unsigned long long)before);
    report_cell(w, "%llu", (unsigned long long)after);
    if (before > 0) report_cell(w, "%s", report_percent((double)after / (double)before).text);
    else report_cell(w, "-");
    report_row_end(w);
}

void report_sizes(html_writer *w, const report_input *in) {
    sizes s;
    uint64_t sum_after = 0;
    memset(&s, 0, sizeof s);
    size_source(in, &s);
    if (in->file != NULL) size_sections(in, &s);
    else size_shapes(in, &s);
    for (int i = 0; i < N_PARTS; i++) sum_after += s.after[i];
    html_put(w, "<p>Each weight takes one byte in place of four. The rest is biases, scales and layer norms, what else "
                "the source’s file holds, and what frames a file; a .minnow file has its tokenizer in it, FP32 models "
                "have theirs in a file of its own.</p>");
    put_chart(w, &s);
    report_table_begin(w, "bytes by part", "part|#FP32, bytes|#INT8, bytes|#INT8 of FP32");
    for (int i = 0; i < N_PARTS; i++) put_row(w, names[i], s.before[i], s.after[i]);
    put_row(w, "all", s.sum_before, sum_after);
    report_table_end(w);
}
