/* SPDX-License-Identifier: Apache-2.0
 * CRC-32C by SSE4.2's instruction. */
#include <nmmintrin.h>

#include "base/bytes.h"
#include "base/crc32c.h"

#define UPDATE crc32c_update_avx2
#define STEP_WORD(state, word) ((uint32_t)_mm_crc32_u64(state, word))
#define STEP_BYTE(state, byte) _mm_crc32_u8(state, byte)
#include "base/crc32c_streams.h"
