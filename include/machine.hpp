// SPDX-License-Identifier: MIT
// What the steps of the boot share, and the steps, in their order.
#pragma once

#include "boot/payload.hpp"
#include "core/arena.hpp"
#include "core/timeline.hpp"
#include "hw/chipset.hpp"
#include "hw/console.hpp"
#include "hw/fw_cfg.hpp"
#include "low_memory.hpp"
#include "tables/table_loader.hpp"

namespace mayfly {

/// What is always below 1 MiB.
inline constexpr tables::memory_map::part_begin first_mib[] = {
    {interrupt_vectors, tables::our_ram},
    {bios_data_end, tables::memory_type::ram},
    {last_base_memory, tables::our_ram},
    {extended_bios_data, tables::our_reserved},
    {conventional_end, tables::memory_type::none},
    {work_area_begin, tables::our_reserved},
    {mib, tables::memory_type::none}};

/// How much of the machine is set up.
enum class preparation : u8 {
    unsaid,
    lean,  ///< what Linux cannot do itself
    full,  ///< what a BIOS does
};

/// What the user asked for with -fw_cfg name=opt/org.mayfly/...
struct options {
    bool log = false;       ///< log,string=debug: lines on the debug port
    bool timeline = false;  ///< trace: the timeline on the debug port, and its frequency measured
    bool marks = false;     ///< trace: each step told by ports as it is done
    preparation prepare = preparation::unsaid;
};

/// Lives on the stack of firmware_main().
struct machine {
    timeline times;
    hw::hardware hardware;
    memory ram;
    arena work{ram, work_area_begin, work_area_end};
    hw::fw_cfg<hw::hardware> config{hardware, work};
    hw::host_bridge bridge = hw::identify(hardware);
    hw::cpuid_registers cpu = hardware.cpuid(1, 0);
    options asked;
    u8 last_bus = 0;  ///< full preparation: the highest number of a PCI bus
    u8 isa_bus = 1;   ///< a number that no PCI bus has
    tables::memory_map map{first_mib};
    tables::range image;  ///< claim_image()
};

/// Tells one line on the debug port, if the user asked for them.
void log(machine& pc, const char* sentence, u32 first, u32 second, u32 third = 0);

/// Tells one line on the debug port; the boot goes on.
void warn(const char* sentence, u32 first, u32 second = 0, u64 third = 0);

/// Reads what the user asked for; stops at a word that means nothing.
void read_options(machine& pc);

/// Tells of a step by the numbers that host tools know.
void show_mark(machine& pc, step done);

/// Notes that `done` is done, now.
[[gnu::always_inline]] inline void mark(machine& pc, step done) {
    pc.times.tsc[static_cast<u32>(done)] = pc.hardware.read_tsc();
    if (pc.asked.marks) [[unlikely]]
        show_mark(pc, done);
}

/// What has a host tool know that a kernel is entered, on port 0xf4
/// (github.com/stefano-garzarella/qemu-boot-time, benchmark.h).
/// It has no number for multiboot.
enum class entry_mark : u8 { linux_image = 3, pvh = 4, multiboot = pvh };

/// Notes that the kernel is entered next, and tells of the timeline where somebody reads it: as an
/// FPDT where there is ACPI and the frequency of the counter is known, and as was asked for.
void publish_timeline(machine& pc, const tables::acpi_tables& acpi, entry_mark kind);

/// A whole file of fw_cfg in the work area; stops where it does not fit.
bytes read_file(machine& pc, text name, hw::file file);

/// A file that is a number of 64 bits; 0 where there is none.
u64 read_number(machine& pc, text name);

/// Stops where an image that QEMU takes apart is to be entered outside of itself. Nothing but the
/// image may have claimed RAM yet.
void check_entry(const machine& pc, u32 entry);

/// Goes on where the guest wants to, if an INIT came with a shutdown code of it.
void honour_shutdown_code(machine& pc);

/// True where this firmware ran already since the last reset of the machine: after an INIT or a
/// jump to F000:FFF0 (Linux on microvm reboots by one). Interrupts may be pending then, bridges
/// have bus numbers, and a PVH kernel is as it was left in RAM. A guest that closed or emptied the
/// F segment hides it, but on pc and q35 not where the payload is no Linux image. False on an
/// unknown chipset. No access in the first boot of a Linux image, two in its later ones and for all
/// others.
bool ran_before(machine& pc, boot::payload_kind kind);

/// Says on the debug port that the host bridge is of no known kind, where it is.
void tell_unknown_bridge(machine& pc);

/// Chipset registers and what lies below 1 MiB.
void prepare_platform(machine& pc);

/// The memory map without tables and payload.
void make_memory_map(machine& pc);

/// Takes the place of an image that QEMU takes apart (PVH, multiboot), from its first byte to its
/// last, before anything else can have it. Stops where that is not free RAM.
void claim_image(machine& pc, const_bytes head, boot::payload_kind kind);

/// How many root buses there are besides bus 0 (QEMU hw/pci-bridge/pci_expander_bridge.c).
u32 count_extra_roots(machine& pc);

/// Whether the payload sets up its own hardware. `head` is the first bytes of the kernel file.
/// After claim_image().
bool is_linux(const machine& pc, const_bytes head, boot::payload_kind kind);

/// Whether the preparation is to be full: by the user's word or the build's, for a payload that is
/// not Linux, and for a machine of several root buses, whose windows QEMU's tables take from what
/// the firmware programmed.
bool is_prepared_fully(machine& pc, const_bytes head, boot::payload_kind kind);

/// Gives every PCI device its place. Before the first read of an ACPI file: QEMU makes the tables
/// from what it finds programmed then. Does nothing on an unknown chipset. Stops where no 96 KiB of
/// RAM are free to plan in. After claim_image().
void prepare_pci(machine& pc);

/// Whether virtio-mmio has the ISA interrupts 5 to 12: on a microvm without ACPI, which QEMU
/// describes by a device tree (hw/i386/microvm.c, microvm-dt.c).
bool has_virtio_lines(machine& pc);

/// Interrupt and keyboard controllers as a BIOS leaves them, so that a guest that does nothing but
/// open its interrupts gets those of the timer; `for_linux` not where Linux would not expect them.
/// Touches no RAM.
void prepare_interrupts(machine& pc, bool for_linux);

/// The rest of what a BIOS leaves: clock, interrupt vectors, BIOS data area and, where PCI is
/// reached by ports, `$PIR` and the 32-bit PCI BIOS. After prepare_pci() and claim_image().
void prepare_bios(machine& pc);

/// Memory types of this CPU, by the memory map.
void set_memory_types(machine& pc);

/// What QEMU wants in IA32_FEATURE_CONTROL, a u64 (hw/i386/fw_cfg.c).
inline constexpr text feature_control_file = "etc/msr_feature_control";

/// Whether the processors must be prepared for the sake of that file alone: where it exists and
/// the payload, which is not Linux, is given nothing else.
bool needs_feature_control(machine& pc, const_bytes head, boot::payload_kind kind);

/// Gives all other processors the memory types of this one, which set_memory_types() has set, and
/// all the features that QEMU names, and leaves the others waiting for a SIPI. Says how many do not
/// answer; the boot goes on. One access for a single CPU, four for more; one more where QEMU names
/// features.
void prepare_processors(machine& pc);

/// The same again after S3, by what that has left in the page at processor_start, for the CPUs that
/// there are then; writes to no memory that is the guest's. One access for a single CPU, four for
/// more.
void give_orders(machine& pc);

/// ACPI, SMBIOS and MP table.
tables::acpi_tables make_tables(machine& pc);

/// What a kernel is told of the RSDP: its address, or 0 where there is none.
inline u32 rsdp_address(const machine& pc, const tables::acpi_tables& acpi) {
    return acpi.rsdp.empty() ? 0 : pc.ram.address_of(acpi.rsdp.data());
}

/// No command line that we load is longer, whatever the kernel takes.
inline constexpr u32 most_characters = 16 * 1024 - 1;

/// Where the command line is, and zero bytes behind it at a multiple of 16.
struct command_line {
    u32 address;
    u8* zeros;
};

/// The command line with its NUL, of at most `limit` and most_characters characters, and behind it
/// `zeros` zero bytes: QEMU fills with zeros what lies past an item's end, which the CPU need not
/// do. Stops where the line is longer.
command_line read_command_line(machine& pc, u32 limit, u32 zeros);

/// Makes the tables, loads and enters what `head`, the first bytes of the kernel file, belongs to.
[[noreturn]] void boot_linux(machine& pc, const_bytes head);
[[noreturn]] void boot_pvh(machine& pc);
[[noreturn]] void boot_multiboot(machine& pc);

}  // namespace mayfly
