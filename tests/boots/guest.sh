#!/bin/busybox sh
# shellcheck shell=dash
# SPDX-License-Identifier: MIT
#
# The init of the boot tests. boot.py adds the calls of one boot at the end: `load_modules`, one
# `use_...` per device, `report`, `leave`.
#
# What is found goes into files below /report, which travel over the serial console as one
# compressed tar archive in base64, between two marker lines.

/bin/busybox --install -s /bin
mkdir -p /report
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
echo '@@ init reached'
# Kernel messages up to here are on the console; later ones would be mixed into the report.
dmesg -n 1

load_modules() {
    while read -r module; do
        insmod "/modules/$module.ko" || echo "$module" >>/report/refused_modules
    done </modules/order
}

# Waits until a file is there; modules find their devices in their own time.
wait_for() {
    tries=0
    while [ ! -e "$1" ] && [ "$tries" -lt 100 ]; do
        usleep 50000
        tries=$((tries + 1))
    done
}

# use_disk NAME: checksums all of /dev/NAME, then writes that checksum into its first bytes.
use_disk() {
    wait_for "/dev/$1"
    sha256sum <"/dev/$1" >"/report/disk.$1"
    dd if="/report/disk.$1" of="/dev/$1" conv=notrunc 2>/dev/null
    sync
}

# use_network FILE: fetches a file from QEMU's user network by TFTP and checksums it.
use_network() {
    wait_for /sys/class/net/eth0
    ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up
    tftp -g -r "$1" -l /tmp/fetched 10.0.2.2
    sha256sum </tmp/fetched >/report/network
}

# use_random COUNT: keeps that many bytes of the hardware random number generator.
use_random() {
    wait_for /dev/hwrng
    dd if=/dev/hwrng of=/report/random bs="$1" count=1 2>/dev/null
}

# use_share TAG: checksums the file `given` of a 9p share and writes the checksum beside it.
use_share() {
    mount -t 9p -o trans=virtio,version=9p2000.L "$1" /mnt
    sha256sum </mnt/given >/report/share
    cp /report/share /mnt/returned
    umount /mnt
}

# reboot_once NAME: reboots unless the first bytes of /dev/NAME say that it did before.
reboot_once() {
    wait_for "/dev/$1"
    if [ "$(head -c 8 "/dev/$1")" = rebooted ]; then
        echo yes >/report/rebooted
        return
    fi
    printf rebooted | dd of="/dev/$1" conv=notrunc 2>/dev/null
    sync
    reboot -f
    sleep 600
}

keep() { cat "$1" >"/report/$2" 2>/dev/null; }

keep_setup_data() {
    for node in /sys/kernel/boot_params/setup_data/*; do
        [ -e "$node/type" ] || continue
        echo "$(cat "$node/type") $(sha256sum <"$node/data")" >>/report/setup_data
    done
}

# PCI as it is now: each function's first 16 registers, and what Linux takes its places to be.
keep_pci() {
    for device in /sys/bus/pci/devices/*; do
        [ -e "$device" ] || continue
        head -c 64 "$device/config" >"/report/pci_config.${device##*/}"
        keep "$device/resource" "pci_resource.${device##*/}"
    done
}

report() {
    dmesg -r >/report/dmesg
    uname -sr >/report/uname
    for file in cpuinfo meminfo interrupts iomem mtrr cmdline; do
        keep "/proc/$file" "$file"
    done
    keep /sys/firmware/dmi/tables/smbios_entry_point smbios_entry_point
    keep /sys/firmware/dmi/tables/DMI smbios_tables
    keep /sys/devices/system/node/online nodes
    ls /sys/firmware/acpi/tables >/report/acpi_tables 2>/dev/null
    cat /sys/class/dmi/id/bios_v* >/report/bios 2>/dev/null
    keep_setup_data
    keep_pci
    echo '@@ report begins'
    tar -c -C /report . | gzip -c | base64
    echo '@@ report ends'
}

# Without ACPI a PC cannot switch itself off; QEMU runs with -no-reboot and ends at a reset.
leave() {
    if [ -d /sys/firmware/acpi ]; then
        poweroff -f
    else
        reboot -f
    fi
    sleep 600
}

