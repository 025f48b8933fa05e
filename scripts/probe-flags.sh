#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints makefile lines with the flags, of those wanted, that $CC accepts without a warning.
# usage: CC=cc probe-flags.sh "WARNINGS" "HARDENING" "LINKER"
set -u
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
echo 'int main(void) { return 0; }' > "$dir/t.c"
keep() { # $1: make variable, $2: flags, $3: "link" to link as well
    kept=
    for flag in $2; do
        if [ "$3" = link ]; then $CC -Werror "$flag" "$dir/t.c" -o "$dir/t" 2>/dev/null && kept="$kept $flag"
        else $CC -Werror "$flag" -c "$dir/t.c" -o "$dir/t.o" 2>/dev/null && kept="$kept $flag"; fi
    done
    echo "$1 :=$kept"
}
keep WARNING_FLAGS "$1" compile
keep HARDENING_FLAGS "$2" link
keep LINK_FLAGS "$3" link
