#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# usage: run.sh FOLDER MODEL TEXTS      FOLDER has test_minimal and test_whole: both must print the same vectors' hash
set -euo pipefail
read -ra runner <<< "${RUNNER:-}" # qemu-aarch64 ..., or nothing
minimal=$(${runner[@]+"${runner[@]}"} "$1/test_minimal${EXE:-}" "$2" "$3")
whole=$(${runner[@]+"${runner[@]}"} "$1/test_whole${EXE:-}" "$2" "$3")
echo "the smallest library: $minimal"
if [[ -n $minimal && $minimal == "$whole" ]]; then
    echo "1 passed, 0 failed"
else
    echo "the whole library: $whole"
    echo "0 passed, 1 failed"
    exit 1
fi
