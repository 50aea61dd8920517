// SPDX-License-Identifier: MIT
// PCI as a BIOS leaves it, for a guest that cannot do it itself.
#include "hw/mtrr.hpp"
#include "machine.hpp"
#include "pci/assign.hpp"
#include "pci/complain.hpp"
#include "pci/plan.hpp"
#include "pci/scan.hpp"
#include "resume.hpp"

namespace mayfly {
namespace {

using tables::memory_type;
using tables::range;

constexpr u32 pages(u64 bytes) {
    return static_cast<u32>(bytes >> pci::page_shift);
}

/// Where devices begin at the lowest: other firmware puts none below either.
constexpr u32 lowest_device_memory = 0x80000000;

/// Where devices end below 4 GiB: the I/O APIC.
constexpr u32 io_apic = pages(0xfec00000);

// microvm has PCI only by memory, all of it at fixed places (QEMU include/hw/i386/microvm.h).
constexpr u32 microvm_ecam = 0xe0000000;
constexpr u32 microvm_host_bridge = 0x00081b36;
constexpr u32 microvm_low_begin = 0xc0000000;

/// By hw::chipset: where configuration space lies in memory, 0 where it does not.
constexpr u32 ecam_of[] = {microvm_ecam, 0, hw::q35_ecam, 0};

u32 largest(u32 first, u32 second) {
    return first > second ? first : second;
}

// Above 4 GiB all is counted in those: 32 bits hold what any CPU can address.

u32 end_of_addresses(machine& pc) {
    return 1u << (hw::physical_address_bits(pc.hardware) - 32);
}

/// The next multiple of 4 GiB.
[[gnu::noinline]] u32 round_up(u64 bytes) {
    constexpr u32 most = 1u << 20;  // of 52 bits
    const u32 below = static_cast<u32>(bytes >> 32);
    return static_cast<u32>(bytes) == 0 || below >= most ? below : below + 1;
}

void add_high(pci::host_windows& out, u32 begin, u32 end) {
    constexpr u32 limit = pci::end_of_pages >> pci::high_shift;
    out.high_base = begin & ~(limit - 1);
    begin = largest(begin - out.high_base, 1);
    end -= out.high_base;
    out.high.add(begin << pci::high_shift, (end < limit ? end : limit) << pci::high_shift);
}

/// Behind all RAM and what may become RAM, up to what is reserved behind that.
void find_high(machine& pc, pci::host_windows& out) {
    u32 begin = round_up(read_number(pc, "etc/reserved-memory-end"));
    u32 end = end_of_addresses(pc);
    for (u32 i = pc.map.parts(); i-- > 0;) {
        const range part = pc.map.part(i);
        const u32 type = static_cast<u32>(pc.map.type(i)) & ~tables::claimed;
        if (part.begin < four_gib || type == static_cast<u32>(memory_type::ram)) {
            begin = largest(begin, round_up(part.end));
            break;
        }
        const u32 reserved = static_cast<u32>(part.begin >> 32);
        if (type != 0 && round_up(part.end) > begin && reserved < end)
            end = reserved;
    }
    if (begin < end)
        add_high(out, begin, end);
}

/// As QEMU's _CRS has them: on q35 also below ECAM. The last part below 4 GiB is tried first, as
/// other firmware has devices there. I/O is without the ports that QEMU keeps for itself: below
/// 0x1000, and on pc some from 0xae00 to 0xb13f (hotplug and power management, hw/acpi/pcihp.c,
/// piix4.c).
void find_windows(machine& pc, pci::host_windows& out) {
    constexpr u32 last_part = pages(0xfc000000);
    if (pc.bridge.kind == hw::chipset::no_pci) {
        const u32 end = end_of_addresses(pc);
        out.low.add(pages(microvm_low_begin), pages(microvm_ecam));
        return add_high(out, end - end / 4, end);
    }
    const u32 ram_end = largest(pages(pc.map.low_ram_end()), pages(lowest_device_memory));
    u32 io_end = 0xa000, begin = ram_end;
    if (pc.bridge.kind == hw::chipset::q35) {
        io_end = 0xc000;
        begin = pages(hw::q35_ecam + hw::q35_ecam_size);
    }
    out.io.add(0xc000, 0x10000);
    out.io.add(0x1000, io_end);
    out.low.add(largest(begin, last_part), io_apic);
    out.low.add(begin, last_part);
    if (pc.bridge.kind == hw::chipset::q35)
        out.low.add(ram_end, pages(hw::q35_ecam));
    find_high(pc, out);
}

/// How many writes to configuration space are kept, and how much RAM the rest takes.
constexpr u32 most_kept = 4096;
constexpr u32 journal_size = most_kept * sizeof(pci::config_write);
constexpr u32 tree_size = 64 * kib;

/// RAM for the time of the preparation, none of which is claimed: conventional memory, or what else
/// is free where an image begins in it.
bytes find_room(const machine& pc) {
    constexpr u32 size = journal_size + tree_size, begin = 64 * kib;
    static_assert(begin + size <= last_base_memory);
    if (pc.image.empty() || pc.image.begin >= begin + size)
        return pc.ram.at(begin, size);
    tables::memory_map map = pc.map;
    return pc.ram.at(map.claim_for("pci", size, page_size, memory_type::reserved), size);
}

/// Buses behind a root have the numbers behind its own.
void note_bus_numbers(machine& pc, const pci::tree& found) {
    u32 unused = 0;
    for (u32 number = 0; number < pci::bus_limit; number++) {
        const auto& one = found.buses[number];
        if (!one.is_root)
            continue;
        pc.last_bus = one.last;
        if (number == unused)
            unused = one.last + 1u;
    }
    pc.isa_bus = static_cast<u8>(unused < pci::bus_limit ? unused : pci::bus_limit - 1);
}

/// Keeps the first `count` writes of `journal` for a resume from S3, which microvm does not have.
void keep(machine& pc, const pci::config_write* journal, u32 count) {
    if (pc.bridge.kind == hw::chipset::no_pci)
        return;
    const u32 size = count * sizeof(pci::config_write);
    // From the work area, or from the end of the RAM, where the tree may be: not from the
    // journal's.
    const u32 where =
        tables::take_or_claim("pci: registers", size, memory_type::reserved, pc.work, pc.map);
    auto* const kept = pc.ram.at(where, size).data();
    __builtin_memcpy(kept, journal, size);
    record_of(pc.ram).registers = {reinterpret_cast<const pci::config_write*>(kept), count};
}

}  // namespace

void prepare_pci(machine& pc) {
    const auto kind = pc.bridge.kind;
    if (kind == hw::chipset::unknown)
        return;
    pci::config_space<hw::hardware> config(pc.hardware, ecam_of[static_cast<u32>(kind)]);
    config.at(0);
    if (kind == hw::chipset::no_pci && config.read(pci::reg_identity) != microvm_host_bridge)
        return;
    auto* const journal = reinterpret_cast<pci::config_write*>(find_room(pc).data());
    config.note_in({journal, most_kept});
    __builtin_memset(journal + most_kept, 0, tree_size);
    auto& found = *reinterpret_cast<pci::tree*>(journal + most_kept);
    found.vga = pci::bus_limit;
    found.room = {reinterpret_cast<pci::resource*>(&found + 1),
                  (tree_size - sizeof found) / sizeof(pci::resource)};
    pci::host_windows windows;
    find_windows(pc, windows);
    pci::scan(config, found, {kind, count_extra_roots(pc)});
    note_bus_numbers(pc, found);
    pci::plan(found, windows);
    pci::assign(config, found, windows.high_base);
    const u32 kept = config.written() < most_kept ? config.written() : most_kept;
    pci::complain(found, config.written() - kept, warn);
    keep(pc, journal, kept);
}

}  // namespace mayfly
