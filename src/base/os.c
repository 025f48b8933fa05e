/* SPDX-License-Identifier: Apache-2.0 */
#include "base/os.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(_WIN32)
#include <io.h>
#include <windows.h>
#else
#include <unistd.h>
#if defined(__APPLE__)
#include <mach-o/dyld.h>
#endif
#endif

#if defined(_WIN32)

void os_ignore_sigpipe(void) {}

void os_prepare_streams(void) {
    _setmode(_fileno(stdin), _O_BINARY);
    _setmode(_fileno(stdout), _O_BINARY);
    SetConsoleOutputCP(CP_UTF8);
}

int os_is_terminal(FILE *stream) { return _isatty(_fileno(stream)) != 0; }

ptrdiff_t os_read(FILE *stream, void *data, size_t bytes) {
    return _read(_fileno(stream), data, bytes > INT_MAX ? INT_MAX : (unsigned)bytes);
}

double os_seconds(void) {
    LARGE_INTEGER now, frequency;
    QueryPerformanceCounter(&now);
    QueryPerformanceFrequency(&frequency);
    return (double)now.QuadPart / (double)frequency.QuadPart;
}

char *os_executable_path(void) {
    char *path = malloc(MAX_PATH + 1);
    const DWORD n = path == NULL ? 0 : GetModuleFileNameA(NULL, path, MAX_PATH + 1);
    if (n == 0 || n > MAX_PATH) {
        free(path);
        return NULL;
    }
    return path;
}

#else

void os_ignore_sigpipe(void) { signal(SIGPIPE, SIG_IGN); }

void os_prepare_streams(void) {
    int descriptor;
    for (descriptor = 0; descriptor <= 2; descriptor++) {
        if (fcntl(descriptor, F_GETFD) >= 0 || errno != EBADF) continue;
        /* open gives the lowest free number, which is this one. The wrong direction makes every use fail, as on a closed one. */
        if (open("/dev/null", descriptor == 0 ? O_WRONLY : O_RDONLY) < 0) return;
    }
}

int os_is_terminal(FILE *stream) { return isatty(fileno(stream)); }

ptrdiff_t os_read(FILE *stream, void *data, size_t bytes) {
    const int descriptor = fileno(stream);
    ssize_t n;
    do n = read(descriptor, data, bytes);
    while (n < 0 && errno == EINTR);
    return (ptrdiff_t)n;
}

double os_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

#if defined(__APPLE__)
char *os_executable_path(void) {
    uint32_t bytes = 0;
    char *path, *resolved;
    _NSGetExecutablePath(NULL, &bytes);
    path = malloc(bytes);
    if (path == NULL || _NSGetExecutablePath(path, &bytes) != 0) {
        free(path);
        return NULL;
    }
    resolved = realpath(path, NULL);
    free(path);
    return resolved;
}
#else
char *os_executable_path(void) { return realpath("/proc/self/exe", NULL); }
#endif

#endif

int os_list_folder(const char *path, os_visit_fn visit, void *context) {
    DIR *folder = opendir(path);
    const struct dirent *entry;
    if (folder == NULL) return -1;
    while ((entry = readdir(folder)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) visit(context, entry->d_name);
    closedir(folder);
    return 0;
}
