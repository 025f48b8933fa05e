#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compares Minnow with PyTorch, onnxruntime, sentence-transformers and transformers.js, in an environment of its own under build/peers
# (several GB to fetch, the first time). usage: run.sh [MODEL_FOLDER]; $MINNOW names the program.
set -eu
cd "$(dirname "$0")/../.."
minnow=${MINNOW:-build/minnow}
model=${1:-models/all-MiniLM-L6-v2}
peers=build/peers
mkdir -p "$peers"

if ! cmp -s tests/peers/requirements.txt "$peers/requirements.txt"; then
    [ -x "$peers/venv/bin/python" ] || python3 -m venv "$peers/venv"
    "$peers/venv/bin/python" -m pip install --disable-pip-version-check -r tests/peers/requirements.txt
    cp tests/peers/requirements.txt "$peers/requirements.txt"
fi
# Its install scripts would fetch GPU libraries from elsewhere.
if command -v npm > /dev/null && [ ! -d "$peers/node_modules/@huggingface/transformers" ]; then
    npm install --prefix "$peers" --ignore-scripts --no-audit --no-fund @huggingface/transformers@4.3.1
fi

[ -d "$model" ] || sh scripts/get-model.sh
exec "$peers/venv/bin/python" tests/peers/test_export.py "$minnow" "$model"
