# shellcheck shell=dash
# SPDX-License-Identifier: MIT
#
# What the unit of the userspace boots runs: waits until systemd has ended the boot, reports over
# the serial console in the form of guest.sh, and switches the machine off.

/bin/busybox --install -s /bin
mkdir -p /run/report
exec >/dev/ttyS0 2>&1

until systemd-analyze time >/run/report/analyze 2>/run/report/analyze_errors; do
    usleep 200000
done
echo "@@ analyzed"
systemctl show >/run/report/manager
systemctl list-units --failed --no-legend --plain >/run/report/failed
cat /etc/os-release >/run/report/os-release
ls /sys/firmware/acpi/tables >/run/report/acpi_tables
cat /proc/iomem >/run/report/iomem
grep -c acpi_init_fpdt /proc/kallsyms >/run/report/kernel_reads_fpdt
for file in /sys/firmware/acpi/fpdt/boot/*_ns; do
    [ -e "$file" ] && echo "$(basename "$file") $(cat "$file")" >>/run/report/fpdt_boot
done
if [ -e /sys/firmware/acpi/tables/FPDT ]; then
    cat /sys/firmware/acpi/tables/FPDT >/run/report/fpdt
    # The address is the last field of the table's only record.
    address=$(od -An -t u4 -j 44 -N 4 /run/report/fpdt)
    dd if=/dev/mem of=/run/report/fbpt bs=1 skip="$((address))" count=128 2>/dev/null
fi
dmesg -r >/run/report/dmesg
journalctl -b >/run/report/journal
echo '@@ report begins'
tar -c -C /run/report . | gzip -c | base64
echo '@@ report ends'
poweroff -f
