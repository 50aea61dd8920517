// SPDX-License-Identifier: MIT
#include "tables/mp_table.hpp"

#include "abi/acpi.hpp"
#include "core/checksum.hpp"

namespace mayfly::tables {
namespace {

constexpr u8 isa_irqs = 16;
constexpr u8 pci_devices = 32;
constexpr u8 pci_pins = 4;
constexpr u32 max_io_apics = 16;
constexpr u32 default_io_apic = 0xfec00000;
constexpr u32 local_apic = 0xfee00000;
constexpr u8 integrated_apic = 0x14;  // local APIC version
constexpr u8 io_apic_version = 0x20;
constexpr u8 every_local_apic = 0xff;

/// Calls `visit` with each entry of the wanted type.
template <typename Entry, typename Visit>
void for_each_madt_entry(const_bytes madt, u8 type, Visit visit) {
    usize at = sizeof(abi::madt_header);
    while (const auto* entry = view<abi::madt_entry>(madt, at)) {
        const const_bytes content = madt.part(at, entry->length);
        if (content.size() < sizeof(abi::madt_entry))
            return;
        if (const auto* wanted = view<Entry>(content); wanted != nullptr && entry->type == type)
            visit(*wanted);
        at += content.size();
    }
}

/// Writes entries one behind the other into a place of mp_table_capacity() bytes.
class mp_writer {
  public:
    mp_writer(bytes to, u8 io_apic) : first_(to.data()), next_(first_), io_apic_(io_apic) {
        next_ += sizeof(abi::mp_header);
    }

    template <typename T>
    [[gnu::always_inline]] void put(const T& entry) {
        __builtin_memcpy(next_, &entry, sizeof(T));
        next_ += sizeof(T);
        count_++;
    }

    usize length() const { return static_cast<usize>(next_ - first_); }
    u16 count() const { return static_cast<u16>(count_); }
    /// ID of the first I/O APIC, where every line goes.
    u8 io_apic() const { return io_apic_; }

