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
readonly program=qemu-system-x86_64

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
    ((${#needed[@]} > 0)) && unpack "${needed[@]}"
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
    local suite=$1
    get_packages "$qemu_package of $suite and its libraries" "$host_architecture" "$suite"
    mkdir "$work/done"
    mv "$work/root" "$work/done/root"
    write_starter "$work/done/$program"
    "$work/done/$program" --version >/dev/null || fail "the QEMU of $suite does not start"
    mv -T "$work/done" "$folder/$suite"
}

suite=${1:?a suite is needed: trixie or sid}
[[ $suite =~ ^[a-z]+$ ]] || fail "'$suite' is no name of a suite, as trixie or sid"
folder=${2:-$root/build/qemu}
print_fetched "$suite/$program" "$suite"
