/* SPDX-License-Identifier: Apache-2.0
 * Sections in the making: what pack.c lays out and pack_tokenizer.c adds to. */
#ifndef MINNOW_CONVERT_PACK_SECTIONS_H
#define MINNOW_CONVERT_PACK_SECTIONS_H

#include <string.h>

#include "base/arena.h"
#include "run/model/format.h"

/* The tokenizer's section, in `memory`. Fails if something does not fit its field. */
minnow_status pack_tokenizer(const uint8_t **out, size_t *bytes, arena *memory, const tokenizer_config *t,
                             minnow_error *error);

static inline void store_u16(uint8_t *p, uint16_t v) { memcpy(p, &v, sizeof v); }
static inline void store_u32(uint8_t *p, uint32_t v) { memcpy(p, &v, sizeof v); }
static inline void store_u64(uint8_t *p, uint64_t v) { memcpy(p, &v, sizeof v); }

#endif
