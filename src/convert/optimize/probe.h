/* SPDX-License-Identifier: Apache-2.0
 * Values that depend on sizes and the mask alone, computed on specimens: what a mask adds, which positions are looked
 * up, by what scores are divided. Exporters write these in more ways than anyone can list, so what counts is what comes
 * out. */
#ifndef MINNOW_CONVERT_OPTIMIZE_PROBE_H
#define MINNOW_CONVERT_OPTIMIZE_PROBE_H

#include "convert/optimize/match.h"

/* The value on specimen s; its elements hold until the next probe. The mask is that of probe_is_masked. Memory and work
 * are small unless it is known to have many `elements`. */
minnow_status probe_value(matcher *m, const specimen *s, int32_t value, size_t elements, tensor *out);
/* 1 if token k of text b is masked while probing. The first text has no masked token, the others many kinds. */
int probe_is_masked(const specimen *s, int64_t b, int64_t k);
/* One number, the same on all specimens. */
int probe_scalar(matcher *m, int32_t value, double *out);

/* Which rows of a table [n, hidden] (float32) a value [..., tokens, hidden] holds: those of the tokens' positions, or
 * always the first. */
typedef enum probe_rows { PROBE_NEITHER, PROBE_TOKENS, PROBE_FIRST } probe_rows;
minnow_status probe_table_rows(matcher *m, const specimen *s, int32_t value, const tensor *table, probe_rows *out);

#endif
