#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fetches yyjson's C source (MIT) from the source archive of the PyPI package that carries it: pinned, hash-checked by pip before
# anything in it is used. usage: get-deps.sh DIRECTORY
set -eu
out=${1:-build/deps}
version=4.0.6 # carries yyjson 0.10.0
sha256=fcd4dc15c1e39a30bf9fa85d56903029111506860fc3080ab0d81c6c6dacaa8c
if [ -f "$out/yyjson/yyjson.c" ]; then touch "$out/yyjson/yyjson.c"; exit 0; fi
mkdir -p "$out"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
echo "yyjson==$version --hash=sha256:$sha256" > "$dir/requirements.txt"
echo "fetching yyjson (PyPI yyjson $version) ..." >&2
python3 -m pip download --quiet --disable-pip-version-check --no-deps --no-binary :all: --require-hashes \
    -r "$dir/requirements.txt" -d "$dir" >&2
echo "$sha256  $dir/yyjson-$version.tar.gz" | sha256sum -c --quiet -
tar -xzf "$dir/yyjson-$version.tar.gz" -C "$dir"
mkdir -p "$dir/yyjson"
mv "$dir/yyjson-$version/yyjson/yyjson.c" "$dir/yyjson-$version/yyjson/yyjson.h" "$dir/yyjson-$version/LICENSE" "$dir/yyjson/"
rm -rf "$out/yyjson"
mv "$dir/yyjson" "$out/yyjson"
