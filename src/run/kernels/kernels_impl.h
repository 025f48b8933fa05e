/* SPDX-License-Identifier: Apache-2.0
 *
 * The run-time kernels, written once: each tier's file defines vectors of VF_LANES floats (vf) or int32 (vi), a few
 * verbs (vf_load, vi_dot ...) and a tile's size, and includes this file. + - * / of floats are the vectors' own
 * operators.
 *
 *   functions.h       GELU, 2^x: of one vector
 *   rows_impl.h       quantize, gelu, norm
 *   dot_impl.h        the integer products
 *   linear_impl.h     linear and what is fused with it
 *   attention_impl.h  attention
 *
 * The bits are those of ref.c: sums of codes are integers, so their order is free; a float's lane does the same
 * operations whatever its neighbours do. */
#ifndef VF_LANES
#error "kernels_impl.h is included by the tiers' files only."
#endif

#include <string.h>

/* In this order: each uses what is above it. */
#include "run/kernels/functions.h"
#include "run/kernels/rows_impl.h"
#include "run/kernels/dot_impl.h"
#include "run/kernels/linear_impl.h"
#include "run/kernels/attention_impl.h"

const kernels TIER(kernels) = {
    .name = TIER_NAME, .linear = linear, .linear_add = linear_add, .linear_codes = linear_codes,
    .linear_gelu_codes = linear_gelu_codes, .quantize = quantize, .gelu = gelu, .norm = norm, .norm_codes = norm_codes,
    .attention_queries = attention_queries_of,
};
