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
# and where the system's lists were never fetched or are out of date. With a suite of Debian, the
# lists hold that suite alone.
use_private_lists() {
    # shellcheck disable=SC2154
    local architecture=$1 suite=${2:-} state=$folder/.apt-$1${2:+-$2}
    mkdir -p "$state"/{state/lists/partial,cache/archives/partial}
    : >"$state/status"
    apt_options=(
        -o "APT::Architecture=$architecture" -o "APT::Architectures=$architecture"
        -o "Dir::State=$state/state" -o "Dir::State::status=$state/status"
        -o "Dir::Cache=$state/cache" -o Acquire::Languages=none
    )
    if [[ -n $suite ]]; then
        fetch_lists_of_suite "$suite" "$state"
        return
    fi
    # A source that lacks this architecture fails; only the packages asked for matter.
    apt-get "${apt_options[@]}" update -qq >"$state/log" 2>&1 || true
}

# Suites are verified by the keys that Debian's own package of them installed: every suite from
# bullseye on is signed with a key that Debian 12 has had from its first day, besides newer ones.
readonly debian_keyring=/usr/share/keyrings/debian-archive-keyring.gpg
# Holds the suites that mirrors no longer have.
readonly debian_archive=http://archive.debian.org/debian

# Makes `apt_options` read no source but one suite of Debian, and fetches its lists.
fetch_lists_of_suite() {
    local suite=$1 state=$2 mirror
    [[ -r $debian_keyring ]] || {
        printf 'packages: no %s to verify Debian with\n' "$debian_keyring" >"$state/log"
        return 1
    }
    : >"$state/log"
    apt_options+=(-o "Dir::Etc::SourceList=$state/sources.list" -o Dir::Etc::SourceParts=/dev/null)
    for mirror in "$(debian_mirror)" "$debian_archive"; do
        printf 'deb [signed-by=%s] %s %s main\n' "$debian_keyring" "$mirror" "$suite" \
            >"$state/sources.list"
        if apt-get "${apt_options[@]}" update -qq >>"$state/log" 2>&1; then
            return
        fi
    done
    return 1
}

# The mirror that the system has its own Debian from; elsewhere the one that stands for all.
debian_mirror() {
    local mirror='' ID='' VERSION_CODENAME=''
    if [[ -r /etc/os-release ]]; then
        # shellcheck source=/dev/null
        source /etc/os-release
    fi
    if [[ $ID == debian && -n $VERSION_CODENAME ]]; then
        mirror=$(apt-get update --print-uris 2>/dev/null |
            sed -n "s|^'\(.*\)/dists/$VERSION_CODENAME/InRelease' .*|\1|p" | head -n 1)
    fi
    printf '%s\n' "${mirror:-http://deb.debian.org/debian}"
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
