/* SPDX-License-Identifier: Apache-2.0
 * Run-time kernels, AMX-INT8: matrix products of 16 rows and more in tiles. In: codes and floats. Out: those of ref.c.
 *
 * NOT YET RUN ON A PROCESSOR WITH AMX: the tests run this file with the tile instructions written in C
 * (tests/unit/amx_avx512vnni.c), and on a machine that has them, by themselves. Until they have, cpu_best_tier passes
 * this tier over; MINNOW_ISA=amx asks for it.
 *
 * A tile is 16 rows of 64 bytes. A panel [k / 4][16][4] is a column of tiles as it lies in memory: 64 inputs of 16
 * outputs each, so nothing is repacked. One step of 64 inputs, 32 rows, 2 panels:
 *
 *                     B 6: panel p    B 7: panel p + 1
 *   A 4: rows  0-15   C 0             C 1
 *   A 5: rows 16-31   C 2             C 3
 *
 * Everything else, fewer rows, and inputs that are no multiple of 64 are AVX512-VNNI's. */
#include "run/kernels/tiers.h"

#include <string.h>

#include "run/kernels/verbs_avx512.h"

#define TILE_ROWS 8
#define TILE_PANELS 2

#ifndef TILE_VERBS /* else the includer has them */
#define TIER(name) name##_amx
#define TIER_NAME "amx"
#define tile_configure(config) _tile_loadconfig(config)
#define tile_release() _tile_release()
#define tile_zero(c) _tile_zero(c)
#define tile_load(t, from, stride) _tile_loadd(t, from, stride)
#define tile_store(c, to, stride) _tile_stored(c, to, stride)
#define tile_dot(c, a, b) _tile_dpbssd(c, a, b) /* a u7 is an s8 too */
#endif

/* sum + the products of 4 bytes a lane */
static inline vi vi_dot(vi sum, vi u7, vi s8) { return _mm512_dpbusd_epi32(sum, u7, s8); }

#define STRIP_ROWS ((size_t)32)
#define LINEAR_ROWS ((size_t)64)
#define STRIP_HEADER "run/kernels/strip_amx.h" /* has strip_dots_of */
#include "run/kernels/kernels_impl.h"
