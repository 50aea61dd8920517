# shellcheck shell=dash
# SPDX-License-Identifier: MIT
#
# For the hotplug boots, behind guest.sh: uses what appears, and writes a line with all that is
# there whenever it changes. hotplug.py reads these lines, and adds and removes.

online_all() {
    for file in /sys/devices/system/cpu/cpu*/online; do
        [ ! -e "$file" ] || [ "$(cat "$file")" = 1 ] || echo 1 >"$file" 2>/dev/null
    done
}

# use_once FILE FUNCTION NAME: calls the function when the file is there for the first time.
use_once() {
    if [ -e "$1" ] && [ ! -e "/tmp/used.$3" ]; then
        touch "/tmp/used.$3"
        "$2" "$3"
    fi
}

there() {
    for file in /sys/class/net/eth* /dev/nvme*n1; do
        [ -e "$file" ] && printf '%s ' "${file##*/}"
    done
    grep -q PCI_ID=1AF4:1110 /sys/bus/pci/devices/*/uevent && printf '1af4:1110 '
    printf 'cpus=%s ' "$(grep -c ^processor /proc/cpuinfo)"
    printf 'blocks=%s' "$(cat /sys/devices/system/memory/memory*/state | grep -c '^online')"
}

# watch_hotplug TENTHS FILE: until something was added and all is as at the start again, or the
# tenths of a second are over. FILE is what to fetch over a new network card.
watch_hotplug() {
    first=$(there)
    last=$first
    echo "@@ there: $first"
    tenths=$1
    while [ "$tenths" -gt 0 ]; do
        online_all
        use_once /sys/class/net/eth0 use_network "$2"
        use_once /dev/nvme0n1 use_disk nvme0n1
        now=$(there)
        if [ "$now" != "$last" ]; then
            last=$now
            echo "@@ there: $now"
            [ "$now" = "$first" ] && return
        fi
        usleep 100000
        tenths=$((tenths - 1))
    done
    echo '@@ gave up'
}

