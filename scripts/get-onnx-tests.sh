#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fetches the node tests of the ONNX standard (Apache-2.0) from the PyPI package that carries them: pinned, hash-checked by pip,
# unpacked as the zip archive it is, without running anything of it. Safe to run again. usage: get-onnx-tests.sh FOLDER
set -eu
cd "$(dirname "$0")/.."
out=${1:-build/cache/onnx-node-tests}
cache=${MINNOW_CACHE:-build/cache}
version=1.18.0 # later packages carry none
sha256=6acafb3823238bbe8f4340c7ac32fb218689442e074d797bee1c5c9a02fdae75
wheel=onnx-$version-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl
inside=onnx/backend/test/data/node/

is_whole() { echo "$2  $1" | sha256sum -c --status - 2>/dev/null; }

if [ -d "$out" ]; then exit 0; fi
mkdir -p "$cache" "$(dirname "$out")"
part=$out.part.$$
trap 'rm -rf "$part"' EXIT
trap 'exit 1' HUP INT TERM
rm -rf "$part"
mkdir -p "$part/tests"

if ! is_whole "$cache/$wheel" "$sha256"; then
    echo "fetching onnx $version from PyPI (18 MB, once; kept in $cache) ..." >&2
    echo "onnx==$version --hash=sha256:$sha256" > "$part/requirements.txt"
    # The same archive whatever machine this is: only its data are looked at.
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
        --platform manylinux_2_17_x86_64 --implementation cp --python-version 3.11 --abi cp311 \
        -r "$part/requirements.txt" -d "$part" >&2
    is_whole "$part/$wheel" "$sha256" || { echo "get-onnx-tests.sh: $wheel: wrong SHA-256" >&2; exit 1; }
    mv -f "$part/$wheel" "$cache/$wheel"
fi

python3 scripts/unpack_wheel.py "$cache/$wheel" "$inside" "$part/tests"
mv "$part/tests" "$out"
echo "$out: $(ls "$out" | wc -l) node tests" >&2
