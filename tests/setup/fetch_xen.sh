#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Gets the distribution's Xen hypervisor and unpacks it, without installing anything.
#
#   fetch_xen.sh [folder]      (default folder: build/xen)
#
# Leaves the hypervisor, a multiboot image, as <folder>/xen and prints that path. What is already
# there is not fetched again.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/setup/packages.sh
source "$root/tests/setup/packages.sh"

readonly metapackage=xen-system-amd64
readonly guest_architecture=amd64

# The package of the version that the distribution has; fails if it is unknown.
hypervisor() {
    apt-cache "${apt_options[@]}" depends "$metapackage" 2>/dev/null |
        sed -n 's/^ *Depends: \(xen-hypervisor-[0-9][^ ]*\)$/\1/p' | grep -m 1 .
}

download() {
    local package
    package=$(hypervisor) && unpack "$package"
}

fetch() {
    local images
    get_packages "the hypervisor of $metapackage" "$guest_architecture" ''
    mapfile -t images < <(compgen -G "$work/root/boot/xen-*.gz")
    ((${#images[@]} == 1)) || fail 'the package holds no /boot/xen-*.gz, or several'
    gunzip -c "${images[0]}" >"$work/xen"
    mv "$work/xen" "$folder/xen"
}

folder=${1:-$root/build/xen}
print_fetched xen
