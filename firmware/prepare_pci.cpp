// SPDX-License-Identifier: MIT
// PCI as a BIOS leaves it, for a guest that cannot do it itself.
#include "boot/pvh.hpp"
#include "hw/mtrr.hpp"
#include "machine.hpp"
#include "pci/assign.hpp"
#include "pci/complain.hpp"
#include "pci/plan.hpp"
#include "pci/scan.hpp"

namespace mayfly {
namespace {

using tables::memory_type;
using tables::range;

constexpr u32 pages(u64 bytes) {
    return static_cast<u32>(bytes >> pci::page_shift);
}

/// Where devices end below 4 GiB: the I/O APIC.
constexpr u32 io_apic = pages(0xfec00000);

// microvm has PCI only by memory, all of it at fixed places (QEMU include/hw/i386/microvm.h).
constexpr u32 microvm_ecam = 0xe0000000;
constexpr u32 microvm_host_bridge = 0x00081b36;
constexpr u32 microvm_low_begin = 0xc0000000;

/// Of 64 bits, 0 where there is none.
u64 read_number(machine& pc, text name) {
    const hw::file file = pc.config.find(name);
    if (file.size < sizeof(u64))
        return 0;
    const bytes content = pc.work.take(sizeof(u64));
    pc.config.read(file, content);
    return load<u64>(content, 0);
}

/// How many pages the CPU's addresses reach; of a guest that may be fewer than the CPU says (AMD64
/// volume 3, E.4.7, GuestPhysAddrSize).
u32 end_of_addresses(machine& pc) {
    constexpr u32 address_sizes = 0x80000008, most = 31 + pci::page_shift;
    u32 bits = hw::physical_address_bits(pc.hardware);
    if (bits > 36) {  // there is such a leaf
        const u32 guest = pc.hardware.cpuid(address_sizes, 0).eax >> 16 & 0xff;
        if (guest >= 32 && guest < bits)
            bits = guest;
    }
    return 1u << ((bits < most ? bits : most) - pci::page_shift);
}

/// Behind all RAM and what may become RAM, in between whatever else is there.
void find_high(machine& pc, pci::window_list& high) {
    constexpr u32 huge = pages(gib);
    const u32 end = end_of_addresses(pc);
    u64 ram_end = read_number(pc, "etc/reserved-memory-end");
    if (ram_end < four_gib)
        ram_end = four_gib;
    const auto& map = pc.map;
    for (u32 i = 0; i < map.parts(); i++) {
        const u32 type = static_cast<u32>(map.type(i)) & ~tables::claimed;
        if (type == static_cast<u32>(memory_type::ram) && map.part(i).end > ram_end)
            ram_end = map.part(i).end;
    }
    for (u32 i = 0; i < map.parts(); i++) {
        const range part = map.part(i);
        if (map.type(i) == memory_type::none || part.end <= ram_end)
            continue;
        high.add(align_up(pages(ram_end), huge), pages(part.begin), end);
        ram_end = part.end;
    }
    high.add(align_up(pages(ram_end), huge), end, end);
}

/// As QEMU's _CRS has them. I/O without the ports that QEMU keeps for itself: below 0x1000, and on
/// pc some from 0xae00 to 0xb13f (hotplug and power management, hw/acpi/pcihp.c, piix4.c).
void find_windows(machine& pc, pci::host_windows& out) {
    constexpr u32 none = ~0u;
    if (pc.bridge.kind == hw::chipset::no_pci) {
        out.low.add(pages(microvm_low_begin), pages(microvm_ecam), none);
        const u32 end = end_of_addresses(pc);
        out.high.add(end - end / 4, end, none);
        return;
    }
    out.io.add(0xc000, 0x10000, none);
    out.io.add(0x1000, pc.bridge.kind == hw::chipset::q35 ? 0xc000 : 0xa000, none);
    u32 ram_end = pc.map.low_ram_end();
    if (ram_end < hw::lowest_device_memory)
        ram_end = hw::lowest_device_memory;
    if (pc.bridge.kind == hw::chipset::q35) {
        out.low.add(pages(hw::q35_ecam + hw::q35_ecam_size), io_apic, none);
        out.low.add(pages(ram_end), pages(hw::q35_ecam), none);
    } else {
        out.low.add(pages(ram_end), io_apic, none);
    }
    find_high(pc, out.high);
}

/// RAM for the time of the preparation: nothing of it is claimed. Empty where there is none.
bytes claim_for_now(const machine& pc) {
    constexpr u32 largest = 256 * kib, smallest = 16 * kib;
    tables::memory_map map = pc.map;
    for (u32 size = largest; size >= smallest; size /= 2) {
        const u32 at =
            map.claim_highest(size, page_size, tables::memory_map::top, memory_type::reserved);
        if (at != 0)
            return pc.ram.at(at, size);
    }
    return {};
}

#ifdef MAYFLY_PREPARE_FULL
constexpr bool prepare_fully = true;
#else
constexpr bool prepare_fully = false;
#endif

/// Whether the user asked for it, or else for the opposite.
enum class wish : u8 { none, lean, full };

wish read_wish(machine& pc) {
    constexpr text name = "opt/org.mayfly/prepare";
    const hw::file option = pc.config.find(name);
    if (!option.exists())
        return wish::none;
    const bytes value = read_file(pc, name, option);
    const text said(reinterpret_cast<const char*>(value.data()), value.size());
    if (said == "full")
        return wish::full;
    if (said != "lean")
        fail(sentences::bad_preparation, said);
    return wish::lean;
}

}  // namespace

preparation choose_preparation(machine& pc, const_bytes head, boot::payload_kind kind) {
    const wish asked = read_wish(pc);
    const bool has_pci =
        pc.bridge.kind == hw::chipset::i440fx || pc.bridge.kind == hw::chipset::q35;
    const u32 roots = has_pci ? static_cast<u32>(read_number(pc, "etc/extra-pci-roots")) : 0;
    if (asked == wish::lean && roots != 0)
        warn(sentences::extra_pci_roots, roots);
    const bool is_full = asked == wish::none ? prepare_fully || roots != 0 ||
                                                   (kind == boot::payload_kind::pvh_elf &&
                                                    !boot::is_linux(head, pc.map, pc.ram))
                                             : asked == wish::full;
    return {is_full, roots};
}

void prepare_pci(machine& pc, u32 extra_roots) {
    const auto kind = pc.bridge.kind;
    if (kind == hw::chipset::unknown)
        return;
    pci::config_space<hw::hardware> config(pc.hardware, kind == hw::chipset::i440fx ? 0
                                                        : kind == hw::chipset::q35  ? hw::q35_ecam
                                                                                    : microvm_ecam);
    if (kind == hw::chipset::no_pci && config.read(0, pci::reg_identity) != microvm_host_bridge)
        return;
    const bytes room = claim_for_now(pc);
    if (room.empty())
        return warn(sentences::pci_too_much, 0);
    auto& found = *reinterpret_cast<pci::tree*>(room.data());
    found = {};
    found.room = {reinterpret_cast<pci::resource*>(&found + 1),
                  (room.size() - sizeof found) / sizeof(pci::resource)};
    pci::host_windows windows;
    find_windows(pc, windows);
    pci::scan(config, found, {kind, extra_roots});
    pci::plan(found, windows);
    pci::complain(found, [&](const fault& what) { hw::say_on_debug_port(pc.hardware, what); });
    pci::assign(config, found);
}

}  // namespace mayfly
