/* SPDX-License-Identifier: Apache-2.0
 * A model card (README.md) -> what it says of the licence. */
#ifndef MINNOW_CONVERT_IMPORT_MODEL_CARD_H
#define MINNOW_CONVERT_IMPORT_MODEL_CARD_H

#include <stddef.h>

/* The value of `license:` in the front matter (the lines between the first two "---") into `out`, "" if there is none.
 */
void model_card_license(const char *text, size_t bytes, char *out, size_t capacity);

#endif
