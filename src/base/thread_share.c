/* SPDX-License-Identifier: Apache-2.0
 * Who does what, whatever a pool is made of. */
#include "base/thread.h"

void thread_pool_share(size_t n, size_t grain, size_t part, size_t n_parts, size_t *begin, size_t *end) {
    const size_t n_grains = n / grain + (n % grain != 0);
    const size_t each = n_grains / n_parts, extra = n_grains % n_parts;
    const size_t first = part * each + (part < extra ? part : extra);
    const size_t last = first + each + (part < extra ? 1 : 0);
    *begin = first * grain < n ? first * grain : n;
    *end = last * grain < n ? last * grain : n;
}
