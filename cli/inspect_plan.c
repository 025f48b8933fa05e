/* SPDX-License-Identifier: Apache-2.0
 * minnow inspect of a .minnow file: what encoding a text does, step by step, and the memory it takes. The engine runs
 * by the very plan that is shown.
 *
 *     step  times  what                                reads           writes
 *        3      6  output + residual + norm            hidden, codes   hidden
 *
 *     buffer      shape                bytes  steps      offset
 *     codes       i8 [256, 384]        98304    1-6      448512 */
#include <stdio.h>

#include "cli.h"
#include "inspect.h"

/* One thread has one qkv, which is that of odd layers too. */
static engine_buffer shown_buffer(const engine_plan *p, size_t i) {
    return i == ENGINE_QKV_ODD && p->n_threads == 1 ? ENGINE_QKV : (engine_buffer)i;
}

static int is_float(const engine_plan_buffer *b) { return b->element_bytes == sizeof(float); }

/* A set's names, in quotes or, for people, without and padded to `width`. */
static void print_set(const engine_plan *p, unsigned set, const char *quote, const char *separator, int width) {
    const char *before = "";
    size_t i;
    for (i = 0; i < ENGINE_BUFFERS; i++)
        if (set & ENGINE_BIT(i)) {
            width -= printf("%s%s%s%s", before, quote, p->buffers[shown_buffer(p, i)].name, quote);
            before = separator;
        }
    if (width > 0) printf("%*s", width, "");
}

/* --- For people --------------------------------------------------------------------------------------------------- */

static void print_shape(const engine_plan_buffer *b) {
    char text[64];
    snprintf(text, sizeof text, "%s [%zu, %zu]", is_float(b) ? "f32" : "i8", b->rows, b->columns);
    printf("%-18s", text);
}

static void print_steps(const engine_plan *p, size_t n_layers) {
    size_t i;
    printf("\n%4s  %5s  %-36s  %-14s  %s\n", "step", "times", "what", "reads", "writes");
    for (i = 0; i < ENGINE_STEPS; i++) {
        const engine_step_info *step = &engine_steps[i];
        printf("%4zu  %5zu  %-36s  ", i, engine_step_times((engine_step)i, n_layers), step->name);
        print_set(p, step->reads, "", ", ", 16);
        print_set(p, step->writes, "", ", ", 0);
        putchar('\n');
    }
}

static void print_buffers(const engine_plan *p) {
    size_t i;
    printf("\n%-10s  %-18s  %10s  %5s  %10s\n", "buffer", "shape", "bytes", "steps", "offset");
    for (i = 0; i < ENGINE_BUFFERS; i++) {
        const engine_plan_buffer *b = &p->buffers[i];
        char steps[48];
        if (b->bytes == 0) continue;
        printf("%-10s  ", b->name);
        print_shape(b);
        snprintf(steps, sizeof steps, b->first < b->last ? "%zu-%zu" : "%zu", b->first, b->last);
        printf("  %10zu  %5s  ", b->bytes, steps);
        if (i == ENGINE_HIDDEN) printf("%10s", "output");
        else printf("%10zu", b->offset);
        if (b->is_own && p->n_threads > 1) printf("  each thread its own, %zu bytes apart", p->own_bytes);
        else if (i == ENGINE_QKV_ODD) fputs("  takes turns with qkv, layer by layer", stdout);
        putchar('\n');
    }
}

void inspect_plan_memory(const engine_plan *p) {
    const engine_plan_buffer *output = &p->buffers[ENGINE_HIDDEN];
    printf("%-12s %zu bytes to encode %zu %s by %zu %s, and %zu for what comes out\n", "memory", p->bytes, output->rows,
           output->rows == 1 ? "token" : "tokens", p->n_threads, p->n_threads == 1 ? "thread" : "threads",
           output->bytes);
}

void inspect_plan_table(const engine_plan *p, size_t n_layers) {
    print_steps(p, n_layers);
    print_buffers(p);
}

/* --- For scripts -------------------------------------------------------------------------------------------------- */

static void json_step(const engine_plan *p, engine_step which, size_t n_layers) {
    const engine_step_info *step = &engine_steps[which];
    printf("%s\n{\"step\":%zu,\"name\":\"%s\",\"times\":%zu,\"reads\":[", which > 0 ? "," : "", (size_t)which,
           step->name, engine_step_times(which, n_layers));
    print_set(p, step->reads, "\"", ",", 0);
    fputs("],\"writes\":[", stdout);
    print_set(p, step->writes, "\"", ",", 0);
    fputs("]}", stdout);
}

static void json_buffer(const engine_plan *p, size_t i) {
    const engine_plan_buffer *b = &p->buffers[i];
    if (b->bytes == 0) return;
    printf("%s\n{\"name\":\"%s\",\"dtype\":\"%s\",\"shape\":[%zu,%zu]", i > 0 ? "," : "", b->name,
           is_float(b) ? "float32" : "int8", b->rows, b->columns);
    printf(",\"bytes\":%zu,\"first_step\":%zu,\"last_step\":%zu", b->bytes, b->first, b->last);
    if (i == ENGINE_HIDDEN) fputs(",\"offset\":null", stdout);
    else printf(",\"offset\":%zu", b->offset);
    printf(",\"per_thread\":%s}", b->is_own ? "true" : "false");
}

void inspect_plan_json(const engine_plan *p, size_t n_layers, int show) {
    size_t i;
    printf("\n\"plan\":{\"tokens\":%zu,\"threads\":%zu,\"bytes\":%zu,\"thread_bytes\":%zu,\"output_bytes\":%zu",
           p->buffers[ENGINE_HIDDEN].rows, p->n_threads, p->bytes, p->own_bytes, p->buffers[ENGINE_HIDDEN].bytes);
    if (show & INSPECT_NODES) {
        printf(",\"block_rows\":%zu,\"steps\":[", p->block_rows);
        for (i = 0; i < ENGINE_STEPS; i++) json_step(p, (engine_step)i, n_layers);
        fputs("],\n\"buffers\":[", stdout);
        for (i = 0; i < ENGINE_BUFFERS; i++) json_buffer(p, i);
        putchar(']');
    }
    fputs("},", stdout);
}
