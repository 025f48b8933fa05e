/* SPDX-License-Identifier: Apache-2.0
 * The progress bar: one line of stderr, redrawn in place, never wider than 80 columns. */
#include <string.h>

#include "base/os.h"
#include "cli.h"

#define BAR_CELLS 24
#define REDRAW_SECONDS 0.1

void cli_progress_begin(cli_progress *p, const char *label, const char *unit, uint64_t total) {
    memset(p, 0, sizeof *p);
    p->label = label;
    p->unit = unit;
    p->total = total;
    p->enabled = os_is_terminal(stderr);
    p->started = p->drawn = os_seconds();
}

/* "1:05", "2:03:20" */
static void format_duration(char *out, size_t capacity, double seconds) {
    const unsigned long s = seconds > 0 && seconds < 3.6e6 ? (unsigned long)(seconds + 0.5) : 0;
    if (s >= 3600) snprintf(out, capacity, "%lu:%02lu:%02lu", s / 3600, s / 60 % 60, s % 60);
    else snprintf(out, capacity, "%lu:%02lu", s / 60, s % 60);
}

static void draw(const cli_progress *p, double elapsed) {
    const double rate = elapsed > 0 ? (double)p->done / elapsed : 0;
    char line[160], time[32];
    int used;
    if (p->total > 0) {
        char bar[BAR_CELLS + 1];
        const uint64_t done = p->done < p->total ? p->done : p->total;
        const size_t filled = (size_t)((double)done / (double)p->total * BAR_CELLS);
        memset(bar, '.', BAR_CELLS);
        memset(bar, '#', filled);
        bar[BAR_CELLS] = '\0';
        format_duration(time, sizeof time, rate > 0 ? (double)(p->total - done) / rate : 0);
        used = snprintf(line, sizeof line, "%.12s [%s] %llu/%llu %.8s  %.1f/s  ETA %s", p->label, bar,
                        (unsigned long long)done, (unsigned long long)p->total, p->unit, rate, time);
    } else {
        format_duration(time, sizeof time, elapsed);
        used = snprintf(line, sizeof line, "%.12s %llu %.8s  %.1f/s  %s", p->label, (unsigned long long)p->done,
                        p->unit, rate, time);
    }
    if (used > 79) line[79] = '\0';
    fprintf(stderr, "\r%s\033[K", line);
    fflush(stderr);
}

void cli_progress_update(cli_progress *p, uint64_t done) {
    double now;
    p->done = done;
    if (!p->enabled) return;
    now = os_seconds();
    if (now - p->drawn < REDRAW_SECONDS) return;
    p->drawn = now;
    draw(p, now - p->started);
}

void cli_progress_end(cli_progress *p) {
    if (p->enabled && p->drawn > p->started) fputs("\r\033[K", stderr);
    p->enabled = 0;
}
