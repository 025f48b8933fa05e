/* SPDX-License-Identifier: Apache-2.0
 * Masks of attention's scores: accepted if they only mask. `l` is the layout of the scores, `place` the value that
 * messages name. */
#ifndef MINNOW_CONVERT_OPTIMIZE_MASK_H
#define MINNOW_CONVERT_OPTIMIZE_MASK_H

#include "convert/optimize/match.h"

/* scores + addend. */
minnow_status mask_check_added(matcher *m, int32_t place, int32_t addend, const layout *l);
/* Where(condition, ...): the branch `keep` (0 or 1) has the scores, the other the number `fill`. */
minnow_status mask_check_where(matcher *m, int32_t place, int32_t condition, int keep, int32_t fill, const layout *l);

#endif
