/* SPDX-License-Identifier: Apache-2.0
 *
 * CRC-32C by steps of 8 bytes, each of which waits for the one before (an instruction takes three cycles and may begin
 * every cycle; table lookups wait for memory): three streams side by side.
 *
 *   bytes:  [ first, n | second, n | third, n | rest ]    register = ((first 0^n) + second) 0^n + third, then the rest
 *
 * Included by one file for each way, which defines UPDATE, STEP_WORD (8 bytes) and STEP_BYTE. */
#define LEAST_STREAM_BYTES ((size_t)4096) /* from here on three streams win more than joining them costs */

uint32_t UPDATE(uint32_t state, const uint8_t *p, size_t bytes) {
    const size_t n = bytes / 24 * 8;
    if (n >= LEAST_STREAM_BYTES) {
        uint32_t second = 0, third = 0;
        for (const uint8_t *end = p + n; p < end; p += 8) {
            state = STEP_WORD(state, load_u64(p));
            second = STEP_WORD(second, load_u64(p + n));
            third = STEP_WORD(third, load_u64(p + 2 * n));
        }
        state = crc32c_append_zeros(crc32c_append_zeros(state, n) ^ second, n) ^ third;
        p += 2 * n;
        bytes -= 3 * n;
    }
    for (; bytes >= 8; bytes -= 8, p += 8) state = STEP_WORD(state, load_u64(p));
    for (; bytes > 0; bytes--, p++) state = STEP_BYTE(state, *p);
    return state;
}
