# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# Gets packages of the distribution and unpacks them, without installing anything. To be sourced;
# the functions use two variables of the caller's:
#
#   folder        where private package lists go
#   apt_options   an array of options for apt; empty: the system's own package lists
#
# The system's apt configuration, lists and list of architectures stay as they are.

# Fills `apt_options` for private lists of one architecture: for packages of another architecture,
# and where the system's lists were never fetched or are out of date.
use_private_lists() {
    # shellcheck disable=SC2154
    local architecture=$1 state=$folder/.apt-$1
    mkdir -p "$state"/{state/lists/partial,cache/archives/partial}
    : >"$state/status"
    apt_options=(
        -o "APT::Architecture=$architecture" -o "APT::Architectures=$architecture"
        -o "Dir::State=$state/state" -o "Dir::State::status=$state/status"
        -o "Dir::Cache=$state/cache" -o Acquire::Languages=none
    )
    # A source that lacks this architecture fails; only the packages asked for matter.
    apt-get "${apt_options[@]}" update -qq >"$state/log" 2>&1 || true
}

# Downloads packages and unpacks them into <target>/root; fails when apt cannot provide one of them,
# and <target>/download.log says why.
unpack() {
    local target=$1 package
    shift
    mkdir -p "$target/debs"
    (cd "$target/debs" && apt-get "${apt_options[@]}" -o APT::Sandbox::User=root \
        download -qq "$@" >"$target/download.log" 2>&1) || return 1
    for package in "$target"/debs/*.deb; do
        dpkg-deb -x "$package" "$target/root" || return 1
    done
}
