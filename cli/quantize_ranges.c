/* SPDX-License-Identifier: Apache-2.0
 * Ranges -> what people want to know of them: how many texts made them, and which method chose how many. */
#include <string.h>

#include "quantize_source.h"

#define FEW_TEXTS 100 /* with fewer, other texts are clipped: a cosine of 0.97 to FP32 instead of 0.997 */

/* "layer.3.down_input" -> "down_input" */
static const char *role_name(const range_site *site) {
    const char *dot = strrchr(site->name, '.');
    return dot != NULL ? dot + 1 : site->name;
}

static size_t count(const ranges *r, size_t role, int method) {
    size_t layer, n = 0;
    for (layer = 0; layer < r->n_layers; layer++) n += (int)ranges_site(r, layer, (range_role)role)->method == method;
    return n;
}

static const char *site_kind(const ranges *r, size_t role) { return role_name(ranges_site(r, 0, (range_role)role)); }

void quantize_ranges_print(const ranges *r) {
    size_t role;
    int method;
    printf("%zu texts, %zu tokens, %zu texts cut; %zu sites, equalization %.6g\n\n  %-18s", r->n_texts, r->n_tokens,
           r->n_truncated, r->n_sites, (double)r->alpha, "chosen by");
    for (method = RANGE_AUTO + 1; method < RANGE_METHODS; method++) printf("%12s",
                                                                           range_method_name((range_method)method));
    putchar('\n');
    for (role = 0; role < RANGE_ROLES && r->n_layers > 0; role++) {
        printf("  %-18s", site_kind(r, role));
        for (method = RANGE_AUTO + 1; method < RANGE_METHODS; method++) printf("%12zu", count(r, role, method));
        putchar('\n');
    }
    if (r->n_texts < FEW_TEXTS)
        printf("\n%zu texts are few: ranges that hold for other texts take %d or more, of every kind\n", r->n_texts,
               FEW_TEXTS);
}

void quantize_ranges_print_json(const ranges *r) {
    size_t role;
    int method;
    printf("\"texts\":%zu,\"tokens\":%zu,\"truncated\":%zu,\"sites\":%zu,\"equalization\":", r->n_texts, r->n_tokens,
           r->n_truncated, r->n_sites);
    cli_json_float(stdout, r->alpha);
    fputs(",\"methods\":{", stdout);
    for (role = 0; role < RANGE_ROLES && r->n_layers > 0; role++) {
        printf("%s\"%s\":{", role > 0 ? "," : "", site_kind(r, role));
        for (method = RANGE_AUTO + 1; method < RANGE_METHODS; method++)
            printf("%s\"%s\":%zu", method > RANGE_AUTO + 1 ? "," : "", range_method_name((range_method)method),
                   count(r, role, method));
        putchar('}');
    }
    putchar('}');
}
