# SPDX-License-Identifier: Apache-2.0
# Sourced by setup.sh and test.sh: finds out which tools this machine lacks and installs them with apt-get.
#
#   need PACKAGE COMMAND...   notes PACKAGE as missing unless the command succeeds
#   install_missing           installs what was noted; stops the script if it cannot
#
# What is asked for is a tool that works, not a package's name, so a toolchain from elsewhere is as good as the system's.

missing=

need() {
    package=$1
    shift
    "$@" > /dev/null 2>&1 || missing="$missing $package"
}

# Does the C compiler make a program from these headers and libraries?
can_compile() { # $1: headers, separated by blanks; the rest: linker arguments
    headers=$1
    shift
    dir=$(mktemp -d) || return 1
    { for header in $headers; do echo "#include <$header>"; done; echo 'int main(void) { return 0; }'; } > "$dir/t.c"
    result=0
    ${CC:-cc} "$dir/t.c" -o "$dir/t" "$@" || result=1
    rm -rf "$dir"
    return $result
}

# Where the systems keep the certificates that pip needs.
has_certificates() {
    for file in "${SSL_CERT_FILE:-}" /etc/ssl/certs/ca-certificates.crt /etc/ssl/cert.pem /etc/pki/tls/certs/ca-bundle.crt; do
        [ ! -s "$file" ] || return 0
    done
    return 1
}

need_build_tools() {
    need gcc command -v "${CC:-cc}"
    need libc6-dev can_compile 'stdio.h pthread.h'
    need make command -v make
    need python3 command -v python3
    need python3-pip python3 -m pip --version
    need ca-certificates has_certificates
}

apt_install() {
    DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@"
}

install_missing() {
    [ -n "$missing" ] || return 0
    if ! command -v apt-get > /dev/null; then
        echo "This machine lacks, by the names of Debian's packages:$missing" >&2
        echo "Install them with this system's package manager, then run this script again." >&2
        exit 1
    fi
    if [ "$(id -u)" != 0 ]; then
        echo "This machine lacks some packages. Run this line, then this script again:" >&2
        echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends$missing" >&2
        exit 1
    fi
    echo "installing:$missing" >&2
    # Lists may be absent (a container) or stale: the first try then fails, and one update mends it.
    if ! ls /var/lib/apt/lists/*_Packages* > /dev/null 2>&1 || ! apt_install $missing; then
        apt-get -o DPkg::Lock::Timeout=300 update
        apt_install $missing
    fi
    missing=
}
