#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A big-endian compiler is refused by name. usage: CC=cc test_big_endian.sh
set -eu
compile() {
    ${CC:-cc} -std=c11 -fsyntax-only -Iinclude -Isrc -w "$@" -x c - <<< '#include "base/bytes.h"' 2>&1
}
compile > /dev/null || { echo "base/bytes.h does not compile on this machine"; exit 1; }
if message=$(compile -U__BYTE_ORDER__ -D__BYTE_ORDER__=4321); then
    echo "a big-endian byte order was accepted"
    exit 1
fi
grep -q 'does not support big-endian' <<< "$message" || { echo "unexpected message: $message"; exit 1; }
echo "big-endian is refused by name"
