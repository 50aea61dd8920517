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

# The libraries that a package needs, and those that these need.
libraries() {
    apt-cache "${apt_options[@]}" depends --recurse --no-recommends --no-suggests --no-conflicts \
        --no-breaks --no-replaces --no-enhances "$1" 2>/dev/null | grep -x 'lib[^ ]*' | sort -u
}

download() {
    local needed
    mapfile -t needed < <(libraries systemd)
    ((${#needed[@]} > 0)) && unpack "${packages[@]}" "${needed[@]}"
}

fetch() {
    get_packages 'systemd and its libraries' "$guest_architecture" ''
    mv "$work/root" "$folder/root"
}

folder=${1:-$root/build/userspace}
print_fetched root
