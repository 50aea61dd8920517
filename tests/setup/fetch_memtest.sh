#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Gets the distribution's Memtest86+ and unpacks it, without installing anything.
#
#   fetch_memtest.sh [folder]      (default folder: build/memtest)
#
# Leaves in <folder>/images/ the programs for 32 and 64 bits, memtest86+ia32.bin and
# memtest86+x64.bin, both in the format of a Linux kernel, and prints that path. What is already
# there is not fetched again.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/setup/packages.sh
source "$root/tests/setup/packages.sh"

readonly memtest=memtest86+
readonly guest_architecture=amd64

download() {
    unpack "$memtest"
}

fetch() {
    get_packages "$memtest" "$guest_architecture" ''
    compgen -G "$work/root/boot/memtest86+*.bin" >/dev/null ||
        fail 'the package holds no /boot/memtest86+*.bin'
    mv "$work/root/boot" "$folder/images"
}

folder=${1:-$root/build/memtest}
print_fetched images
