/* SPDX-License-Identifier: Apache-2.0
 * How wide a terminal is: one question to the operating system. */
#include "base/terminal.h"

#if defined(_WIN32)

#include <io.h>
#include <windows.h>

size_t terminal_columns(FILE *stream) {
    CONSOLE_SCREEN_BUFFER_INFO info;
    const HANDLE handle = (HANDLE)_get_osfhandle(_fileno(stream));
    if (!GetConsoleScreenBufferInfo(handle, &info) || info.srWindow.Right < info.srWindow.Left) return 0;
    return (size_t)(info.srWindow.Right - info.srWindow.Left + 1);
}

#else

#include <sys/ioctl.h>
#include <unistd.h>

size_t terminal_columns(FILE *stream) {
    struct winsize size;
    const int descriptor = fileno(stream);
    if (descriptor < 0 || !isatty(descriptor) || ioctl(descriptor, TIOCGWINSZ, &size) != 0) return 0;
    return size.ws_col;
}

#endif
