// SPDX-License-Identifier: MIT
// What else a BIOS leaves: interrupts that come, and what guests find below 1 MiB.
#include "hw/interrupts.hpp"
#include "machine.hpp"
#include "resume.hpp"
#include "tables/routing_table.hpp"

namespace mayfly {
namespace {

/// In bios32.S: the code, and which byte of it is the number of the last PCI bus.
extern "C" const u8 bios32_begin[], bios32_end[], bios32_last_bus[];

/// In vectors.S: handlers, and ranges of vectors as set_vectors() takes them.
extern "C" const u8 vector_handlers[], vector_ranges[], vector_ranges_end[];

constexpr const_bytes between(const u8* begin, const u8* end) {
    return {begin, static_cast<usize>(end - begin)};
}

void prepare_bios32(machine& pc) {
    const auto code = between(bios32_begin, bios32_end);
    const bytes copy = pc.ram.at(bios32_copy, static_cast<u32>(code.size()));
    __builtin_memcpy(copy.data(), code.data(), code.size());
    copy[reinterpret_cast<uptr>(bios32_last_bus)] = pc.last_bus;
    const bytes anchors = pc.ram.at(bios_anchors, bios_anchors_size);
    tables::write_bios32_anchor(as<abi::bios32_anchor>(anchors), bios32_copy);
    tables::write_routing_table(
        anchors.part(sizeof(abi::bios32_anchor), tables::routing_table_size), pc.bridge.kind);
}

}  // namespace

bool has_virtio_lines(machine& pc) {
    return pc.bridge.kind == hw::chipset::no_pci && !pc.config.find("etc/acpi/rsdp").exists() &&
           pc.config.find("etc/fdt").exists();
}

void prepare_interrupts(machine& pc, bool for_linux) {
    record_of(pc.ram).has_interrupts = true;
    // The timer runs at 18.2 Hz after a reset (QEMU hw/timer/i8254.c); who halts waits for it.
    u8 open = hw::second_pic_interrupts | hw::timer_interrupt;
    // With ACPI's hardware-reduced profile Linux looks at no 8259, so does not close it either, and
    // takes the timer's interrupt for a double fault.
    if (has_virtio_lines(pc))
        hw::set_virtio_interrupts(pc.hardware);
    else if (pc.bridge.kind == hw::chipset::no_pci && for_linux)
        open = hw::second_pic_interrupts;
    // First the APIC: KVM's timer waits until its last interrupt is taken, and where it is dropped
    // by the start of a PIC that nobody listens to, for ever (Linux arch/x86/kvm/i8259.c,
    // pic_ioport_write).
    hw::prepare_local_apic(pc.hardware);
    hw::prepare_pic(pc.hardware, open);
    hw::prepare_keyboard(pc.hardware);
}

void prepare_bios(machine& pc) {
    hw::prepare_clock(pc.hardware);
    const u32 handlers = reinterpret_cast<uptr>(vector_handlers) - image_begin;
    set_vectors(pc.ram, handlers, between(vector_ranges, vector_ranges_end));
    const bool has_mouse = hw::has_cmos(pc.bridge.kind);
    describe_machine(pc.ram, hw::has_serial_port(pc.hardware), has_mouse);
    if (pc.bridge.kind == hw::chipset::i440fx || pc.bridge.kind == hw::chipset::q35)
        prepare_bios32(pc);
}

}  // namespace mayfly
