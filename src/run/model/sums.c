/* SPDX-License-Identifier: Apache-2.0
 *
 * A .minnow file's bytes as they come in -> whether its sections have their CRC32C (format.h). */
#include "base/bytes.h"
#include "base/crc32c.h"
#include "run/model/format.h"

/* What the header says, if its table is there; else 0. */
static uint32_t sections_of(const uint8_t *data, size_t available) {
    const uint32_t n = available >= FORMAT_HEADER_BYTES ? load_u32(data + HEADER_SECTIONS) : 0;
    return n > 0 && n <= (available - FORMAT_HEADER_BYTES) / FORMAT_ENTRY_BYTES ? n : 0;
}

void model_sums_add(model_sums *s, const uint8_t *data, size_t available) {
    const uint32_t n = sections_of(data, available);
    while (s->section < n && !s->wrong) {
        const uint8_t *e = data + FORMAT_HEADER_BYTES + s->section * (size_t)FORMAT_ENTRY_BYTES;
        const uint64_t offset = load_u64(e + ENTRY_OFFSET), stored = load_u64(e + ENTRY_STORED);
        size_t come;
        if (offset >= available) return;
        if (s->done == 0) {
            s->wrong = offset < s->at; /* each byte is summed once, whatever the table says */
            if (s->wrong) return;
            s->at = (size_t)offset;
        }
        come = available - s->at < stored - s->done ? available - s->at : (size_t)(stored - s->done);
        if (come == 0) return;
        s->crc = crc32c(s->crc, data + s->at, come);
        s->at += come;
        s->done += come;
        if (s->done < stored) return;
        s->wrong = s->crc != load_u32(e + ENTRY_CRC);
        s->section++;
        s->done = 0;
        s->crc = 0;
    }
}

int model_sums_right(const model_sums *s, const uint8_t *data, size_t bytes) {
    const uint32_t n = sections_of(data, bytes);
    return n > 0 && s->section == n && !s->wrong;
}
