// SPDX-License-Identifier: MIT
// Everything the firmware can complain of, in one place. `mayfly: ` is put before each; `%s`, `%u`
// and `%x` are filled in by format(). A test must provoke each of them: one that no test has seen
// fails the tests.
#pragma once

namespace mayfly::sentences {

// The processor.
inline constexpr char exception[] =
    "cpu: exception in the firmware (vector %u, address %x, error code %x)";

// fw_cfg.
inline constexpr char no_dma[] = "fw_cfg: no DMA interface (machine types before 2.5 have none)";
inline constexpr char dma_failed[] = "fw_cfg: transfer failed (item %x, %u bytes)";
inline constexpr char directory_too_long[] = "fw_cfg: directory is too long (%u files, limit %u)";
inline constexpr char file_missing[] = "fw_cfg: file is missing (%s)";
inline constexpr char file_too_large[] = "fw_cfg: file is too large (%s, %u bytes, limit %u)";
inline constexpr char part_of_entry[] = "%s: not a whole number of entries (%u bytes, %u each)";
inline constexpr char no_room[] = "%s: no room below %u MiB (%u bytes, alignment %u)";
inline constexpr char work_area_full[] = "firmware: work area is full (%u bytes, %u left)";

// The memory map.
inline constexpr char e820_wraps[] = "etc/e820: entry runs past 2^64 (address %x, length %x)";
inline constexpr char map_full[] = "memory map: too many parts (limit %u)";

// The ACPI table loader.
inline constexpr char allocated_twice[] = "table loader: file is allocated twice (%s)";
inline constexpr char not_allocated[] = "table loader: file is used before it is allocated (%s)";
inline constexpr char bad_alignment[] =
    "table loader: alignment is not a power of two (%s, alignment %u)";
inline constexpr char bad_zone[] = "table loader: unknown zone (%s, zone %u, limit %u)";
inline constexpr char pointer_size[] = "table loader: pointer has an unknown size (%s, %u bytes)";
inline constexpr char outside_file[] =
    "table loader: command reaches outside a file (%s, offset %u, length %u, size %u)";
inline constexpr char pointer_too_narrow[] =
    "table loader: pointer cannot hold the address (%s, address %x, %u bytes)";

// SMBIOS.
inline constexpr char smbios_anchor[] =
    "smbios: entry point is neither version 2.1 nor 3.0 (%u bytes)";
inline constexpr char smbios_too_large[] = "smbios: tables are too large (%u bytes, limit %u)";

// The kernel.
inline constexpr char no_kernel[] = "kernel: none was given (use -kernel)";
inline constexpr char not_a_kernel[] =
    "kernel: neither a bzImage, nor multiboot, nor a PVH ELF (first bytes %x)";
inline constexpr char efi_kernel[] = "kernel: EFI applications are not supported (first bytes %x)";
inline constexpr char needs_16_bit_entry[] =
    "kernel: the 16-bit entry is not supported yet (protocol %x, at least %x)";
inline constexpr char bad_boot_flag[] = "kernel: damaged header (boot_flag %x, must be %x)";
inline constexpr char bad_syssize[] = "kernel: damaged header (syssize %u)";
inline constexpr char bad_kernel_alignment[] =
    "kernel: damaged header (kernel_alignment %x is not a power of two)";
inline constexpr char bad_init_size[] = "kernel: damaged header (init_size %u)";
inline constexpr char bad_setup_data[] =
    "kernel: damaged header (setup_data %x is not in the image, which ends at %x)";
inline constexpr char image_cut_short[] =
    "kernel: image is cut short (%u bytes, the header says %u)";
inline constexpr char kernel_too_large[] =
    "kernel: does not fit into the RAM (%u bytes from %x, RAM ends at %x)";
inline constexpr char command_line_too_long[] = "command line: too long (%u characters, limit %u)";
inline constexpr char initrd_too_large[] =
    "initrd: does not fit into the RAM (%u bytes, RAM ends at %x)";

// PVH and multiboot.
inline constexpr char image_not_in_ram[] =
    "kernel: image is not in RAM, or in the firmware's (address %x, %x bytes, RAM ends at %x)";
inline constexpr char entry_outside[] =
    "kernel: entry is outside of the image (entry %x, image %x of %u bytes)";

// The options.
inline constexpr char unknown_trace[] = "opt/org.mayfly/trace: neither timeline nor marks (%s)";
inline constexpr char unknown_preparation[] = "opt/org.mayfly/prepare: neither lean nor full (%s)";

// Resume from S3.
inline constexpr char no_boot_to_resume[] = "resume: the boot left no record (mark %x)";
inline constexpr char no_waking_vector[] =
    "resume: the guest left no waking vector below 1 MiB (%x)";

// What is told on the debug port alone; the boot goes on.
inline constexpr char unknown_bridge[] =
    "host bridge: unknown, treated as a generic PC (PCI vendor and device %x)";
inline constexpr char silent_processors[] = "cpu: processors do not answer (%u of %u)";
inline constexpr char pci_no_room[] = "pci: no room (function %x, register %x, size %x)";
inline constexpr char pci_too_much[] = "pci: too many BARs (limit %u)";
inline constexpr char pci_not_kept[] =
    "pci: too many registers to be kept for a resume (%u left out)";

// The same, only where -fw_cfg name=opt/org.mayfly/log,string=debug asks for it.
inline constexpr char log_tables[] = "log: tables are linked (RSDP %x, %u bytes of ACPI)";
inline constexpr char log_linux[] = "log: entering Linux (kernel %x, initrd %x of %u bytes)";
inline constexpr char log_multiboot[] =
    "log: entering by multiboot (entry %x, image %x of %u bytes)";
inline constexpr char log_pvh[] = "log: entering by PVH (entry %x, initrd %x of %u bytes)";

// The same, where -fw_cfg name=opt/org.mayfly/trace,string=timeline does.
inline constexpr char timeline_frequency[] = "timeline: TSC runs at %u kHz (%s)";
inline constexpr char timeline_no_frequency[] = "timeline: TSC frequency is unknown";
inline constexpr char timeline_step[] = "timeline: %s %u ns, TSC %x";
inline constexpr char timeline_ticks[] = "timeline: %s TSC %x";

}  // namespace mayfly::sentences
