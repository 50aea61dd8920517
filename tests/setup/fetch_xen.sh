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

fail() {
    printf 'fetch_xen: %s\n' "$*" >&2
    exit 1
}

# The package of the version that the distribution has; fails if it is unknown.
hypervisor() {
    apt-cache "${apt_options[@]}" depends "$metapackage" 2>/dev/null |
        sed -n 's/^ *Depends: \(xen-hypervisor-[0-9][^ ]*\)$/\1/p' | grep -m 1 .
}

download() {
    local package
    package=$(hypervisor) && unpack "$1" "$package"
}

fetch() {
    local work images
    command -v apt-get >/dev/null || fail 'no apt-get here to get Xen with'
    work=$(mktemp -d "$folder/.new.XXXXXX")
    # shellcheck disable=SC2064
    trap "rm -rf '$work'" EXIT
    printf 'fetch_xen: getting the Xen hypervisor package\n' >&2
    apt_options=()
    if [[ $(dpkg --print-architecture) != "$guest_architecture" ]] || ! download "$work"; then
        rm -rf "${work:?}"/*
        use_private_lists "$guest_architecture"
        if ! download "$work"; then
            [[ -f $work/download.log ]] && cat "$work/download.log" >&2
            fail "apt does not provide the hypervisor of $metapackage"
        fi
    fi
    mapfile -t images < <(compgen -G "$work/root/boot/xen-*.gz")
    ((${#images[@]} == 1)) || fail "the package holds no /boot/xen-*.gz, or several"
    gunzip -c "${images[0]}" >"$work/xen"
    mv "$work/xen" "$folder/xen"
}

main() {
    folder=${1:-$root/build/xen}
    if [[ ! -f $folder/xen ]]; then
        mkdir -p "$folder"
        folder=$(cd "$folder" && pwd)
        # Tests run side by side: one fetches, the others wait and find it done.
        exec 9>"$folder/.lock"
        flock 9
        if [[ ! -f $folder/xen ]]; then
            fetch
        fi
    fi
    printf '%s\n' "$folder/xen"
}

main "$@"
