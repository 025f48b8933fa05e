/* SPDX-License-Identifier: Apache-2.0
 * JSON, by yyjson, with what our inputs need on top: duplicate keys are errors, depth is bounded, messages name the place. */
#ifndef MINNOW_CONVERT_JSON_H
#define MINNOW_CONVERT_JSON_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "yyjson.h"

#define JSON_MAX_DEPTH 64

/* Parses one document. Refuses duplicate keys (in any object), nesting deeper than JSON_MAX_DEPTH, invalid UTF-8, NaN and trailing
 * text; "line L column C: ..." in the message. Free with yyjson_doc_free. */
minnow_status json_parse(yyjson_doc **out, const char *text, size_t bytes, minnow_error *error);
/* The same for a file; the message begins with the path. */
minnow_status json_open(yyjson_doc **out, const char *path, minnow_error *error);

/* Members with a type; a missing member gives the fallback, a wrong type an error that names the key. */
minnow_status json_get_int(yyjson_val *object, const char *key, int64_t fallback, int64_t *out, minnow_error *error);
minnow_status json_get_number(yyjson_val *object, const char *key, double fallback, double *out, minnow_error *error);
minnow_status json_get_bool(yyjson_val *object, const char *key, int fallback, int *out, minnow_error *error); /* null: fallback */
minnow_status json_get_string(yyjson_val *object, const char *key, const char *fallback, const char **out, minnow_error *error);

#endif
