#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Golden tests of the command line. Each cases/NAME.sh runs in an empty folder of its own; what it prints must be, byte for byte,
# NAME.stdout and NAME.stderr (no file: nothing), its exit status NAME.exit (no file: 0). 77 means skipped.
#   usage: [MINNOW=build/minnow] run.sh [--update] [NAME...]     --update writes the files anew: read the diff before you commit it
# In a case: `minnow` is the program (under $RUNNER if that is set), $DATA is tests/cli/data, $GOLDEN is tests/golden,
# $MODELS is models/; `code COMMAND...` runs a command and prints its exit status.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
export MINNOW_PROGRAM
MINNOW_PROGRAM=$(realpath "${MINNOW:-$root/build/minnow}")
update=0
if [[ ${1:-} == --update ]]; then update=1; shift; fi
[[ -x $MINNOW_PROGRAM ]] || { echo "no program at $MINNOW_PROGRAM (MINNOW names another)"; echo "0 passed, 1 failed"; exit 1; }

scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/home" "$scratch/got"
# Nothing of the caller's may show: neither models nor settings nor language.
unset MINNOW_MODEL MINNOW_ISA XDG_DATA_HOME MINNOW
export HOME=$scratch/home LC_ALL=C TZ=UTC DATA=$here/data GOLDEN=$root/tests/golden MODELS=$root/models RUNNER=${RUNNER:-}

same() { # $1: what came out, $2: the file it must equal; a missing file stands for nothing
    if [[ -e $2 ]]; then cmp -s "$1" "$2"; else [[ ! -s $1 ]]; fi
}
keep() { if [[ -s $1 ]]; then cp "$1" "$2"; else rm -f "$2"; fi; }
show() { diff -u --label expected --label got "$([[ -e $2 ]] && echo "$2" || echo /dev/null)" "$1" | head -n 40; }

passed=0 failed=0 skipped=0
if (($# == 0)); then
    set -- "$here"/cases/*.sh
else
    set -- "${@/#/$here/cases/}"
    set -- "${@/%/.sh}"
fi
for case in "$@"; do
    name=$(basename "$case" .sh)
    expected=${case%.sh}
    got=$scratch/got
    rm -rf "$scratch/work" && mkdir "$scratch/work"
    (cd "$scratch/work" && exec bash "$here/case.sh" "$case") > "$got/stdout" 2> "$got/stderr" < /dev/null
    status=$?
    if ((status == 77)); then
        skipped=$((skipped + 1))
        continue
    fi
    if ((status == 0)); then : > "$got/exit"; else echo "$status" > "$got/exit"; fi
    if ((update)); then
        for part in stdout stderr exit; do keep "$got/$part" "$expected.$part"; done
    fi
    ok=1
    for part in stdout stderr exit; do
        same "$got/$part" "$expected.$part" && continue
        ok=0
        echo "$name: $part differs"
        show "$got/$part" "$expected.$part"
    done
    if ((ok)); then passed=$((passed + 1)); else failed=$((failed + 1)); fi
done
if ((skipped > 0)); then echo "$skipped skipped (what they need is not here)"; fi
echo "$passed passed, $failed failed"
((failed == 0))
