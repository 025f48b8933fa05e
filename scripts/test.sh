#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# From a fresh checkout to tested: installs what is missing, builds, gets the model, runs every test that needs no other machine.
set -eu
cd "$(dirname "$0")/.."
. scripts/install-packages.sh
need_build_tools
need libcmocka-dev can_compile 'stdarg.h stddef.h setjmp.h stdint.h cmocka.h' -lcmocka
need clang-19 command -v clang-19
need lld-19 command -v wasm-ld-19
need libclang-rt-19-dev-wasm32 test -e "$(clang-19 --target=wasm32-wasi -print-libgcc-file-name 2> /dev/null)"
need wasi-libc test -e /usr/lib/wasm32-wasi/libc.a
need brotli command -v brotli
need chromium test -x "${CHROMIUM:-/usr/bin/chromium}"
install_missing
PATH=$(sh scripts/get-node.sh):$PATH
export PATH
make -j"$(nproc)" test-programs
make model # the vectors of the real weights are part of what is tested
make test
