# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# Gets packages of the distribution and unpacks them, without installing anything. To be sourced by
# a script that sets `folder`, where all goes, has two functions,
#
#   fetch [argument...]      makes what it is for; calls get_packages
#   download [argument...]   calls apt with `apt_options`, and unpack(); fails if apt cannot provide
#
# and ends with print_fetched. The system's apt configuration, lists and list of architectures stay
# as they are.

fail() {
    printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2
    exit 1
}

# Calls `fetch [argument...]` where <folder>/<path> is not there yet, and prints that path.
print_fetched() {
    local path=$1
    shift
    if [[ ! -e $folder/$path ]]; then
        mkdir -p "$folder"
        folder=$(cd "$folder" && pwd)
        # Tests run side by side: one fetches, the others wait and find it done.
        exec 9>"$folder/.lock"
        flock 9
        if [[ ! -e $folder/$path ]]; then
            fetch "$@"
        fi
    fi
    printf '%s\n' "$folder/$path"
}

# Has `download [argument...]` fill `work`, a new folder that is gone when the script ends: with the
# system's own package lists if they are of this architecture and no other suite is asked for (''),
# and where they do not know the packages with private ones.
get_packages() {
    local what=$1 architecture=$2 suite=$3 log
    shift 3
    command -v apt-get >/dev/null || fail "no apt-get here to get $what with"
    work=$(mktemp -d "$folder/.new.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    printf '%s: getting %s\n' "$(basename "$0" .sh)" "$what" >&2
    apt_options=()
    if [[ -z $suite && $architecture == "$(dpkg --print-architecture)" ]] && download "$@"; then
        return
    fi
    rm -rf "${work:?}"/*
    if use_private_lists "$architecture" "$suite" && download "$@"; then
        return
    fi
    for log in "$folder/.apt-$architecture${suite:+-$suite}/log" "$work/download.log"; do
        [[ -f $log ]] && cat "$log" >&2
    done
    fail "apt does not provide $what"
}

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

# Downloads packages and unpacks them into <work>/root; fails when apt cannot provide one of them,
# and <work>/download.log says why.
unpack() {
    local package
    mkdir -p "$work/debs"
    (cd "$work/debs" && apt-get "${apt_options[@]}" -o APT::Sandbox::User=root \
        download -qq "$@" >"$work/download.log" 2>&1) || return 1
    for package in "$work"/debs/*.deb; do
        dpkg-deb -x "$package" "$work/root" || return 1
    done
}
