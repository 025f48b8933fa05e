#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# From a fresh checkout to a vector: installs what is missing, builds, gets the model, quantizes it and runs both on real text.
set -eu
cd "$(dirname "$0")/.."
. scripts/install-packages.sh
need_build_tools
install_missing

echo '== build' >&2
make -j"$(nproc)" all
echo '== model' >&2
make model
model=models/all-MiniLM-L6-v2

question="How do I reset my password?"
echo "== minnow embed \"$question\"" >&2
line=$(build/minnow embed --model "$model" "$question")
printf '%.150s ...\n' "$line"
echo "== minnow similarity \"$question\" SENTENCE: FP32, then INT8" >&2
for sentence in "I forgot my login." "Where can I change my credentials?" "The cat sleeps on the sofa."; do
    cosine=$(build/minnow similarity --model "$model" "$question" "$sentence")
    int8=$(build/minnow similarity --model "$model/model.minnow" "$question" "$sentence")
    printf '%-9s %-9s  %s\n' "$cosine" "$int8" "$sentence"
done
echo '== done: build/minnow --help' >&2
