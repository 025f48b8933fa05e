/* SPDX-License-Identifier: Apache-2.0
 * CRC-32C by Armv8.1's instruction, which the tier's processors have. */
#include <arm_acle.h>

#include "base/bytes.h"
#include "base/crc32c.h"

#define UPDATE crc32c_update_neon_dotprod
#define STEP_WORD(state, word) __crc32cd(state, word)
#define STEP_BYTE(state, byte) __crc32cb(state, byte)
#include "base/crc32c_streams.h"
