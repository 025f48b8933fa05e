/* SPDX-License-Identifier: Apache-2.0 */
#include "run/engine/arrange.h"

#include "base/bytes.h"
#include "base/memory.h"

#define NOT_PLACED SIZE_MAX /* no offset: it is odd */

/* Where b's bytes end, rounded up, if it begins at `offset`. */
static int end_of(const arrange_buffer *b, size_t offset, size_t *end) {
    size_t bytes;
    return size_align(b->bytes, MEMORY_ALIGNMENT, &bytes) && size_add(offset, bytes, end);
}

/* Largest first; of equals the one that stands first. */
static arrange_buffer *next_to_place(arrange_buffer *buffers, size_t n) {
    arrange_buffer *next = NULL;
    size_t i;
    for (i = 0; i < n; i++)
        if (buffers[i].offset == NOT_PLACED && (next == NULL || buffers[i].bytes > next->bytes)) next = &buffers[i];
    return next;
}

/* The lowest place for b: at 0 or behind a buffer, so the offset is raised past whatever is in the way until nothing
 * is. Ends of placed buffers are known to fit in size_t. */
static int place(const arrange_buffer *buffers, size_t n, arrange_buffer *b, size_t *end) {
    size_t offset = 0, i, other_end;
    if (!end_of(b, offset, end)) return 0;
    for (i = 0; i < n;) {
        const arrange_buffer *other = &buffers[i++];
        if (other->offset == NOT_PLACED || other->first > b->last || b->first > other->last) continue;
        if (!end_of(other, other->offset, &other_end)) return 0;
        if (other->offset >= *end || offset >= other_end) continue;
        offset = other_end;
        if (!end_of(b, offset, end)) return 0;
        i = 0; /* one that was left behind may be in the way here */
    }
    b->offset = offset;
    return 1;
}

int arrange_buffers(arrange_buffer *buffers, size_t n, size_t *bytes) {
    arrange_buffer *b;
    size_t i, end;
    *bytes = 0;
    for (i = 0; i < n; i++) buffers[i].offset = buffers[i].bytes > 0 ? NOT_PLACED : 0;
    while ((b = next_to_place(buffers, n)) != NULL) {
        if (!place(buffers, n, b, &end)) return 0;
        if (end > *bytes) *bytes = end;
    }
    return 1;
}
