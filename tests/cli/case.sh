# SPDX-License-Identifier: Apache-2.0
# What every case can use; runs the case that is its argument.
set -u
minnow() {
    # shellcheck disable=SC2086 # $RUNNER is a command with arguments
    $RUNNER "$MINNOW_PROGRAM" "$@"
}
code() {
    "$@"
    echo "exit $?"
}
# The rest needs the real model, or the small random one.
need_model() { [[ -e $MODELS/all-MiniLM-L6-v2/model.safetensors ]] || exit 77; }
need_tiny() { [[ -e $GOLDEN/tiny-bert/gelu-f32/model.safetensors ]] || exit 77; }
need() { [[ -e $1 ]] || exit 77; }
# shellcheck disable=SC1090
. "$1"
