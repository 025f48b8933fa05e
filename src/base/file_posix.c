/* SPDX-License-Identifier: Apache-2.0
 * Files on POSIX systems. */
#ifndef _WIN32

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/file_os.h"

static const uint8_t empty_file[1];

/* Reads a pipe or the like to its end. */
static minnow_status read_stream(file_map *out, int descriptor, const char *path, minnow_error *error) {
    size_t capacity = 64 * 1024, used = 0;
    uint8_t *data = malloc(capacity);
    for (;;) {
        ssize_t n;
        if (data == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "%s: out of memory", path);
        n = read(descriptor, data + used, capacity - used);
        if (n == 0) break;
        if (n < 0) {
            const minnow_status status = errno == EINTR ? MINNOW_OK : file_os_error(error, path, "cannot read");
            if (status == MINNOW_OK) continue;
            free(data);
            return status;
        }
        used += (size_t)n;
        if (used == capacity) {
            uint8_t *grown = capacity > SIZE_MAX / 4 ? NULL : realloc(data, capacity * 2);
            if (grown == NULL) free(data);
            data = grown;
            capacity *= 2;
        }
    }
    out->data = data;
    out->bytes = used;
    out->is_mapped = 0;
    return MINNOW_OK;
}

/* Takes over the descriptor. */
static minnow_status map_descriptor(file_map *out, int descriptor, const char *path, minnow_error *error) {
    minnow_status status = MINNOW_OK;
    struct stat info;
    memset(out, 0, sizeof *out);
    if (fstat(descriptor, &info) != 0) {
        status = file_os_error(error, path, "cannot read");
    } else if (S_ISDIR(info.st_mode)) {
        status = error_set(error, MINNOW_ERROR_IO, "%s: is a folder, not a file", path);
    } else if (!S_ISREG(info.st_mode)) {
        status = read_stream(out, descriptor, path, error);
    } else if (info.st_size == 0) {
        out->data = empty_file;
    } else if ((uintmax_t)info.st_size > PTRDIFF_MAX) {
        status = error_set(error, MINNOW_ERROR_MEMORY, "%s: too large for this machine", path);
    } else {
        void *data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
        if (data == MAP_FAILED) {
            status = file_os_error(error, path, "cannot map");
        } else {
            out->data = data;
            out->bytes = (size_t)info.st_size;
            out->is_mapped = 1;
        }
    }
    close(descriptor);
    return status;
}

minnow_status file_map_open(file_map *out, const char *path, minnow_error *error) {
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    memset(out, 0, sizeof *out);
    if (descriptor < 0) return file_os_error(error, path, "cannot open");
    return map_descriptor(out, descriptor, path, error);
}

/* Walks the name one component at a time from the folder's descriptor, following no link: the portable form of openat2's RESOLVE_BENEATH |
 * RESOLVE_NO_SYMLINKS. Each step holds the descriptor it stands on, so a folder swapped under us changes nothing. */
static int open_beneath(const char *folder, const char *name, const char **refused) {
    char component[256];
    int at = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *refused = NULL;
    while (at >= 0) {
        const char *slash = strchr(name, '/');
        const size_t n = slash != NULL ? (size_t)(slash - name) : strlen(name);
        const int last = slash == NULL;
        int next;
        if (n == 0 || n >= sizeof component || (n == 1 && name[0] == '.') || (n == 2 && name[0] == '.' && name[1] == '.')) {
            *refused = "names a place outside the model's folder";
            close(at);
            return -1;
        }
        memcpy(component, name, n);
        component[n] = '\0';
        /* O_NONBLOCK: opening a FIFO must not wait for a writer. */
        next = openat(at, component,
                      last ? O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC
                           : O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (next < 0 && (errno == ELOOP || (errno == ENOTDIR && !last))) *refused = "is reached through a symbolic link";
        {
            const int reason = errno;
            close(at);
            errno = reason;
        }
        if (last) return next;
        at = next;
        name = slash + 1;
    }
    return -1;
}

minnow_status file_map_open_beneath(file_map *out, const char *folder, const char *name, minnow_error *error) {
    const char *refused = NULL;
    struct stat info;
    int descriptor;
    memset(out, 0, sizeof *out);
    descriptor = open_beneath(folder, name, &refused);
    if (refused != NULL) return error_set(error, MINNOW_ERROR_FORMAT, "external data '%s' %s", name, refused);
    if (descriptor < 0) return file_os_error(error, name, "cannot open external data");
    if (fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode)) refused = "is not a regular file";
    else if (info.st_nlink != 1) refused = "has more than one hard link";
    if (refused != NULL) {
        close(descriptor);
        return error_set(error, MINNOW_ERROR_FORMAT, "external data '%s' %s", name, refused);
    }
    return map_descriptor(out, descriptor, name, error);
}

void file_map_close(file_map *map) {
    if (map->is_mapped) munmap((void *)(uintptr_t)map->data, map->bytes);
    else if (map->data != empty_file) free((void *)(uintptr_t)map->data);
    memset(map, 0, sizeof *map);
}

int file_exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && !S_ISDIR(info.st_mode);
}

int file_is_directory(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* Names of files that are open already. Behind them may be a regular file, but renaming would replace the name. */
static int names_open_file(const char *path) {
    static const char *const folders[] = {"/dev/fd/", "/proc/"};
    size_t i;
    for (i = 0; i < sizeof folders / sizeof *folders; i++)
        if (strncmp(path, folders[i], strlen(folders[i])) == 0) return 1;
    return strcmp(path, "/dev/stdout") == 0 || strcmp(path, "/dev/stderr") == 0;
}

int file_os_is_special(const char *path) {
    struct stat info;
    if (stat(path, &info) != 0) return 0;
    return names_open_file(path) || (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode));
}

FILE *file_os_create_temporary(const char *path, char *temporary_path) {
    struct stat old;
    FILE *stream;
    mode_t mode;
    int descriptor;
    strcpy(temporary_path, path);
    strcat(temporary_path, ".tmp.XXXXXX");
    if (file_is_directory(path)) {
        errno = EISDIR;
        return NULL;
    }
    descriptor = mkstemp(temporary_path);
    if (descriptor < 0) return NULL;
    if (stat(path, &old) == 0) {
        mode = old.st_mode & 0777;
    } else {
        const mode_t mask = umask(022); /* there is no other portable way to read it */
        umask(mask);
        mode = 0666 & ~mask;
    }
    stream = fchmod(descriptor, mode) == 0 ? fdopen(descriptor, "wb") : NULL;
    if (stream == NULL) {
        const int reason = errno;
        close(descriptor);
        unlink(temporary_path);
        errno = reason;
    }
    return stream;
}

char *file_os_real_path(const char *path) { return realpath(path, NULL); }
int file_os_sync(FILE *stream) { return fsync(fileno(stream)); }
int file_os_replace(const char *from, const char *to) { return rename(from, to); }
int file_os_make_directory(const char *path) { return mkdir(path, 0777); }

#else
typedef int file_posix_is_not_for_this_system;
#endif
