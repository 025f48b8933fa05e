#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs libFuzzer targets side by side. usage: fuzz.sh BUILD SECONDS RUNS JOBS TARGET...
# New inputs are kept in BUILD/fuzz-corpus/TARGET, logs in BUILD/fuzz-logs, what crashes in BUILD/fuzz-crashes.
set -eu
build=$1 seconds=$2 runs=$3 jobs=$4
shift 4
mkdir -p "$build/fuzz-logs" "$build/fuzz-crashes"

fuzz_one() {
    local target=$1 build=$2 seconds=$3 runs=$4 status=0 log dictionary=()
    log=$build/fuzz-logs/$target.log
    mkdir -p "$build/fuzz-corpus/$target"
    if [[ -e tests/fuzz/$target.dict ]]; then dictionary=(-dict="tests/fuzz/$target.dict"); fi
    # With a number of runs the time is the fuse, not the goal.
    if ((runs > 0)); then seconds=0; fi
    "$build/fuzzing/fuzz/$target" -max_total_time="$seconds" -runs="$runs" -timeout=10 -rss_limit_mb=3000 -max_len=16384 \
        -print_final_stats=1 -artifact_prefix="$build/fuzz-crashes/$target-" ${dictionary[@]+"${dictionary[@]}"} \
        "$build/fuzz-corpus/$target" $([[ -d tests/fuzz/corpus/$target ]] && echo "tests/fuzz/corpus/$target") \
        > "$log" 2>&1 || status=$?
    printf '%-28s %12s executions  %8s a second  %6s new  %s\n' "$target" \
        "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" "$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log")" \
        "$(sed -n 's/^stat::new_units_added: *//p' "$log")" "$( ((status == 0)) && echo clean || echo "FAILED, see $log")"
    return "$status"
}
export -f fuzz_one
printf '%s\n' "$@" | xargs -P "$jobs" -I{} bash -c 'fuzz_one "$@"' _ {} "$build" "$seconds" "$runs"
