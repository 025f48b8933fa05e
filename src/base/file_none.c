/* SPDX-License-Identifier: Apache-2.0
 * A build without files: every one that is asked for is refused, by name. */
#if defined(MINNOW_MINIMAL)
#include "base/file.h"

#include <string.h>

static minnow_status refuse(const char *name, minnow_error *error) {
    return error_set(error, MINNOW_ERROR_UNSUPPORTED, "%s: this build opens no files", name);
}

minnow_status file_map_open(file_map *out, const char *path, minnow_error *error) {
    memset(out, 0, sizeof *out);
    return refuse(path, error);
}

minnow_status file_map_open_beneath(file_map *out, const char *folder, const char *name, minnow_error *error) {
    (void)folder;
    return file_map_open(out, name, error);
}

void file_map_close(file_map *map) { memset(map, 0, sizeof *map); }

#else
typedef int file_none_is_not_for_this_build;
#endif
