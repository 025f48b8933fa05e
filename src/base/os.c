/* SPDX-License-Identifier: Apache-2.0 */
#include "base/os.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(_WIN32)
#include <io.h>
#include <windows.h>
#else
#include <sys/stat.h>
#include <unistd.h>
#if defined(__APPLE__)
#include <mach-o/dyld.h>
#endif
#endif

static atomic_int interrupt_signal;

static void note_interrupt(int number) {
    atomic_store(&interrupt_signal, number);
    signal(number, SIG_DFL);
}

int os_interrupted(void) { return atomic_load_explicit(&interrupt_signal, memory_order_relaxed); }

void os_end_if_interrupted(void) {
    const int number = os_interrupted();
    if (number == 0) return;
    signal(number, SIG_DFL);
    raise(number);
}

#if defined(_WIN32)

void os_catch_interrupts(void) {
    signal(SIGINT, note_interrupt);
    signal(SIGTERM, note_interrupt);
}

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

uint64_t os_count_lines(FILE *stream) {
    (void)stream; /* there is no reading aside */
    return 0;
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

void os_catch_interrupts(void) {
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action, old;
    size_t i;
    memset(&action, 0, sizeof action); /* without SA_RESTART: a read that waits must end */
    action.sa_handler = note_interrupt;
    sigemptyset(&action.sa_mask);
    for (i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN) sigaction(numbers[i], &action, NULL);
}

void os_ignore_sigpipe(void) { signal(SIGPIPE, SIG_IGN); }

void os_prepare_streams(void) {
    int descriptor;
    for (descriptor = 0; descriptor <= 2; descriptor++) {
        if (fcntl(descriptor, F_GETFD) >= 0 || errno != EBADF) continue;
        /* open gives the lowest free number, which is this one. The wrong direction makes every use fail, as on a
         * closed one. */
        if (open("/dev/null", descriptor == 0 ? O_WRONLY : O_RDONLY) < 0) return;
    }
}

int os_is_terminal(FILE *stream) { return isatty(fileno(stream)); }

ptrdiff_t os_read(FILE *stream, void *data, size_t bytes) {
    const int descriptor = fileno(stream);
    ssize_t n;
    do n = read(descriptor, data, bytes);
    while (n < 0 && errno == EINTR && !os_interrupted());
    return (ptrdiff_t)n;
}

uint64_t os_count_lines(FILE *stream) {
    const int descriptor = fileno(stream);
    off_t at = lseek(descriptor, 0, SEEK_CUR);
    char buffer[64 * 1024], last = '\n';
    uint64_t n_lines = 0;
    struct stat info;
    ssize_t n;
    if (at < 0 || fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode)) return 0;
    while ((n = pread(descriptor, buffer, sizeof buffer, at)) > 0) {
        const char *p = buffer, *end = buffer + n;
        while ((p = memchr(p, '\n', (size_t)(end - p))) != NULL) n_lines++, p++;
        last = end[-1];
        at += n;
    }
    return n_lines + (last != '\n');
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
