/* SPDX-License-Identifier: Apache-2.0
 * Files on Windows: read whole instead of mapped. Built in CI, not run there. */
#ifdef _WIN32

#include <direct.h>
#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <windows.h>

#include "base/file.h"
#include "base/file_os.h"

minnow_status file_map_open(file_map *out, const char *path, minnow_error *error) {
    FILE *stream = fopen(path, "rb");
    minnow_status status = MINNOW_OK;
    uint8_t *data = NULL;
    __int64 bytes = -1;
    memset(out, 0, sizeof *out);
    if (stream == NULL) return file_os_error(error, path, "cannot open");
    if (_fseeki64(stream, 0, SEEK_END) == 0) bytes = _ftelli64(stream);
    if (bytes < 0 || (unsigned __int64)bytes > PTRDIFF_MAX || _fseeki64(stream, 0, SEEK_SET) != 0) {
        status = file_os_error(error, path, "cannot read");
    } else if ((data = malloc((size_t)bytes + 1)) == NULL) {
        status = error_set(error, MINNOW_ERROR_MEMORY, "%s: out of memory", path);
    } else if (fread(data, 1, (size_t)bytes, stream) != (size_t)bytes) {
        status = file_os_error(error, path, "cannot read");
        free(data);
    } else {
        out->data = data;
        out->bytes = (size_t)bytes;
    }
    fclose(stream);
    return status;
}

minnow_status file_map_open_beneath(file_map *out, const char *folder, const char *name, minnow_error *error) {
    (void)folder;
    memset(out, 0, sizeof *out);
    return error_set(error, MINNOW_ERROR_UNSUPPORTED, "external data '%s' is not supported on Windows", name);
}

void file_map_close(file_map *map) {
    free((void *)(uintptr_t)map->data);
    memset(map, 0, sizeof *map);
}

int file_exists(const char *path) {
    const DWORD attributes = GetFileAttributesA(path);
    return attributes != INVALID_FILE_ATTRIBUTES && !(attributes & FILE_ATTRIBUTE_DIRECTORY);
}

int file_is_directory(const char *path) {
    const DWORD attributes = GetFileAttributesA(path);
    return attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY);
}

int file_os_is_special(const char *path) { return _stricmp(path, "nul") == 0 || _stricmp(path, "con") == 0; }

FILE *file_os_create_temporary(const char *path, char *temporary_path) {
    unsigned attempt;
    for (attempt = 0; attempt < 100; attempt++) {
        int descriptor;
        sprintf(temporary_path, "%s.tmp.%08lx.%u", path, (unsigned long)GetCurrentProcessId(), attempt);
        descriptor = _open(temporary_path, _O_CREAT | _O_EXCL | _O_WRONLY | _O_BINARY, _S_IREAD | _S_IWRITE);
        if (descriptor >= 0) return _fdopen(descriptor, "wb");
        if (errno != EEXIST) return NULL;
    }
    return NULL;
}

char *file_os_real_path(const char *path) { return _fullpath(NULL, path, 0); }
int file_os_sync(FILE *stream) { return _commit(_fileno(stream)); }

int file_os_replace(const char *from, const char *to) {
    if (MoveFileExA(from, to, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH)) return 0;
    errno = EACCES;
    return -1;
}

int file_os_make_directory(const char *path) { return _mkdir(path); }

#else
typedef int file_windows_is_not_for_this_system;
#endif
