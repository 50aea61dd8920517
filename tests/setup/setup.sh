#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Makes sure that the programs and libraries of the named groups are there.
#
#   setup.sh build|run|test|bench ...
#
# Prints nothing and changes nothing when all of it is there. On Debian and Ubuntu it installs what
# is missing with apt-get, after one line that says so; elsewhere it lists what to install and
# exits 1. A requirement is checked by the file or program that is used, never by the package
# database, so whatever provides it is good.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

have_program() { command -v "$1" >/dev/null 2>&1 || [[ -x /usr/sbin/$1 ]]; }

# True when one of the given glob patterns matches a file.
have_file() {
    local pattern
    for pattern in "$@"; do
        if compgen -G "$pattern" >/dev/null; then
            return 0
        fi
    done
    return 1
}

is_x86() { [[ $(uname -m) == x86_64 || $(uname -m) == i?86 ]]; }

# Any compiler that makes 32-bit x86 code will do: CROSS_COMPILE's, the native one on x86, or one
# of the usual cross compilers.
have_compiler() {
    local prefix
    if [[ -n ${CROSS_COMPILE:-} ]]; then
        have_program "${CROSS_COMPILE}g++"
        return
    fi
    if is_x86 && have_program g++; then
        return 0
    fi
    for prefix in i686-linux-gnu x86_64-linux-gnu i686-elf x86_64-elf; do
        if have_program "$prefix-g++"; then
            return 0
        fi
    done
    return 1
}

have_linker() {
    have_program "${CROSS_COMPILE:-}ld" || have_program i686-linux-gnu-ld ||
        have_program x86_64-linux-gnu-ld || have_program i686-elf-ld || have_program x86_64-elf-ld
}

# The 32-bit C++ library of the host compiler: host tests are built -m32 as well as -m64.
have_multilib() {
    have_file '/usr/lib/gcc/x86_64-linux-gnu/*/32/libstdc++.a' '/usr/lib/libstdc++.so*'
}

have_gtest_sources() { have_file /usr/src/googletest/googletest/CMakeLists.txt; }

have_fuzzer_runtime() {
    have_file '/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-x86_64.a' \
        '/usr/lib/clang/*/lib/linux/libclang_rt.fuzzer-x86_64.a' \
        '/usr/lib*/clang/*/lib/*/libclang_rt.fuzzer.a'
}

have_static_busybox() {
    local busybox
    busybox=$(command -v busybox) || return 1
    # A static program has no interpreter, whose path begins with /lib in every x86 system.
    ! head -c 1024 "$busybox" | grep -qa '/lib.*/ld-'
}

have_ovmf() {
    have_file '/usr/share/OVMF/OVMF_CODE*.fd' /usr/share/ovmf/OVMF.fd \
        '/usr/share/edk2/x64/OVMF_CODE*.fd'
}

have_pytest() { "$here/python.sh" >/dev/null 2>&1; }

have_python_module() { "$here/python.sh" "$1" >/dev/null 2>&1; }

