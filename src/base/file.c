/* SPDX-License-Identifier: Apache-2.0
 * What is the same on every system: writing through a temporary file, and paths. */
#include "base/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file_os.h"

minnow_status file_os_error(minnow_error *error, const char *path, const char *what) {
    const int reason = errno;
    return error_set(error, reason == ENOMEM ? MINNOW_ERROR_MEMORY : MINNOW_ERROR_IO, "%s: %s: %s", path, what,
                     strerror(reason));
}

static void writer_clear(file_writer *w) {
    free(w->path);
    free(w->temporary_path);
    memset(w, 0, sizeof *w);
}

minnow_status file_writer_open(file_writer *out, const char *path, minnow_error *error) {
    memset(out, 0, sizeof *out);
    if (*path == '\0') return error_set(error, MINNOW_ERROR_IO, "'': cannot create: the file name is empty");
    out->path = malloc(strlen(path) + 1);
    out->temporary_path = malloc(strlen(path) + FILE_OS_TEMPORARY_BYTES);
    if (out->path == NULL || out->temporary_path == NULL) {
        writer_clear(out);
        return error_set(error, MINNOW_ERROR_MEMORY, "%s: out of memory", path);
    }
    memcpy(out->path, path, strlen(path) + 1);
    /* A pipe or a device (/dev/stdout, /dev/full) cannot be replaced by renaming: write to it as it is. */
    if (file_os_is_special(path)) {
        out->stream = fopen(path, "wb");
        free(out->temporary_path);
        out->temporary_path = NULL;
    } else {
        out->stream = file_os_create_temporary(path, out->temporary_path);
    }
    if (out->stream == NULL) {
        const minnow_status status = file_os_error(error, path, "cannot create");
        writer_clear(out);
        return status;
    }
    return MINNOW_OK;
}

minnow_status file_writer_write(file_writer *w, const void *data, size_t bytes, minnow_error *error) {
    if (bytes > 0 && fwrite(data, 1, bytes, w->stream) != bytes) return file_os_error(error, w->path, "cannot write");
    return MINNOW_OK;
}

minnow_status file_writer_commit(file_writer *w, minnow_error *error) {
    minnow_status status = MINNOW_OK;
    int closed;
    if (fflush(w->stream) != 0 || (w->temporary_path != NULL && file_os_sync(w->stream) != 0))
        status = file_os_error(error, w->path, "cannot write");
    closed = fclose(w->stream);
    w->stream = NULL;
    if (status == MINNOW_OK && closed != 0) status = file_os_error(error, w->path, "cannot write");
    if (status == MINNOW_OK && w->temporary_path != NULL && file_os_replace(w->temporary_path, w->path) != 0)
        status = file_os_error(error, w->path, "cannot replace");
    if (status != MINNOW_OK) {
        file_writer_abort(w);
        return status;
    }
    writer_clear(w);
    return MINNOW_OK;
}

void file_writer_abort(file_writer *w) {
    if (w->stream != NULL) fclose(w->stream);
    if (w->temporary_path != NULL) remove(w->temporary_path);
    writer_clear(w);
}

minnow_status file_write_all(const char *path, const void *data, size_t bytes, minnow_error *error) {
    file_writer w;
    minnow_status status;
    TRY(file_writer_open(&w, path, error));
    status = file_writer_write(&w, data, bytes, error);
    if (status != MINNOW_OK) {
        file_writer_abort(&w);
        return status;
    }
    return file_writer_commit(&w, error);
}

static int is_separator(char c) { return c == '/' || (FILE_OS_BACKSLASH && c == '\\'); }

static minnow_status make_one_directory(const char *path, minnow_error *error) {
    int reason;
    if (file_is_directory(path) || file_os_make_directory(path) == 0) return MINNOW_OK;
    reason = errno; /* looking changes it */
    if (file_is_directory(path)) return MINNOW_OK; /* somebody else was quicker */
    errno = reason;
    return file_os_error(error, path, "cannot create the folder");
}

minnow_status file_make_directory(const char *path, minnow_error *error) {
    char *copy = malloc(strlen(path) + 1);
    minnow_status status = MINNOW_OK;
    char *p;
    if (copy == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "%s: out of memory", path);
    memcpy(copy, path, strlen(path) + 1);
    for (p = copy; *p != '\0' && status == MINNOW_OK; p++) {
        const int last = p[1] == '\0';
        if ((!is_separator(*p) || p == copy) && !last) continue;
        if (!last || (is_separator(*p) && p != copy)) *p = '\0';
        status = make_one_directory(copy, error);
        if (!last) *p = '/';
    }
    free(copy);
    return status;
}

char *path_join(const char *folder, const char *name) {
    const size_t folder_bytes = strlen(folder), name_bytes = strlen(name);
    const int slash = folder_bytes > 0 && !is_separator(folder[folder_bytes - 1]);
    char *out = malloc(folder_bytes + (size_t)slash + name_bytes + 1);
    if (out == NULL) return NULL;
    memcpy(out, folder, folder_bytes);
    if (slash) out[folder_bytes] = '/';
    memcpy(out + folder_bytes + (size_t)slash, name, name_bytes + 1);
    return out;
}

const char *path_name(const char *path) {
    const char *name = path;
    const char *p;
    for (p = path; *p != '\0'; p++)
        if (is_separator(*p)) name = p + 1;
    return name;
}

char *path_folder(const char *path) {
    size_t n = (size_t)(path_name(path) - path);
    char *out;
    while (n > 1 && is_separator(path[n - 1])) n--;
    out = malloc(n + 2);
    if (out == NULL) return NULL;
    if (n == 0) out[n++] = '.';
    else memcpy(out, path, n);
    out[n] = '\0';
    return out;
}

int path_above_onnx(char **out, const char *folder) {
    const char *name = path_name(folder);
    char *real;
    int found, no_memory;
    *out = NULL;
    if (strcmp(name, "onnx") == 0) return (*out = path_folder(folder)) != NULL;
    if (*name != '\0' && strcmp(name, ".") != 0 && strcmp(name, "..") != 0) return 1;
    real = file_os_real_path(folder);
    no_memory = real == NULL && errno == ENOMEM;
    found = real != NULL && strcmp(path_name(real), "onnx") == 0;
    free(real);
    if (found) *out = path_join(strcmp(folder, ".") == 0 ? "" : folder, "..");
    return !no_memory && (!found || *out != NULL);
}

int path_has_suffix(const char *path, const char *suffix) {
    const size_t n = strlen(path), s = strlen(suffix);
    return n >= s && memcmp(path + n - s, suffix, s) == 0;
}
