#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs test commands one after the other, lets all they print through, and adds up what they say of themselves.
# usage: run-tests.sh COMMAND...      each argument is one shell command
#
# A command is counted by the closing lines it prints: cmocka's "[  PASSED  ] N test(s)." and "[  FAILED  ] N test(s)", or a last line
# "N passed, N failed" (", N skipped"); one that prints neither is one test, passed if it exits with 0. One that exits otherwise and names no
# failure counts as one failure: it crashed, or ran longer than $TEST_TIMEOUT seconds. If $TEST_TALLY names a file, the sums are
# added to it as a line. Commands that took $TEST_SLOW seconds (10) or more are named with their times at the end.
set -u
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
passed=0 failed=0 skipped=0
broken=() slow=()

sum() { # $1: a sed expression that leaves the number of a line
    sed -nE "$1" "$log" | awk '{ n += $1 } END { print n + 0 }'
}

for command in "$@"; do
    started=$SECONDS
    timeout --foreground "${TEST_TIMEOUT:-900}" bash -c "$command" 2>&1 | tee "$log"
    status=${PIPESTATUS[0]} took=$((SECONDS - started))
    if ((took >= ${TEST_SLOW:-10})); then slow+=("$took s: $command"); fi
    p=$(sum 's/^\[  PASSED  \] ([0-9]+) test\(s\).*/\1/p')
    f=$(sum 's/^\[  FAILED  \] ([0-9]+) test\(s\).*/\1/p')
    s=$(sum 's/^\[  SKIPPED \] ([0-9]+) test\(s\).*/\1/p')
    if ((p + f + s == 0)); then
        if [[ $(tail -n 1 "$log") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed(,\ ([0-9]+)\ skipped)? ]]; then
            p=${BASH_REMATCH[1]} f=${BASH_REMATCH[2]} s=${BASH_REMATCH[4]:-0}
        elif ((status == 0)); then p=1
        fi
    fi
    if ((status != 0 && f == 0)); then
        echo "exit status $status: $command"
        f=1
    fi
    if ((f > 0)); then broken+=("$command"); fi
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done

for command in ${slow[@]+"${slow[@]}"}; do echo "took $command"; done
for command in ${broken[@]+"${broken[@]}"}; do echo "failed: $command"; done
if ((skipped > 0)); then echo "$skipped skipped (what they need is not here)"; fi
if ((passed + failed == 0)); then
    echo "no test ran"
    failed=1
fi
if [[ -n ${TEST_TALLY:-} ]]; then echo "$passed $failed" >> "$TEST_TALLY"; fi
echo "$passed passed, $failed failed"
((failed == 0))