  private:
    u8* first_;
    u8* next_;
    u32 count_ = 0;
    u8 io_apic_;
};

void put_processor(const mp_description& machine, u8 id, mp_writer& out) {
    const u8 boot = id == machine.boot_cpu.apic_id ? abi::mp_processor_boot : 0;
    out.put(abi::mp_processor{.type = 0,
                              .apic_id = id,
                              .apic_version = integrated_apic,
                              .flags = static_cast<u8>(abi::mp_processor_enabled | boot),
                              .signature = machine.boot_cpu.signature,
                              .features = machine.boot_cpu.features,
                              .reserved = {}});
}

void put_processors(const mp_description& machine, mp_writer& out) {
    for (u32 word = 0; word < apic_ids::words; word++) {
        u32 bits = machine.cpus.word(word);
        for (u32 id = 32 * word; bits != 0; id++, bits >>= 1) {
            if ((bits & 1) == 0)
                continue;
            put_processor(machine, static_cast<u8>(id), out);
        }
    }
}

bool has_pci(const mp_description& machine) {
    return machine.chipset == hw::chipset::i440fx || machine.chipset == hw::chipset::q35;
}

/// PCI is bus 0, as its number is; ISA comes behind it.
u8 isa_bus(const mp_description& machine) {
    return has_pci(machine) ? 1 : 0;
}

void put_buses(const mp_description& machine, mp_writer& out) {
    if (has_pci(machine))
        out.put(abi::mp_bus{1, 0, {'P', 'C', 'I', ' ', ' ', ' '}});
    out.put(abi::mp_bus{1, isa_bus(machine), {'I', 'S', 'A', ' ', ' ', ' '}});
}

void put_io_apics(const mp_description& machine, mp_writer& out) {
    apic_ids used = machine.cpus;
    u8 id = out.io_apic();
    u32 count = 0;
    for_each_madt_entry<abi::madt_io_apic>(
        machine.madt, abi::madt_io_apic_type, [&](const abi::madt_io_apic& apic) {
            if (count++ >= max_io_apics)
                return;
            out.put(abi::mp_io_apic{2, id, io_apic_version, 1, apic.address});
            used.add(id);
            // With 255 CPUs every ID is taken; then those of the I/O APICs at least differ.
            const u8 unused = used.lowest_unused();
            id = unused != 0 ? unused : static_cast<u8>(id + 1);
        });
    if (count == 0)
        out.put(abi::mp_io_apic{2, id, io_apic_version, 1, default_io_apic});
}

/// An abi::mp_interrupt to the first I/O APIC, as two words: there are up to 143 of them, and byte
/// by byte they take twice as many instructions.
[[gnu::always_inline]] inline void put_interrupt(mp_writer& out, u32 flags, u32 bus, u32 line,
                                                 u32 input) {
    constexpr u32 to_io_apic = 3;
    const le32 words[] = {to_io_apic | u32{abi::mp_vectored} << 8 | flags << 16,
                          bus | line << 8 | u32{out.io_apic()} << 16 | input << 24};
    out.put(words);
}

/// The I/O APIC's inputs for device + pin = 0 to 3 (modulo 4), a byte each.
///
/// i440FX: pins rotate over PIRQ A to D, one behind the sum, which interrupt_routes sends to 10,
/// 10, 11, 11 (QEMU hw/isa/piix3.c). q35: they rotate over PIRQ E to H, inputs 20 to 23.
u32 rotating_inputs(hw::chipset chipset) {
    constexpr u32 e_to_h = 0x17161514;
    const u32 routes = hw::interrupt_routes;
    return chipset == hw::chipset::i440fx ? routes << 8 | routes >> 24 : e_to_h;
}

/// Bus 0. On q35, devices from 25 on do not rotate: their pins are PIRQ A to D, inputs 16 to 19,
/// but device 30's, which are E to H (QEMU hw/isa/lpc_ich9.c, ich9_cc_init).
void put_pci_interrupts(const mp_description& machine, mp_writer& out) {
    constexpr u32 bridge = 30;
    const u32 rotating = rotating_inputs(machine.chipset);
    const u32 fixed_from = machine.chipset == hw::chipset::q35 ? 25 : pci_devices;
    for (u32 line = 0; line < pci_devices * pci_pins; line++) {
        const u32 device = line >> 2;
        const u32 pin = line & 3;
        const u32 input = device < fixed_from ? rotating >> (8 * ((device + pin) & 3)) & 0xff
                                              : (device == bridge ? 20 : 16) + pin;
        put_interrupt(out, abi::mp_active_high | abi::mp_level, 0, line, input);
    }
}

/// How an ISA line is driven. QEMU's PCI interrupts on i440FX and the SCI are level-triggered and
/// active high, and so are virtio-mmio transports.
u16 isa_flags(const mp_description& machine, u8 irq) {
    constexpr u8 sci = 9;
    constexpr u8 first_virtio_mmio = 5, last_virtio_mmio = 12;
    constexpr u8 clock = 8;
    const bool virtio =
        machine.virtio_mmio && irq >= first_virtio_mmio && irq <= last_virtio_mmio && irq != clock;
    const bool level = virtio || (has_pci(machine) && irq == sci);
    return level ? abi::mp_active_high | abi::mp_level : 0;
}

void put_isa_interrupts(const mp_description& machine, mp_writer& out) {
    constexpr u8 timer_input = 2;  // QEMU wires IRQ 0 there; IRQ 2 is the PIC's cascade
    for (u8 irq = 0; irq < isa_irqs; irq++) {
        // PCI's lines on i440FX are named by its devices.
        const bool is_pci = machine.chipset == hw::chipset::i440fx && (irq == 10 || irq == 11);
        if (irq == timer_input || is_pci)
            continue;
        put_interrupt(out, isa_flags(machine, irq), isa_bus(machine), irq,
                      irq == 0 ? timer_input : irq);
    }
}

void put_local_interrupts(const mp_description& machine, mp_writer& out) {
    out.put(abi::mp_interrupt{4, abi::mp_external, 0, isa_bus(machine), 0, machine.boot_cpu.apic_id,
                              0});
    out.put(abi::mp_interrupt{4, abi::mp_nmi, 0, isa_bus(machine), 0, every_local_apic, 1});
}

}  // namespace

u8 apic_ids::lowest_unused() const {
    for (u32 word = 0; word < words; word++) {
        if (words_[word] == ~u32{0})
            continue;
        const u32 id = 32 * word + static_cast<u32>(__builtin_ctz(~words_[word]));
        return id < limit ? static_cast<u8>(id) : 0;
    }
    return 0;
}

apic_ids apic_ids_from_madt(const_bytes madt) {
    apic_ids out;
    for_each_madt_entry<abi::madt_local_apic>(
        madt, abi::madt_local_apic_type, [&](const abi::madt_local_apic& cpu) {
            if ((cpu.flags & abi::madt_local_apic_enabled) != 0)
                out.add(cpu.apic_id);
        });
    return out;
}

apic_ids apic_ids_from_topology(const topology& cpus, u32 count) {
    apic_ids out;
    for (u32 i = 0; i < count && i < apic_ids::limit; i++) {
        u32 id = 0;
        u32 shift = 0;
        u32 unit = 1;
        for (u32 level = 0; level < cpus.count; level++) {
            id |= (i % cpus.levels[level].threads / unit) << shift;
            shift = cpus.levels[level].shift;
            unit = cpus.levels[level].threads;
        }
        out.add(id | (i / unit) << shift);
    }
    return out;
}

u32 mp_table_capacity(const mp_description& machine) {
    return static_cast<u32>(sizeof(abi::mp_header) +
                            machine.cpus.count() * sizeof(abi::mp_processor) +
                            2 * sizeof(abi::mp_bus) + max_io_apics * sizeof(abi::mp_io_apic) +
                            (pci_devices * pci_pins + isa_irqs + 2) * sizeof(abi::mp_interrupt));
}

u32 write_mp_table(const mp_description& machine, bytes to) {
    mp_writer entries(to, machine.cpus.lowest_unused());
    put_processors(machine, entries);
    put_buses(machine, entries);
    put_io_apics(machine, entries);
    if (has_pci(machine))
        put_pci_interrupts(machine, entries);
    put_isa_interrupts(machine, entries);
    put_local_interrupts(machine, entries);
    const bytes table = to.part(0, entries.length());
    auto& header = *view<abi::mp_header>(to);
    header = {.signature = {'P', 'C', 'M', 'P'},
              .length = static_cast<u16>(table.size()),
              .specification = 4,
              .checksum = 0,
              .oem_id = {'M', 'A', 'Y', 'F', 'L', 'Y', ' ', ' '},
              .product_id = {'Q', 'E', 'M', 'U', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' '},
              .oem_table = 0,
              .oem_table_size = 0,
              .entry_count = entries.count(),
              .local_apic_address = local_apic,
              .extended_length = 0,
              .extended_checksum = 0,
              .reserved = 0};
    header.checksum = checksum(table);
    return static_cast<u32>(table.size());
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
