#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Gets what the browser tests need together, and runs them; says so and stops when something is not here.
# usage: BUILD=build MAKE=make run.sh [WORD...]
set -eu
cd "$(dirname "$0")/../.."

skip() {
    echo "browser tests: skipped, $1"
    echo "[  SKIPPED ] 1 test(s)"
    exit 0
}
[ -x "${CHROMIUM:-/usr/bin/chromium}" ] || skip "no Chromium (CHROMIUM=PROGRAM names one)"
command -v node > /dev/null || skip "no Node"
command -v "${WASM_CC:-clang-19}" > /dev/null || skip "no ${WASM_CC:-clang-19} to make the WASM modules"
$MAKE --no-print-directory BUILD="$BUILD" wasm > "$BUILD/wasm.log" 2>&1 || { cat "$BUILD/wasm.log"; exit 1; }
if [ ! -d js/node_modules/playwright-core ]; then
    npm --prefix js ci --no-audit --no-fund > "$BUILD/npm.log" 2>&1 || skip "js/node_modules is not there and npm ci fails ($BUILD/npm.log)"
fi
exec node tests/browser/run.mjs "$@"
