#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# From a fresh checkout to tested: installs what is missing, builds, gets the model, runs every test that needs no other machine.
set -eu
cd "$(dirname "$0")/.."
. scripts/install-packages.sh
need_build_tools
need libcmocka-dev can_compile 'stdarg.h stddef.h setjmp.h stdint.h cmocka.h' -lcmocka
install_missing
make -j"$(nproc)" test-programs
make model # the vectors of the real weights are part of what is tested
make test
