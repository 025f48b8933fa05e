#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# minnow eval on every instruction set of this machine but scalar, which would take hours: report and vectors must be the same,
# byte for byte. Says how long each took; leaves the first one's in OUT, and those that differ.
#   usage: eval-tiers.sh MINNOW MODEL OUT DIR...
#   $TIERS       which ones ("avx2 scalar"); default: all but scalar
#   $REFERENCE   what eval compares with: a model or a folder of vectors; default: nothing
set -u
if (($# < 4)); then
    echo "usage: eval-tiers.sh MINNOW MODEL OUT DIR...: DIR is a folder of tasks (docs/EVAL.md); none was given" >&2
    exit 2
fi
program=$1 model=$2 out=$3
shift 3
for folder in "$@"; do
    [[ -d $folder ]] && continue
    echo "eval-tiers: no folder $folder: test sets are not part of this repository (docs/EVAL.md)" >&2
    exit 2
done
[[ -e $model ]] || { echo "eval-tiers: no model $model ('make model' makes one)" >&2; exit 2; }

first='' failed=0 n=0
for tier in ${TIERS:-amx avx512vnni avx512 avxvnni avx2 neon-i8mm neon-dotprod neon}; do
    MINNOW_ISA=$tier "$program" tokenize --model "$model" "" > /dev/null 2>&1 || { echo "$tier: not on this machine"; continue; }
    rm -rf "${out:?}/$tier" && mkdir -p "$out/$tier/vectors" || exit 1
    SECONDS=0
    if ! MINNOW_ISA=$tier "$program" eval --model "$model" ${REFERENCE:+--reference "$REFERENCE"} --json \
        --save-vectors "$out/$tier/vectors" "$@" > "$out/$tier/report.json"; then
        echo "$tier: eval failed"
        failed=1
        continue
    fi
    sum=$(cd "$out/$tier" && sha256sum report.json vectors/*.npy | sha256sum | cut -d' ' -f1)
    n=$((n + 1))
    if [[ -z $first ]]; then first=$tier same='' expected=$sum
    elif [[ $sum == "$expected" ]]; then same=", as $first"
        rm -rf "${out:?}/$tier"
    else same=": OTHER BYTES than $first" failed=1
    fi
    echo "$tier: $sum, $SECONDS s$same"
done
if ((n < 2)); then echo "eval-tiers: $n instruction set: nothing to compare"; fi
exit $failed
