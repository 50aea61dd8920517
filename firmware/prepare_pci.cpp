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

/// Where devices end below 4 GiB: the I/O APIC.
constexpr u32 io_apic = 0xfec00000;

// microvm has PCI only by memory, with all of it at fixed places (QEMU include/hw/i386/microvm.h).
constexpr u32 microvm_ecam = 0xe0000000;
constexpr u32 microvm_host_bridge = 0x00081b36;
constexpr u32 microvm_low_begin = 0xc0000000;

/// Without the ports that QEMU keeps for itself: below 0x1000, and on pc from 0xa000 to 0xbfff
/// (hotplug and power management, hw/acpi/pcihp.c, hw/i386/pc.c).
constexpr range io_windows[] = {{0xc000, 0x10000}, {0x1000, 0xa000}};

/// Of 64 bits, 0 where there is none.
u64 read_number(machine& pc, text name) {
    const hw::file file = pc.config.find(name);
    if (file.size < sizeof(u64))
        return 0;
    const bytes content = pc.work.take(sizeof(u64));
    pc.config.read(file, content);
    return load<u64>(content, 0);
}

/// How far the CPU's addresses reach; of a guest it may be less than the CPU says (AMD64 volume 3,
/// E.4.7, GuestPhysAddrSize).
u64 address_end(machine& pc) {
    const u32 bits = hw::physical_address_bits(pc.hardware);
    constexpr u32 extended = 0x80000000, address_sizes = 0x80000008;
    u32 guest = 0;
    if (pc.hardware.cpuid(extended, 0).eax >= address_sizes)
        guest = pc.hardware.cpuid(address_sizes, 0).eax >> 16 & 0xff;
    return u64{1} << (guest > 32 && guest < bits ? guest : bits);
}

#ifdef MAYFLY_PREPARE_FULL
constexpr bool prepare_fully = true;
#else
constexpr bool prepare_fully = false;
#endif

/// Lists of ranges for the planner.
class windows {
  public:
    explicit windows(machine& pc) {
        const u64 end = address_end(pc);
        if (pc.bridge.kind == hw::chipset::no_pci) {
            add(low_, {microvm_low_begin, microvm_ecam});
            add(high_, {end - end / 4, end});
            return;
        }
        has_io_ = true;
        u32 ram_end = pc.map.low_ram_end();
        if (ram_end < hw::lowest_device_memory)
            ram_end = hw::lowest_device_memory;
        if (pc.bridge.kind == hw::chipset::q35) {
            add(low_, {hw::q35_ecam + hw::q35_ecam_size, io_apic});
            add(low_, {ram_end, hw::q35_ecam});
        } else {
            add(low_, {ram_end, io_apic});
        }
        add_high(pc, end);
    }

    bool has_io() const { return has_io_; }

    pci::host_windows lists() const {
        pci::host_windows out;
        if (has_io_)
            out.io = {io_windows, sizeof io_windows / sizeof *io_windows};
        out.low = {low_.ranges, low_.count};
        out.high = {high_.ranges, high_.count};
        return out;
    }

  private:
    struct list {
        u32 count = 0;
        range ranges[pci::host_windows::limit];
    };

    static void add(list& to, range what) {
        if (to.count < pci::host_windows::limit && !what.empty())
            to.ranges[to.count++] = what;
    }

    /// Behind all RAM, and what may become RAM, in between whatever else is there.
    void add_high(machine& pc, u64 end) {
        u64 next = four_gib;
        const u64 reserved = read_number(pc, "etc/reserved-memory-end");
        if (reserved > next)
            next = reserved;
        for (u32 i = 0; i < pc.map.parts(); i++) {
            const u32 type = static_cast<u32>(pc.map.type(i)) & ~tables::claimed;
            if (type == static_cast<u32>(memory_type::ram) && pc.map.part(i).end > next)
                next = pc.map.part(i).end;
        }
        next = align_up(next, gib);
        for (u32 i = 0; i < pc.map.parts(); i++) {
            const range part = pc.map.part(i);
            if (pc.map.type(i) == memory_type::none || part.end <= next)
                continue;
            add(high_, {next, part.begin < end ? part.begin : end});
            next = align_up(part.end, gib);
        }
        add(high_, {next, end});
    }

    bool has_io_ = false;
    list low_, high_;
};

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

/// Where configuration space lies in memory; 0 where it does not.
u32 find_ecam(machine& pc) {
    switch (pc.bridge.kind) {
        case hw::chipset::q35:
            return hw::q35_ecam;
        case hw::chipset::no_pci:
            return microvm_ecam;
        case hw::chipset::i440fx:
        case hw::chipset::unknown:
            break;
    }
    return 0;
}

pci::host::interrupts interrupts_of(hw::chipset kind) {
    switch (kind) {
        case hw::chipset::i440fx:
            return pci::host::interrupts::i440fx;
        case hw::chipset::q35:
            return pci::host::interrupts::q35;
        case hw::chipset::no_pci:
        case hw::chipset::unknown:
            break;
    }
    return pci::host::interrupts::unknown;
}

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
    const u32 ecam = find_ecam(pc);
    pci::config_space<hw::hardware> config(pc.hardware, ecam);
    if (pc.bridge.kind == hw::chipset::unknown ||
        (ecam == microvm_ecam && config.read(0, pci::reg_identity) != microvm_host_bridge))
        return;
    const windows places(pc);
    const bytes room = claim_for_now(pc);
    if (room.empty())
        return warn(sentences::pci_too_much, 0);
    auto& found = *reinterpret_cast<pci::tree*>(room.data());
    found = {};
    found.room = {reinterpret_cast<pci::resource*>(&found + 1),
                  (room.size() - sizeof found) / sizeof(pci::resource)};
    pci::scan(config, found, {interrupts_of(pc.bridge.kind), places.has_io(), extra_roots});
    pci::plan(found, places.lists());
    pci::complain(found, [&](const fault& what) { hw::say_on_debug_port(pc.hardware, what); });
    pci::assign(config, found);
}

}  // namespace mayfly
