#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs into a scratch folder and builds the examples against it alone, through pkg-config and through CMake, shared and
# static; then runs them on a tiny model. usage: BUILD=build MAKE=make CC=cc test_install.sh
set -eu
cc=${CC:-cc} cxx=${CXX:-c++} make=${MAKE:-make}
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
passed=0 failed=0

# A model of 12 dimensions and 40 tokens with random weights.
model=$root/model
cp -r tests/golden/tiny-bert/gelu-f32 "$model"
printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' a first second third text query line another one token{14..39} > "$model/vocab.txt"

check() { # $1: what is checked; the rest: a command
    local what=$1 output
    shift
    if output=$("$@" 2>&1); then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $what: $*"
        echo "$output"
    fi
}

stage=$root/stage prefix=/opt/minnow libdir=/opt/minnow/lib/deep
installed=$stage$prefix
check "make install" $make BUILD="$BUILD" DESTDIR="$stage" PREFIX=$prefix LIBDIR=$libdir install
for file in bin/minnow include/minnow.h lib/deep/libminnow.a lib/deep/libminnow.so lib/deep/libminnow.so.0 lib/deep/pkgconfig/minnow.pc \
    lib/deep/cmake/minnow/minnowConfig.cmake share/man/man1/minnow.1 share/doc/minnow/LICENSE share/minnow/calibration.txt; do
    check "$file is installed" test -s "$installed/$file"
done
check "nothing outside the prefix" test "$(ls -A "$stage")/$(ls -A "$stage/opt")" = opt/minnow
check "the installed program runs" "$installed/bin/minnow" version
# A user's own arena_init, json_parse ... must not meet the library's.
only_public() { ! nm -g --defined-only "$installed/lib/deep/libminnow.a" | awk 'NF == 3 { print $3 }' | grep -v '^minnow_'; }
check "the archive defines minnow_* alone" only_public

export PKG_CONFIG_SYSROOT_DIR=$stage PKG_CONFIG_PATH=$installed/lib/deep/pkgconfig
export PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1
flags="-Wall -Wextra -Werror"
check "pkg-config's version" test "$(pkg-config --modversion minnow)" = "$("$installed/bin/minnow" version | grep -oE '[0-9]+\.[0-9]+\.[0-9]+' | head -n 1)"
check "C, shared" $cc -std=c11 $flags examples/c/embed.c $(pkg-config --cflags --libs minnow) -o "$root/embed"
check "C++, shared" $cxx -std=c++17 $flags examples/cpp/search.cpp $(pkg-config --cflags --libs minnow) -o "$root/search"
check "C, static" $cc -std=c11 $flags examples/c/embed.c $(pkg-config --cflags minnow) \
    "$installed/lib/deep/libminnow.a" $(pkg-config --static --libs-only-l minnow | sed 's/-lminnow//') -o "$root/embed-static"
for example in embed embed-static; do
    check "$example runs" env LD_LIBRARY_PATH="$installed/lib/deep" "$root/$example" "$model" "a first text" "a second text"
done
check "embed: the two libraries agree" test \
    "$(LD_LIBRARY_PATH="$installed/lib/deep" "$root/embed" "$model" "a first text" "a second text")" = \
    "$("$root/embed-static" "$model" "a first text" "a second text")"
search() { printf 'one line\nanother line\na third\n' | LD_LIBRARY_PATH="$installed/lib/deep" "$root/search" "$model" "a query" | grep -c line; }
check "search runs" search
# An INT8 model, made by the installed program with the installed texts.
check "the installed program quantizes" "$installed/bin/minnow" quantize --model "$model" --method minmax -o "$root/model.minnow"
for example in batch fixed_memory; do
    check "C, $example" $cc -std=c11 $flags examples/c/$example.c $(pkg-config --cflags --libs minnow) -o "$root/$example"
done
batch() { printf 'a first text\na second text\nanother\n' | LD_LIBRARY_PATH="$installed/lib/deep" "$root/batch" "$@" 2> /dev/null; }
check "batch runs" batch "$root/model.minnow"
check "batch: threads do not matter" test "$(batch "$root/model.minnow" 1)" = "$(batch "$root/model.minnow" 3)"
check "batch: FP32 as well" batch "$model" 2
check "fixed_memory runs" env LD_LIBRARY_PATH="$installed/lib/deep" "$root/fixed_memory" "$root/model.minnow" "a first text"
check "embed runs with INT8" env LD_LIBRARY_PATH="$installed/lib/deep" "$root/embed" "$root/model.minnow" "a first text" "a second text"
# The same as QDQ ONNX, a folder and a file, in C and in C++.
check "the installed program quantizes to ONNX" "$installed/bin/minnow" quantize --model "$model" --method minmax --to onnx -o "$root/int8/"
check "embed runs with INT8 ONNX" env LD_LIBRARY_PATH="$installed/lib/deep" "$root/embed" "$root/int8" "a first text" "a second text"
search_onnx() { printf 'one line\nanother line\n' | LD_LIBRARY_PATH="$installed/lib/deep" "$root/search" "$root/int8/onnx/model_quantized.onnx" "a query" | grep -c line; }
check "search runs with INT8 ONNX" search_onnx
fails_with_message() { ! "$root/embed-static" no/such/model "x" 2> "$root/message" && grep -q 'no/such/model' "$root/message"; }
check "a missing model is a message" fails_with_message

if command -v cmake > /dev/null; then
    for language in c cpp; do
        check "cmake configures examples/$language" cmake -S examples/$language -B "$root/cmake-$language" \
            -Dminnow_DIR="$installed/lib/deep/cmake/minnow" -DCMAKE_C_COMPILER="$cc" -DCMAKE_CXX_COMPILER="$cxx"
        check "cmake builds examples/$language" cmake --build "$root/cmake-$language"
    done
    check "cmake's embed runs" "$root/cmake-c/embed" "$model" "a first text" "a second text"
    check "cmake's batch runs" sh -c "echo text | '$root/cmake-c/batch' '$root/model.minnow' 2"
    check "cmake's static embed runs" "$root/cmake-c/embed_static" "$model" "a first text" "a second text"
fi

check "make uninstall" $make BUILD="$BUILD" DESTDIR="$stage" PREFIX=$prefix LIBDIR=$libdir uninstall
check "nothing is left" test -z "$(find "$stage" -type f -o -type l)"
echo "$passed passed, $failed failed"
((failed == 0))