# group | what it is, for people | package of Debian and Ubuntu | check
requirements() {
    local compiler=g++
    is_x86 || compiler=g++-i686-linux-gnu
    cat <<END
build|make|make|have_program make
build|a g++ that makes 32-bit x86 code|$compiler|have_compiler
build|GNU binutils|binutils|have_linker
run|Python 3|python3|have_program python3
run|QEMU for x86 (qemu-system-x86_64)|qemu-system-x86|have_program qemu-system-x86_64
run|a static busybox|busybox-static|have_static_busybox
run|xz|xz-utils|have_program xz
test|the 32-bit C++ library for g++ -m32|g++-multilib|have_multilib
test|the GoogleTest sources|googletest|have_gtest_sources
test|the GoogleTest library|libgtest-dev|have_file /usr/include/gtest/gtest.h
test|clang++|clang|have_program clang++
test|the libFuzzer run-time library of clang|libclang-rt-dev|have_fuzzer_runtime
test|clang-format|clang-format|have_program clang-format
test|clang-tidy|clang-tidy|have_program clang-tidy
test|pytest|python3-pytest|have_pytest
test|pytest-xdist|python3-pytest-xdist|have_pytest
test|the ACPI tools (iasl)|acpica-tools|have_program iasl
test|dmidecode|dmidecode|have_program dmidecode
test|swtpm|swtpm|have_program swtpm
test|swtpm's tools|swtpm-tools|have_program swtpm_setup
test|gdb|gdb|have_program gdb
test|SeaBIOS|seabios|have_file /usr/share/seabios/bios-256k.bin /usr/share/qemu/bios-256k.bin
test|OVMF|ovmf|have_ovmf
test|the device tree compiler|device-tree-compiler|have_program dtc
test|cpio|cpio|have_program cpio
test|lz4|lz4|have_program lz4
test|zstd|zstd|have_program zstd
test|shellcheck|shellcheck|have_program shellcheck
test|git|git|have_program git
test|jsonschema for Python|python3-jsonschema|have_python_module jsonschema
test|Matplotlib for Python|python3-matplotlib|have_python_module matplotlib
bench|SeaBIOS|seabios|have_file /usr/share/seabios/bios-256k.bin /usr/share/qemu/bios-256k.bin
bench|OVMF|ovmf|have_ovmf
bench|a g++ for this machine|g++|have_program g++
bench|jsonschema for Python|python3-jsonschema|have_python_module jsonschema
bench|Matplotlib for Python|python3-matplotlib|have_python_module matplotlib
bench|lz4|lz4|have_program lz4
bench|zstd|zstd|have_program zstd
END
}

# Fills the arrays `packages` and `descriptions` with what the groups in "$@" lack.
find_missing() {
    local group what package check
    packages=()
    descriptions=()
    while IFS='|' read -r group what package check; do
        if [[ " $* " != *" $group "* ]]; then
            continue
        fi
        # The check is a command line of our own; its patterns expand inside have_file.
        set -f
        # shellcheck disable=SC2086
        if ! $check; then
            packages+=("$package")
            descriptions+=("$what")
        fi
        set +f
    done < <(requirements)
}

say() { printf 'setup: %s\n' "$*" >&2; }

list_missing() {
    local what
    for what in "${descriptions[@]}"; do
        printf '  - %s\n' "$what" >&2
    done
}

as_root() {
    if [[ $(id -u) == 0 ]]; then
        env DEBIAN_FRONTEND=noninteractive "$@"
    else
        sudo env DEBIAN_FRONTEND=noninteractive "$@"
    fi
}

install_packages() {
    local log
    log=$(mktemp)
    say "installing with apt-get: ${packages[*]}"
    # An update that fails for one foreign source does not matter if the packages are found.
    as_root apt-get update -qq >"$log" 2>&1 || true
    if ! as_root apt-get install -y -qq --no-install-recommends "${packages[@]}" >>"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        say "apt-get could not install: ${packages[*]}"
        exit 1
    fi
    rm -f "$log"
}

main() {
    local group
    for group in "$@"; do
        if [[ ! $group =~ ^(build|run|test|bench)$ ]]; then
            say "unknown group '$group' (build, run, test, bench)"
            exit 2
        fi
    done
    if [[ " $* " == *" build "* && -n ${CROSS_COMPILE:-} ]] && ! have_compiler; then
        say "CROSS_COMPILE=$CROSS_COMPILE: there is no ${CROSS_COMPILE}g++"
        exit 1
    fi
    find_missing "$@"
    if ((${#packages[@]} == 0)); then
        return
    fi
    if ! have_program apt-get; then
        say "please install, then try again:"
        list_missing
        exit 1
    fi
    if [[ $(id -u) != 0 ]] && ! have_program sudo; then
        say "there is no sudo here; please run as root: apt-get install ${packages[*]}"
        exit 1
    fi
    install_packages
    hash -r
    find_missing "$@"
    if ((${#packages[@]} != 0)); then
        say "still missing after the installation of ${packages[*]}:"
        list_missing
        exit 1
    fi
}

main "$@"
