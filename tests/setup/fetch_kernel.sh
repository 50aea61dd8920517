#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Gets one of the distribution's kernels and unpacks it, without installing anything.
#
#   fetch_kernel.sh cloud|generic|rt|i386 [folder]      (default folder: build/kernels)
#   fetch_kernel.sh cloud@bullseye [folder]             (of another suite of Debian)
#
# Leaves in <folder>/<kernel>/, where <kernel> is the first argument:
#   vmlinuz        the packaged bzImage
#   modules/       its modules: kernel/, modules.order, ...
#   release        one line, what `uname -r` will say
#   busybox        a static busybox of the same architecture (i386 only)
# and prints the path of vmlinuz. What is already there is not fetched again.
#
# Packages come from apt's configured sources, or from another suite of the same mirror. Where the
# system's package lists do not know a package (another suite or architecture, or lists never
# fetched or out of date), a private set of lists below <folder>/.apt-<architecture>[-<suite>]/ is
# used; the system's apt configuration, lists and list of architectures stay as they are.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/setup/packages.sh
source "$root/tests/setup/packages.sh"

# The metapackages that stand for a flavour; the first one known to apt is used.
metapackages() {
    case $1 in
        cloud) echo linux-image-cloud-amd64 linux-image-virtual ;;
        generic) echo linux-image-amd64 linux-image-generic ;;
        rt) echo linux-image-rt-amd64 ;;
        i386) echo linux-image-686-pae linux-image-686 ;;
        *) fail "unknown flavour '$1' (cloud, generic, rt, i386)" ;;
    esac
}

architecture_of() { if [[ $1 == i386 ]]; then echo i386; else echo amd64; fi; }

# The versioned package that the flavour's metapackage stands for today; fails if unknown.
concrete_package() {
    local name image
    for name in $(metapackages "$1"); do
        image=$(apt-cache "${apt_options[@]}" depends "$name" 2>/dev/null |
            sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -n 1)
        if [[ -n $image ]]; then
            printf '%s\n' "$image"
            return
        fi
    done
    return 1
}

# The packages beside it that hold its parts: its modules (Ubuntu and newer Debian), the bzImage
# itself and the list of what is built in (newer Debian).
part_packages() {
    apt-cache "${apt_options[@]}" depends "$1" 2>/dev/null |
        sed -n 's/^ *Depends: \(linux-\(modules\|binary\|base\)-[0-9][^ ]*\)$/\1/p'
}

download() {
    local flavour=$1 image
    local packages=()
    image=$(concrete_package "$flavour") || return 1
    mapfile -t packages < <(part_packages "$image")
    packages+=("$image")
    if [[ $flavour == i386 ]]; then
        packages+=(busybox-static)
    fi
    unpack "${packages[@]}"
}

# Moves what matters from the unpacked packages into its final form.
arrange() {
    local image modules busybox
    image=$(compgen -G "$work/root/boot/vmlinuz-*" ||
        compgen -G "$work/root/usr/lib/modules/*/vmlinuz") || fail 'the package holds no vmlinuz'
    modules=$(compgen -G "$work/root/lib/modules/*" || compgen -G "$work/root/usr/lib/modules/*") ||
        fail 'the package holds no modules'
    mkdir "$work/done"
    mv "$image" "$work/done/vmlinuz"
    # Some packages keep their kernel readable by root only.
    chmod 644 "$work/done/vmlinuz"
    basename "$modules" >"$work/done/release"
    mv "$modules" "$work/done/modules"
    for busybox in "$work"/root/bin/busybox "$work"/root/usr/bin/busybox; do
        if [[ -f $busybox ]]; then
            mv "$busybox" "$work/done/busybox"
        fi
    done
}

fetch() {
    local flavour=$1 suite=$2 kernel=$3
    command -v apt-get >/dev/null || fail 'no apt-get here to get a kernel with; give one: KERNEL='
    get_packages "the $kernel kernel ($(metapackages "$flavour"))" "$(architecture_of "$flavour")" \
        "$suite" "$flavour"
    arrange
    mv -T "$work/done" "$folder/$kernel"
}

kernel=${1:?a flavour is needed: cloud, generic, rt or i386}
flavour=${kernel%%@*}
suite=''
metapackages "$flavour" >/dev/null
if [[ $kernel == *@* ]]; then
    suite=${kernel#*@}
    [[ $suite =~ ^[a-z]+$ ]] || fail "'$suite' is no name of a suite, as bullseye or sid"
fi
folder=${2:-$root/build/kernels}
print_fetched "$kernel/vmlinuz" "$flavour" "$suite" "$kernel"
