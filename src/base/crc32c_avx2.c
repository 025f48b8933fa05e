/* SPDX-License-Identifier: Apache-2.0
 *
 * CRC-32C by SSE4.2's instruction: eight bytes in three cycles, one chain. That is faster than memory. */
#include <nmmintrin.h>

#include "base/bytes.h"
#include "base/crc32c.h"

uint32_t crc32c_update_avx2(uint32_t state, const uint8_t *p, size_t bytes) {
    uint64_t wide = state;
    for (; bytes >= 8; bytes -= 8, p += 8) wide = _mm_crc32_u64(wide, load_u64(p));
    state = (uint32_t)wide;
    for (; bytes > 0; bytes--, p++) state = _mm_crc32_u8(state, *p);
    return state;
}
