// SPDX-License-Identifier: MIT
#include "sleep.hpp"

#include "report.hpp"

extern "C" const char wake_begin[];
extern "C" const char wake_end[];
extern "C" const char wake_gdt_pointer[];
extern "C" const char wake_jump[];
extern "C" void wake32();

namespace sleep {
namespace {

constexpr u32 wake_address = 0x7008;  // wake.S is made for it
constexpr u32 state_address = 0x7800;
constexpr u32 firmware_record = 0xebfc0;

struct [[gnu::packed]] state {
    u32 eax, cr0;
    u16 cs, ds, es, fs, gs, padding;
    u32 eflags;
    u16 idt_limit;
    u32 idt_base;
};
static_assert(__builtin_offsetof(state, eflags) == 20 &&
              __builtin_offsetof(state, idt_limit) == 24);

constexpr u32 fadt_facs = 36;
constexpr u32 facs_waking_vector = 12;
constexpr u32 acpi_header_size = 36;

constexpr u16 pm1_control = 0x604;  // the firmware's PM base is 0x600
constexpr u32 sleep_type_3 = 1u << 10;
constexpr u32 sleep_enable = 1u << 13;

u32 slept;

u32 find_facs(u32 rsdp) {
    const u32 rsdt = load<u32>(rsdp + 16);
    for (u32 at = rsdt + acpi_header_size; at < rsdt + load<u32>(rsdt + 4); at += 4) {
        const u32 table = load<u32>(at);
        if (is_text(table, "FACP")) {
            return load<u32>(table + fadt_facs);
        }
    }
    return 0;
}

void copy_wake_code() {
    struct [[gnu::packed]] {
        u16 limit;
        u32 base;
    } gdt;
    asm volatile("sgdt %0" : "=m"(gdt));
    const auto place = [](const char* label) {
        return wake_address + static_cast<u32>(label - wake_begin);
    };
    for (const char* from = wake_begin; from < wake_end; ++from) {
        store(place(from), *from);
    }
    // Whoever begins at the paragraph stays there.
    constexpr u16 jump_to_itself = 0xfeeb;
    store(wake_address & ~15u, jump_to_itself);
    store(place(wake_jump), reinterpret_cast<u32>(&wake32));
    store(place(wake_gdt_pointer), gdt.limit);
    store(place(wake_gdt_pointer) + 2, gdt.base);
}

// The file's key and size, or 0.
u64 find_file(const char* name) {
    constexpr u16 selector = 0x510, data = 0x511;
    constexpr u16 directory = 0x19;
    const auto read32 = [] {
        u32 value = 0;
        for (u32 i = 0; i < 4; ++i) {
            value = value << 8 | in8(data);
        }
        return value;
    };
    asm volatile("outw %0, %1" : : "a"(directory), "Nd"(selector));
    char field[56];
    for (u32 left = read32(); left != 0; --left) {
        const u32 size = read32();
        const u32 key = read32() >> 16;
        for (char& c : field) {
            c = static_cast<char>(in8(data));
        }
        if (is_text(reinterpret_cast<u32>(field), name)) {
            return u64{size} << 32 | key;
        }
    }
    return 0;
}

}  // namespace

bool is_wanted(const words& command_line) {
    return command_line.number("sleeps=", 0) != 0;
}

void by_word(const words& command_line, u64 rsdp) {
    if (slept >= command_line.number("sleeps=", 0)) {
        return;
    }
    ++slept;
    copy_wake_code();
    store(find_facs(static_cast<u32>(rsdp)) + facs_waking_vector,
          command_line.number("waking=", wake_address));
    if (command_line.has("forget")) {
        store<u32>(firmware_record, 0x12345678);
    }
    asm volatile("outw %w0, %1" : : "a"(sleep_type_3 | sleep_enable), "Nd"(pm1_control) : "memory");
    stop();
}

void report_waking() {
    const auto found = load<state>(state_address);
    report::fact("wake", "cr0", found.cr0);
    report::fact("wake", "cs", found.cs);
    report::fact("wake", "ds", found.ds);
    report::fact("wake", "es", found.es);
    report::fact("wake", "fs", found.fs);
    report::fact("wake", "gs", found.gs);
    report::fact("wake", "eflags", found.eflags);
    report::fact("wake", "idt_base", found.idt_base);
    report::fact("wake", "idt_limit", found.idt_limit);
}

void report_told() {
    const u64 file = find_file("etc/vmgenid_addr");
    if (file == 0) {
        return;
    }
    asm volatile("outw %w0, %1" : : "a"(static_cast<u32>(file)), "Nd"(u16{0x510}));
    u64 value = 0;
    for (u32 i = 0; i < 8; ++i) {
        value |= u64{in8(0x511)} << (8 * i);
    }
    report::fact("told", "vmgenid", value);
}

}  // namespace sleep
