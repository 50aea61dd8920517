# shellcheck shell=dash
# SPDX-License-Identifier: MIT
#
# For the boots with sleeps, behind guest.sh: sleeps by ACPI S3 as often as told and notes after
# each sleep what must be as before. sleeping.py wakes the guest.

# What no sleep may change. The pattern and what was read of the disk are sums of real contents: the
# disk is read anew, for which its interrupts must arrive.
state() {
    sha256sum </tmp/pattern
    echo 3 >/proc/sys/vm/drop_caches
    md5sum <"/dev/$1"
    cat /proc/mtrr /proc/iomem /proc/ioports
    for device in /sys/bus/pci/devices/*; do
        echo "${device##*/}"
        head -c 64 "$device/config" | hexdump -v -C
        cat "$device/resource"
    done
    file=/sys/firmware/qemu_fw_cfg/by_name/etc/vmgenid_addr/raw
    [ ! -e $file ] || hexdump -v -C $file
    grep -c ^processor /proc/cpuinfo
}

# ticks: how many timer interrupts came.
ticks() { awk '/timer interrupts/ { n = 0; for (i = 2; i <= NF; i++) n += $i; print n }' \
    /proc/interrupts; }

# sleep_times COUNT DISK KIB: sleeps so often, with so many KiB of random bytes in memory.
sleep_times() {
    wait_for "/dev/$2"
    dd if=/dev/urandom of=/tmp/pattern bs=1024 count="$3" 2>/dev/null
    state "$2" >/report/state.0
    echo deep >/sys/power/mem_sleep
    dmesg | wc -l >/report/lines_before
    cycle=0
    while [ "$cycle" -lt "$1" ]; do
        cycle=$((cycle + 1))
        echo mem >/sys/power/state || echo "$cycle" >>/report/refused_sleeps
        before=$(ticks)
        usleep 50000
        [ "$(ticks)" -gt "$before" ] || echo "$cycle" >>/report/without_ticks
        state "$2" >"/report/state.$cycle"
        echo "@@ woke $cycle"
    done
    cat /sys/power/suspend_stats/success >/report/sleeps 2>/dev/null ||
        grep -m1 success /sys/kernel/debug/suspend_stats >/report/sleeps
}

