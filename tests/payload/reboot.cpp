// SPDX-License-Identifier: MIT
#include "reboot.hpp"

#include "pci.hpp"

extern "C" const char real_mode_begin[];
extern "C" const char real_mode_resume[];
extern "C" const char real_mode_end[];
extern "C" const char real_mode_left[];
extern "C" const char real_mode_code[];
extern "C" const char real_mode_gdt[];

namespace reboot {
namespace {

// In the middle of the RAM below 16 MiB: no kernel, table or initrd of these tests comes there.
constexpr u32 counter_address = 0x800000;
constexpr u32 counter_magic = 0x746f6f62;

constexpr u32 real_mode_address = 0x7000;  // real_mode.S is linked for it
constexpr u32 low_memory_end = 0xa0000;
constexpr u32 extended_bios_begin = 0xe0000;
constexpr u32 bios_begin = 0xf0000;
constexpr u32 bios_end = 0x100000;
constexpr u32 warm_vector = 0x467;  // segment:offset, IBM PC AT BIOS data area

constexpr u16 reset_control = 0xcf9;
constexpr u16 keyboard_command = 0x64;
constexpr u16 system_control_a = 0x92;

constexpr u32 apic_spurious = 0xfee000f0;
constexpr u32 apic_icr_low = 0xfee00300;
constexpr u32 apic_icr_high = 0xfee00310;
constexpr u32 apic_id = 0xfee00020;
constexpr u32 icr_init_assert = 0x4500;

constexpr u32 i440fx = 0x12378086;
constexpr u32 i440fx_pam = 0x59;
constexpr u32 q35 = 0x29c08086;
constexpr u32 q35_pam = 0x90;
constexpr u32 pam_registers = 7;
constexpr u32 pirq_a_to_d = 0x60;  // PIIX3's at 01.0, ICH9's at 1f.0
constexpr u8 route_disabled = 0x80;
constexpr u8 pam_ram = 0x33;

void fill(u32 begin, u32 end) {
    u32 value = 0x9e3779b9;
    for (u32 at = begin; at < end; at += 4) {
        value = value * 1664525 + 1013904223;
        store(at, value);
    }
}

void copy(u32 to, const char* from, u32 size) {
    for (u32 i = 0; i < size; ++i) {
        store(to + i, from[i]);
    }
}

// Corrects the byte at `field` so that all `size` bytes sum to zero.
void correct(u32 address, u32 size, u32 field) {
    store(address + field, u8(0));
    store(address + field, static_cast<u8>(-byte_sum(address, size)));
}

void false_rsdp(u32 at) {
    copy(at, "RSD PTR ", 8);
    store(at + 15, u8(0));
    store(at + 16, u32(0x00123400));
    correct(at, 20, 8);
}

void false_smbios(u32 at) {
    copy(at, "_SM_", 4);
    store(at + 5, u8(31));
    copy(at + 16, "_DMI_", 5);
    store(at + 24, u32(0x00123400));
    correct(at + 16, 15, 5);
    correct(at, 31, 4);
}

void false_smbios3(u32 at) {
    copy(at, "_SM3_", 5);
    store(at + 6, u8(24));
    store(at + 16, u64(0x00123400));
    correct(at, 24, 5);
}

void false_mp_pointer(u32 at) {
    copy(at, "_MP_", 4);
    store(at + 4, u32(0x00123400));
    store(at + 8, u8(1));
    correct(at, 16, 10);
}

void false_anchors(u32 begin) {
    false_rsdp(begin);
    false_smbios(begin + 0x20);
    false_smbios3(begin + 0x40);
    false_mp_pointer(begin + 0x60);
}

void set_pam(u8 value) {
    const u32 bridge = pci::read32(0, 0, 0);
    if (bridge != i440fx && bridge != q35) {
        return;
    }
    const u32 first = bridge == q35 ? q35_pam : i440fx_pam;
    for (u32 i = 0; i < pam_registers; ++i) {
        pci::write8(0, 0, first + i, value);
    }
}

// What Linux's ACPI does at boot to links that it does not use.
void disable_interrupt_links() {
    const u32 bridge = pci::read32(0, 0, 0);
    if (bridge != i440fx && bridge != q35) {
        return;
    }
    const u32 device = bridge == q35 ? 31 : 1;
    const u32 routes = pci::read32(device, 0, pirq_a_to_d);
    for (u32 i = 0; i < 4; ++i) {
        pci::write8(device, 0, pirq_a_to_d + i,
                    static_cast<u8>(routes >> (8 * i) | route_disabled));
    }
}

// What a guest leaves that stops while its timer runs: bit 12 of the register at 0x270.
void leave_interrupt_pending() {
    constexpr u32 to_self = 0x44000, vector = 0xec, enabled = 1u << 8;
    store(apic_spurious, load<u32>(apic_spurious) | enabled);
    store(apic_icr_low, to_self | vector);
}

// The first table with this signature, 0 if there is none.
u32 find_table(u32 rsdp, const char* signature) {
    const bool extended = load<u8>(rsdp + 15) >= 2;
    const u32 root = load<u32>(rsdp + (extended ? 24 : 16)), entry_size = extended ? 8 : 4;
    for (u32 at = root + 36; at < root + load<u32>(root + 4); at += entry_size) {
        if (is_text(load<u32>(at), signature)) {
            return load<u32>(at);
        }
    }
    return 0;
}

// As the ACPI specification has it, 4.8.3.6; returns where the FADT names no such register.
void by_reset_register(u32 rsdp) {
    constexpr u32 flags = 112, reset_register = 116, reset_value = 128;
    constexpr u32 has_reset_register = 1u << 10;
    const u32 fadt = rsdp == 0 ? 0 : find_table(rsdp, "FACP");
    if (fadt == 0 || load<u32>(fadt + 4) <= reset_value ||
        (load<u32>(fadt + flags) & has_reset_register) == 0) {
        return;
    }
    const u8 value = load<u8>(fadt + reset_value);
    const u32 address = load<u32>(fadt + reset_register + 4);
    if (load<u8>(fadt + reset_register) == 0) {
        store(address, value);
    } else {
        out8(static_cast<u16>(address), value);
    }
}

void by_triple_fault() {
    const struct [[gnu::packed]] {
        u16 limit;
        u32 base;
    } no_idt = {0, 0};
    asm volatile("lidt %0; int3" : : "m"(no_idt));
}

void by_init() {
    store(apic_icr_high, load<u32>(apic_id) & 0xff000000);
    store(apic_icr_low, icr_init_assert);
}

void set_shutdown_code(u8 code) {
    out8(0x70, 0x0f);
    out8(0x71, code);
}

u32 real_mode_place(const char* label) {
    return real_mode_address + static_cast<u32>(label - real_mode_begin);
}

void by_init_to_warm_vector(u8 code, u32 times) {
    copy(real_mode_address, real_mode_begin, static_cast<u32>(real_mode_end - real_mode_begin));
    store(real_mode_place(real_mode_left), times);
    store(real_mode_place(real_mode_code), code);
    asm volatile("sgdt (%0)" : : "r"(real_mode_place(real_mode_gdt)) : "memory");
    store(warm_vector, real_mode_place(real_mode_resume));  // the segment is zero
    set_shutdown_code(code);
    by_init();
}

[[noreturn]] void by_real_mode_jump() {
    copy(real_mode_address, real_mode_begin, static_cast<u32>(real_mode_end - real_mode_begin));
    asm volatile("jmp *%0" : : "r"(real_mode_address));
    __builtin_unreachable();
}

}  // namespace

u32 count_boot() {
    if (load<u32>(counter_address) != counter_magic) {
        store(counter_address, counter_magic);
        store(counter_address + 4, u32(0));
    }
    const u32 count = load<u32>(counter_address + 4) + 1;
    store(counter_address + 4, count);
    return count;
}

void scribble(const words& command_line) {
    if (!command_line.has("scribble")) {
        return;
    }
    fill(0, low_memory_end);
    false_mp_pointer(0x9fc00);
    false_mp_pointer(0x9f800);
    store(0x40e, u16(0x9f80));
    store(0x413, u16(639));
    set_pam(pam_ram);
    fill(extended_bios_begin, bios_begin);
    if (command_line.has("scribble=e")) {
        false_anchors(extended_bios_begin);
        false_anchors(extended_bios_begin + 0x8000);
    }
    if (command_line.has("keep-bios")) {
        return;
    }
    fill(bios_begin, bios_end);
    for (u32 at = bios_begin; at < bios_end; at += 0x400) {
        false_anchors(at);
    }
}

void by_word(const words& w, u32 rsdp) {
    const char* const kind = "reboot=";
    disable_interrupt_links();
    leave_interrupt_pending();
    if (w.has("woken")) {
        set_shutdown_code(0xfe);
    }
    if (w.is(kind, "cf9")) {
        out8(reset_control, 0x02);
        out8(reset_control, 0x06);
    } else if (w.is(kind, "kbd")) {
        out8(keyboard_command, 0xfe);
    } else if (w.is(kind, "port92")) {
        out8(system_control_a, static_cast<u8>(in8(system_control_a) | 1));
    } else if (w.is(kind, "acpi")) {
        by_reset_register(rsdp);
    } else if (w.is(kind, "triple")) {
        by_triple_fault();
    } else if (w.is(kind, "init")) {
        by_init();
    } else if (w.is(kind, "warm05")) {
        by_init_to_warm_vector(0x05, w.number("inits=", 1));
    } else if (w.is(kind, "warm0a")) {
        by_init_to_warm_vector(0x0a, w.number("inits=", 1));
    } else if (w.is(kind, "fff0")) {
        by_real_mode_jump();
    } else if (w.is(kind, "fff0-pam")) {
        set_pam(0);
        by_real_mode_jump();
    } else {
        return;
    }
    stop();
}

}  // namespace reboot
