#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The shared library exports exactly the functions that minnow.h declares. usage: BUILD=build test_symbols.sh
set -eu
declared=$(tr '\n' ' ' < include/minnow.h | grep -oE 'MINNOW_API [^;()]*\(' | grep -oE 'minnow_[a-z0-9_]+\($' | tr -d '(' | sort)
exported=$(nm -D --defined-only "$BUILD"/libminnow.so | awk '{ print $3 }' | sort)
if [[ -z $declared || $declared != "$exported" ]]; then
    diff <(echo "$declared") <(echo "$exported") || true
    echo "libminnow.so: the exported symbols (>) differ from minnow.h's functions (<)"
    exit 1
fi
soname=$(readelf -d "$BUILD"/libminnow.so | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p')
[[ $soname == libminnow.so.0 ]] || { echo "soname is $soname"; exit 1; }
# What the library asks of its process: it never prints, exits or reads the environment.
forbidden=$(nm -D --undefined-only "$BUILD"/libminnow.so | awk '{ print $2 }' | sed 's/@.*//' |
    grep -xE 'exit|_exit|quick_exit|getenv|secure_getenv|printf|puts|putchar|perror|vprintf|__printf_chk|system|popen|execve|stdout|stderr|stdin' || true)
if [[ -n $forbidden ]]; then
    echo "libminnow.so uses" $forbidden
    exit 1
fi
echo "symbols: $(wc -l <<< "$exported") functions exported, all declared"
