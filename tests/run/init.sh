#!/bin/busybox sh
# shellcheck shell=dash
# SPDX-License-Identifier: MIT
#
# The init of `make run`: says what booted, then gives a shell or powers off (run.py asks for the
# shell by the word `run.shell` on the kernel command line).

/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev

say() { echo "run.py: $*"; }

# Machines without SMBIOS have no such file.
dmi() { cat "/sys/class/dmi/id/$1" 2>/dev/null; }

# ACPI's tables name their maker, whoever carried them into memory.
acpi_maker() {
    if [ -d /sys/firmware/acpi/tables ]; then
        dd if="/sys/firmware/acpi/tables/DSDT" bs=1 skip=10 count=14 2>/dev/null
    fi
}

memory_kib() { sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo; }

say init
say "kernel $(uname -sr)"
say "machine $(dmi product_name)"
say "firmware $(dmi bios_vendor) $(dmi bios_version)"
say "acpi $(acpi_maker)"
say "cpus $(grep -c ^processor /proc/cpuinfo)"
say "memory $(memory_kib) KiB"
say "command line $(cat /proc/cmdline)"
say end

# Without ACPI a PC cannot switch itself off; QEMU runs with -no-reboot and ends at a reset.
leave() {
    if [ -d /sys/firmware/acpi ]; then
        poweroff -f
    else
        reboot -f
    fi
    # Neither returns where it works.
    sleep 60
}

if grep -qw run.shell /proc/cmdline; then
    # Kernel messages would be printed into what the user types.
    dmesg -n 1
    export HOME=/ PS1='guest# '
    setsid cttyhack sh
fi
leave
