// SPDX-License-Identifier: MIT
#include "tables/mp_table.hpp"

#include "abi/acpi.hpp"
#include "hw/apic.hpp"
#include "tables/pci_pins.hpp"

namespace mayfly::tables {
namespace {

constexpr u32 isa_irqs = 16;
constexpr u32 default_io_apic = 0xfec00000;
constexpr u8 integrated_apic = 0x14;  // local APIC version
constexpr u8 io_apic_version = 0x20;
constexpr u8 every_local_apic = 0xff;

/// No configuration table is larger.
constexpr u32 capacity = sizeof(abi::mp_header) + apics::cpu_limit * sizeof(abi::mp_processor) +
                         2 * sizeof(abi::mp_bus) + apics::io_limit * sizeof(abi::mp_io_apic) +
                         (pci_devices * pci_pins + isa_irqs + 2) * sizeof(abi::mp_interrupt);

/// Writes entries one behind the other into a place of `capacity` bytes.
struct mp_writer {
    u8* next;

    template <typename T>
    [[gnu::always_inline]] void put(const T& entry) {
        __builtin_memcpy(next, &entry, sizeof(T));
        next += sizeof(T);
    }
};

bool has_pci(const mp_description& machine) {
    return machine.chipset == hw::chipset::i440fx || machine.chipset == hw::chipset::q35;
}

void put_processors(const mp_description& machine, mp_writer& out) {
    abi::mp_processor entry{.type = 0,
                            .apic_id = 0,
                            .apic_version = integrated_apic,
                            .flags = 0,
                            .signature = machine.boot_cpu.signature,
                            .features = machine.boot_cpu.features,
                            .reserved = {}};
    u32 first = 0;
    for (u32 bits : machine.controllers.cpus) {
        for (u32 id = first; bits != 0; id++, bits >>= 1) {
            if ((bits & 1) == 0)
                continue;
            entry.apic_id = static_cast<u8>(id);
            entry.flags = id == machine.boot_cpu.apic_id
                              ? abi::mp_processor_enabled | abi::mp_processor_boot
                              : abi::mp_processor_enabled;
            out.put(entry);
        }
        first += 32;
    }
}

/// Returns the number of ISA. That of PCI is 0, as guests number it; without it, ISA's is.
u8 put_buses(const mp_description& machine, mp_writer& out) {
    abi::mp_bus bus{1, 0, {'P', 'C', 'I', ' ', ' ', ' '}};
    u8 isa = 0;
    if (has_pci(machine)) {
        out.put(bus);
        isa = machine.isa_bus;
    }
    bus = {1, isa, {'I', 'S', 'A', ' ', ' ', ' '}};
    out.put(bus);
    return isa;
}

/// The lowest ID above `above` that no CPU has. With 255 CPUs every one is taken; then those of the
/// I/O APICs at least differ.
u8 next_unused(const apics& controllers, u32 above) {
    for (u32 id = above; id < apics::cpu_limit; id++) {
        if (!controllers.has_cpu(id))
            return static_cast<u8>(id);
    }
    return static_cast<u8>(above);
}

/// Returns the ID of the first one, where every line goes.
u8 put_io_apics(const apics& controllers, mp_writer& out) {
    const u8 first = next_unused(controllers, 0);
    u8 id = first;
    for (u32 i = 0; i < controllers.io_count; i++) {
        out.put(abi::mp_io_apic{2, id, io_apic_version, 1, controllers.io_addresses[i]});
        id = next_unused(controllers, id + 1u);
    }
    return first;
}

/// An abi::mp_interrupt to an I/O APIC as two words: there are up to 143 of them, and byte by byte
/// they take twice as many instructions.
[[gnu::always_inline]] inline void put_interrupt(mp_writer& out, u32 flags, u32 places) {
    constexpr u32 to_io_apic = 3;
    const le32 words[] = {to_io_apic | u32{abi::mp_vectored} << 8 | flags << 16, places};
    out.put(words);
}

/// The second word: source bus and line, I/O APIC and its input.
constexpr u32 places(u32 bus, u32 line, u32 io_apic, u32 input) {
    return bus | line << 8 | io_apic << 16 | input << 24;
}

constexpr u32 level = abi::mp_active_high | abi::mp_level;

/// Bus 0: the I/O APIC's inputs for the pins of each device. On i440FX they have the interrupts of
/// the 8259s (QEMU hw/isa/piix3.c), on q35 inputs of their own (hw/isa/lpc_ich9.c). What is behind
/// a bridge has those of the bridge, turned by the device; guests know that (MP specification 1.4,
/// D.3; Linux arch/x86/pci/irq.c, FreeBSD sys/dev/pci/pci_pci.c).
void put_pci_interrupts(hw::chipset chipset, u32 io_apic, mp_writer& out) {
    constexpr u32 a_to_d = 0x13121110, e_to_h = 0x17161514;
    const u32 routes = hw::interrupt_routes;
    pin_wiring wiring(chipset, chipset == hw::chipset::q35 ? a_to_d : routes, e_to_h);
    u32 line = places(0, 0, io_apic, 0);
    for (u32 device = 0; device < pci_devices; device++) {
        u32 inputs = wiring.next(device);
#pragma GCC unroll 4  // half the instructions
        for (u32 pin = 0; pin < pci_pins; pin++) {
            put_interrupt(out, level, line | inputs << 24);
            inputs >>= 8;
            line += places(0, 1, 0, 0);
        }
    }
}

/// The SCI is level-triggered and active high, and so are virtio-mmio transports; one of them has
/// the clock's line, which is held until the clock is asked, too. PCI's lines on i440FX are named
/// by its devices.
void put_isa_interrupts(const mp_description& machine, u8 isa_bus, u32 io_apic, mp_writer& out) {
    constexpr u32 cascade = 2;  // QEMU wires IRQ 0 to that input
    constexpr u32 sci = 9, virtio_mmio = 0x1fe0;
    u32 left_out = 1u << 0 | 1u << cascade;
    if (machine.chipset == hw::chipset::i440fx)
        left_out |= 1u << 10 | 1u << 11;
    u32 level_triggered = machine.virtio_mmio ? virtio_mmio : has_pci(machine) ? 1u << sci : 0;
    u32 line = places(isa_bus, 0, io_apic, 0);
    put_interrupt(out, 0, line | places(0, 0, 0, cascade));
    for (u32 irq = 0; irq < isa_irqs; irq++) {
        if ((left_out & 1) == 0)
            put_interrupt(out, (level_triggered & 1) != 0 ? level : 0, line);
        left_out >>= 1;
        level_triggered >>= 1;
        line += places(0, 1, 0, 1);
    }
}

/// Processors have entries of one size, all others of another.
u16 entry_count(const u8* processors, const u8* others, const u8* end) {
    constexpr usize size = sizeof(abi::mp_interrupt);
    static_assert(sizeof(abi::mp_bus) == size && sizeof(abi::mp_io_apic) == size);
    return static_cast<u16>(static_cast<usize>(others - processors) / sizeof(abi::mp_processor) +
                            static_cast<usize>(end - others) / size);
}

void put_local_interrupts(const mp_description& machine, u8 bus, mp_writer& out) {
    out.put(abi::mp_interrupt{4, abi::mp_external, 0, bus, 0, machine.boot_cpu.apic_id, 0});
    out.put(abi::mp_interrupt{4, abi::mp_nmi, 0, bus, 0, every_local_apic, 1});
}

}  // namespace

apics apics_from_madt(const_bytes madt) {
    apics out;
    usize at = sizeof(abi::madt_header);
    while (const auto* entry = view<abi::madt_entry>(madt, at)) {
        const u8 length = entry->length;
        if (length < sizeof(abi::madt_entry) || !madt.contains(at, length))
            break;
        at += length;
        if (entry->type == abi::madt_local_apic_type && length >= sizeof(abi::madt_local_apic)) {
            const auto& cpu = *reinterpret_cast<const abi::madt_local_apic*>(entry);
            if ((cpu.flags & abi::madt_local_apic_enabled) != 0)
                out.add_cpu(cpu.apic_id);
        }
        if (entry->type == abi::madt_io_apic_type && length >= sizeof(abi::madt_io_apic))
            out.add_io(reinterpret_cast<const abi::madt_io_apic*>(entry)->address);
    }
    return out;
}

apics apics_from_topology(const topology& cpus, u32 count) {
    apics out;
    for (u32 i = 0; i < count && i < apics::cpu_limit; i++) {
        u32 id = 0;
        u32 shift = 0;
        u32 unit = 1;
        for (u32 number = 0; number < cpus.count; number++) {
            const auto& wider = cpus.levels[number];
            id |= (i % wider.threads / unit) << shift;
            shift = wider.shift;
            unit = wider.threads;
        }
        out.add_cpu(id | (i / unit) << shift);
    }
    out.add_io(default_io_apic);
    return out;
}

u32 write_mp_table(const mp_description& machine, arena& work) {
    const bytes room = work.take(capacity);
    mp_writer entries{room.data() + sizeof(abi::mp_header)};
    put_processors(machine, entries);
    const u8* others = entries.next;
    const u8 isa_bus = put_buses(machine, entries);
    const u8 io_apic = put_io_apics(machine.controllers, entries);
    if (has_pci(machine))
        put_pci_interrupts(machine.chipset, io_apic, entries);
    put_isa_interrupts(machine, isa_bus, io_apic, entries);
    put_local_interrupts(machine, isa_bus, entries);
    const bytes table = {room.data(), static_cast<usize>(entries.next - room.data())};
    auto& header = as<abi::mp_header>(room);
    header = {
        .signature = {'P', 'C', 'M', 'P'},
        .length = static_cast<u16>(table.size()),
        .specification = 4,
        .checksum = 0,
        .oem_id = {'M', 'A', 'Y', 'F', 'L', 'Y', ' ', ' '},
        .product_id = {'Q', 'E', 'M', 'U', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' '},
        .oem_table = 0,
        .oem_table_size = 0,
        .entry_count = entry_count(room.data() + sizeof(abi::mp_header), others, entries.next),
        .local_apic_address = hw::local_apic,
        .extended_length = 0,
        .extended_checksum = 0,
        .reserved = 0};
    header.checksum = checksum(table);
    return work.address_of(room.data());
}

void write_mp_floating_pointer(abi::mp_floating_pointer& to, u32 table_address) {
    to = {.signature = {'_', 'M', 'P', '_'},
          .table_address = table_address,
          .length = 1,
          .specification = 4,
          .checksum = 0,
          .features = {}};
    to.checksum = checksum({reinterpret_cast<const u8*>(&to), sizeof to});
}

}  // namespace mayfly::tables
