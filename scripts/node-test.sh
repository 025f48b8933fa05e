#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs Node's tests in files and closes with the lines that run-tests.sh counts. Passed tests are counted, failed ones shown.
# usage: [NODE=node] node-test.sh FILE...      without NODE: the one of get-node.sh
set -uo pipefail
here=$(dirname "$0")
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
node=${NODE:-$(sh "$here/get-node.sh")/node} || exit 1

"$node" --test --test-reporter=tap "$@" > "$log" 2>&1
status=$?
count() { awk -v name="$1" '$1 == "#" && $2 == name { n = $3 } END { print n + 0 }' "$log"; }
passed=$(count pass) failed=$(($(count fail) + $(count cancelled))) skipped=$(count skipped)
if ((status != 0)); then
    # From each failed test to the end of its description.
    sed -n '/^ *not ok/,/^ *\.\.\.$/p' "$log"
    if ((failed == 0)); then cat "$log"; fi
fi
grep -E '^ *# minnow-.*bytes' "$log" | sed 's/^ *# //'
echo "[  PASSED  ] $passed test(s)."
if ((skipped > 0)); then echo "[  SKIPPED ] $skipped test(s)."; fi
if ((failed > 0)); then echo "[  FAILED  ] $failed test(s)."; fi
exit $status
