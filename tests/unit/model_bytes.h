/* SPDX-License-Identifier: Apache-2.0
 * .minnow bytes that somebody changed: their CRCs made right again, so that what lies behind is reached. */
#ifndef MINNOW_TESTS_MODEL_BYTES_H
#define MINNOW_TESTS_MODEL_BYTES_H

#include <string.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "run/model/format.h"

static inline void put_u16(uint8_t *p, uint16_t v) { memcpy(p, &v, sizeof v); }
static inline void put_u32(uint8_t *p, uint32_t v) { memcpy(p, &v, sizeof v); }
static inline void put_u64(uint8_t *p, uint64_t v) { memcpy(p, &v, sizeof v); }

/* Whatever the bytes are: sections that do not lie inside are left alone. */
static inline void repair_crcs(uint8_t *file, size_t bytes) {
    size_t n, i;
    if (bytes < FORMAT_HEADER_BYTES) return;
    n = load_u32(file + HEADER_SECTIONS);
    if (n > (bytes - FORMAT_HEADER_BYTES) / FORMAT_ENTRY_BYTES) n = 0;
    for (i = 0; i < n; i++) {
        uint8_t *entry = file + FORMAT_HEADER_BYTES + i * FORMAT_ENTRY_BYTES;
        const uint64_t offset = load_u64(entry + ENTRY_OFFSET), stored = load_u64(entry + ENTRY_STORED);
        if (offset > bytes || stored > bytes - offset) continue;
        put_u32(entry + ENTRY_CRC, crc32c(0, file + offset, (size_t)stored));
    }
    put_u32(file + HEADER_TABLE_CRC, crc32c(0, file + FORMAT_HEADER_BYTES, n * FORMAT_ENTRY_BYTES));
    put_u32(file + HEADER_CRC, crc32c(0, file, HEADER_CRC));
}

#endif
