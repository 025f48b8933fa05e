/* SPDX-License-Identifier: Apache-2.0
 * minnow version: what was built, and what this machine offers it. */
#include <stdio.h>
#include <string.h>

#include "base/cpu.h"
#include "cli.h"
#include "run/kernels/kernels.h"
#include "minnow.h"
#include "options.h"

static const char help[] =
    "Usage: minnow version [--json]\n"
    "\n"
    "Prints the version, the compiler, the instruction-set tiers of this machine (all\n"
    "give the same bits; $MINNOW_ISA forces one) and the number of threads.\n"
    "\n"
    "      --json   one JSON object\n"
    "  -h, --help   this text\n";

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#elif defined(__GNUC__)
#define COMPILER "gcc " __VERSION__
#else
#define COMPILER "unknown"
#endif

#if defined(__x86_64__)
#define PROCESSOR "x86_64"
#elif defined(__aarch64__)
#define PROCESSOR "aarch64"
#else
#define PROCESSOR "other"
#endif

#if defined(_WIN32)
#define SYSTEM "windows"
#elif defined(__APPLE__)
#define SYSTEM "macos"
#elif defined(__linux__)
#define SYSTEM "linux"
#else
#define SYSTEM "other"
#endif

static const struct option options[] = {
    {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};

static void print_json(void) {
    int tier, first = 1;
    printf("{\"version\":\"%s\",\"compiler\":", minnow_version());
    cli_json_string(stdout, COMPILER, strlen(COMPILER));
    printf(",\"target\":\"%s-%s\",\"tiers\":[", PROCESSOR, SYSTEM);
    for (tier = 0; tier < CPU_TIER_COUNT; tier++) {
        if (!cpu_has_tier((cpu_tier)tier)) continue;
        printf("%s\"%s\"", first ? "" : ",", cpu_tier_name((cpu_tier)tier));
        first = 0;
    }
    printf("],\"tier\":\"%s\",\"threads\":%u}\n", kernels_best()->name, cpu_count());
}

static void print_text(void) {
    int tier;
    printf("minnow %s\ncompiler  %s\ntarget    %s-%s\ntiers    ", minnow_version(), COMPILER, PROCESSOR, SYSTEM);
    for (tier = 0; tier < CPU_TIER_COUNT; tier++)
        if (cpu_has_tier((cpu_tier)tier)) printf(" %s", cpu_tier_name((cpu_tier)tier));
    printf(" (used: %s)\nthreads   %u\n", kernels_best()->name, cpu_count());
}

int cmd_version(int argc, char **argv) {
    int code, json = 0;
    opterr = 0;
    while ((code = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        if (code == '?' || code == ':') return cli_option_error("version", code, argv, options);
        if (code == 'h') {
            fputs(help, stdout);
            return cli_finish(CLI_OK);
        }
        json = 1;
    }
    if (optind < argc) return cli_usage_error("version", "'%.100s': no arguments expected", argv[optind]);
    if (json) print_json();
    else print_text();
    return cli_finish(CLI_OK);
}
