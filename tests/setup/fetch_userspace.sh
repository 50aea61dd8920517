#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Gets the distribution's systemd with all libraries it needs and unpacks it, without installing
# anything.
#
#   fetch_userspace.sh [folder]      (default folder: build/userspace)
#
# Leaves the unpacked packages in <folder>/root and prints that path. What is already there is not
# fetched again.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/setup/packages.sh
source "$root/tests/setup/packages.sh"

readonly packages=(systemd base-files)
readonly guest_architecture=amd64

fail() {
    printf 'fetch_userspace: %s\n' "$*" >&2
    exit 1
}

# The libraries that a package needs, and those that these need.
libraries() {
    apt-cache "${apt_options[@]}" depends --recurse --no-recommends --no-suggests --no-conflicts \
        --no-breaks --no-replaces --no-enhances "$1" 2>/dev/null | grep -x 'lib[^ ]*' | sort -u
}

# Downloads and unpacks; fails when the package lists in use do not know the packages.
download() {
    local needed
    mapfile -t needed < <(libraries systemd)
    ((${#needed[@]} > 0)) && unpack "$1" "${packages[@]}" "${needed[@]}"
}

fetch() {
    local work
    command -v apt-get >/dev/null || fail 'no apt-get here to get systemd with'
    work=$(mktemp -d "$folder/.new.XXXXXX")
    # shellcheck disable=SC2064
    trap "rm -rf '$work'" EXIT
    printf 'fetch_userspace: getting the systemd packages\n' >&2
    apt_options=()
    if [[ $(dpkg --print-architecture) != "$guest_architecture" ]] || ! download "$work"; then
        rm -rf "${work:?}"/*
        use_private_lists "$guest_architecture"
        if ! download "$work"; then
            [[ -f $work/download.log ]] && cat "$work/download.log" >&2
            fail 'apt does not provide systemd and its libraries'
        fi
    fi
    mv "$work/root" "$folder/root"
}

main() {
    folder=${1:-$root/build/userspace}
    if [[ ! -d $folder/root ]]; then
        mkdir -p "$folder"
        folder=$(cd "$folder" && pwd)
        # Tests run side by side: one fetches, the others wait and find it done.
        exec 9>"$folder/.lock"
        flock 9
        if [[ ! -d $folder/root ]]; then
            fetch
        fi
    fi
    printf '%s\n' "$folder/root"
}

main "$@"
