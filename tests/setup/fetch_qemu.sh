#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Gets the QEMU of another suite of Debian with all libraries it needs and unpacks it, without
# installing anything.
#
#   fetch_qemu.sh trixie|sid [folder]      (default folder: build/qemu)
#
# Leaves in <folder>/<suite>/:
#   qemu-system-x86_64   starts that QEMU, from wherever the folder is
#   root/                the unpacked packages
# and prints the path of the former. What is already there is not fetched again. Package lists are
# private ones, below <folder>/.apt-amd64-<suite>/.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/setup/packages.sh
source "$root/tests/setup/packages.sh"

readonly qemu_package=qemu-system-x86
readonly host_architecture=amd64

fail() {
    printf 'fetch_qemu: %s\n' "$*" >&2
    exit 1
}

# What apt would install for QEMU where nothing is installed, less what only an installed system
# needs, such as programs for user accounts.
needed_packages() {
    apt-get "${apt_options[@]}" install --simulate --no-install-recommends "$qemu_package" 2>/dev/null |
        sed -n 's/^Inst \([^ ]*\) .*/\1/p' |
        grep -E '^(lib|zlib1g|qemu-|seabios|ipxe-)'
}

download() {
    local needed
    mapfile -t needed < <(needed_packages)
    ((${#needed[@]} > 0)) && unpack "$1" "${needed[@]}"
}

# The program is started by its own suite's loader, which finds that suite's libraries only, and
# looks for its images and modules where its packages have them.
write_starter() {
    cat >"$1" <<'END'
#!/bin/sh
root=$(dirname "$0")/root
libraries=$root/usr/lib/x86_64-linux-gnu
share=$root/usr/share
export QEMU_MODULE_DIR="$libraries/qemu"
exec "$libraries/ld-linux-x86-64.so.2" --library-path "$libraries:$root/lib/x86_64-linux-gnu" \
    "$root/usr/bin/qemu-system-x86_64" \
    -L "$share/qemu" -L "$share/seabios" -L "$root/usr/lib/ipxe/qemu" "$@"
END
    chmod 755 "$1"
}

fetch() {
    local suite=$1 work log
    command -v apt-get >/dev/null || fail 'no apt-get here to get QEMU with'
    work=$(mktemp -d "$folder/.$suite.XXXXXX")
    # shellcheck disable=SC2064
    trap "rm -rf '$work'" EXIT
    printf 'fetch_qemu: getting the packages of QEMU of %s\n' "$suite" >&2
    apt_options=()
    if ! use_private_lists "$host_architecture" "$suite" || ! download "$work"; then
        for log in "$folder/.apt-$host_architecture-$suite/log" "$work/download.log"; do
            [[ -f $log ]] && cat "$log" >&2
        done
        fail "apt does not provide $qemu_package of $suite and its libraries"
    fi
    mkdir "$work/done"
    mv "$work/root" "$work/done/root"
    write_starter "$work/done/qemu-system-x86_64"
    "$work/done/qemu-system-x86_64" --version >/dev/null || fail "the QEMU of $suite does not start"
    mv -T "$work/done" "$folder/$suite"
}

main() {
    local suite=${1:?a suite is needed: trixie or sid}
    [[ $suite =~ ^[a-z]+$ ]] || fail "'$suite' is no name of a suite, as trixie or sid"
    folder=${2:-$root/build/qemu}
    if [[ ! -d $folder/$suite ]]; then
        mkdir -p "$folder"
        folder=$(cd "$folder" && pwd)
        # Tests run side by side: one fetches, the others wait and find it done.
        exec 9>"$folder/.lock"
        flock 9
        if [[ ! -d $folder/$suite ]]; then
            fetch "$suite"
        fi
    fi
    printf '%s\n' "$folder/$suite/qemu-system-x86_64"
}

main "$@"
