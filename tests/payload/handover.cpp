// SPDX-License-Identifier: MIT
#include "handover.hpp"

#include "initrd.hpp"
#include "report.hpp"

namespace {

constexpr u32 page = 4096;
constexpr u32 longest_command_line = 1 << 16;
constexpr u32 most_setup_data = 16;
constexpr u32 longest_setup_data = 2 << 20;

// Offsets in boot_params: boot.rst and zero-page.rst of the Linux documentation.
constexpr u32 zp_rsdp = 0x070;
constexpr u32 zp_ramdisk_image = 0x218;
constexpr u32 zp_ramdisk_size = 0x21c;
constexpr u32 zp_cmd_line_ptr = 0x228;
constexpr u32 zp_setup_data = 0x250;
constexpr u32 entered_by_16_bit_code = 0x36315245;  // setup.S leaves this in EDX

// Offsets in hvm_start_info: Xen, docs/misc/pvh.pandoc, version 1.
constexpr u32 si_magic_value = 0x336ec578;
constexpr u32 si_nr_modules = 12;
constexpr u32 si_modlist = 16;
constexpr u32 si_cmdline = 24;
constexpr u32 si_rsdp = 32;
constexpr u32 si_memmap = 40;
constexpr u32 si_memmap_entries = 48;
constexpr u32 si_size = 56;
constexpr u32 module_size = 32;
constexpr u32 memmap_entry_size = 24;
constexpr u32 most_memmap_entries = 1024;

// Offsets in the information structure: Multiboot 0.6.96, 3.3.
constexpr u32 mb_flags = 0;
constexpr u32 mb_cmdline = 16;
constexpr u32 mb_mods_count = 20;
constexpr u32 mb_mods_addr = 24;
constexpr u32 mb_mmap_length = 44;
constexpr u32 mb_mmap_addr = 48;
constexpr u32 mb_loader_name = 64;
constexpr u32 mb_size = 88;  // as QEMU makes it
constexpr u32 mb_has_cmdline = 1 << 2;
constexpr u32 mb_has_modules = 1 << 3;
constexpr u32 mb_has_map = 1 << 6;
constexpr u32 mb_has_loader_name = 1 << 9;
constexpr u32 mb_module_size = 16;
constexpr u32 mb_most_modules = 64;
constexpr u32 mb_longest_map = 1 << 16;

extern "C" char image_start[];
extern "C" char memory_end[];

u32 address_of(const char* symbol) {
    return reinterpret_cast<u32>(symbol);
}

void report_registers(const struct entry_state& s) {
    const struct {
        const char* name;
        u32 value;
    } registers[] = {
        {"eax", s.eax}, {"ebx", s.ebx}, {"ecx", s.ecx}, {"edx", s.edx},       {"esi", s.esi},
        {"edi", s.edi}, {"ebp", s.ebp}, {"esp", s.esp}, {"eflags", s.eflags}, {"cr0", s.cr0},
        {"cr3", s.cr3}, {"cr4", s.cr4}, {"cs", s.cs},   {"ds", s.ds},         {"es", s.es},
        {"fs", s.fs},   {"gs", s.gs},   {"ss", s.ss},   {"tr", s.tr},         {"ldtr", s.ldtr},
    };
    for (const auto& r : registers) {
        report::fact("register", r.name, r.value);
    }
    report::fact("table", "gdt_base", s.gdtr.base);
    report::fact("table", "gdt_limit", s.gdtr.limit);
    report::fact("table", "idt_base", s.idtr.base);
    report::fact("table", "idt_limit", s.idtr.limit);
    if (s.gdtr.limit < page) {
        report::memory("gdt", s.gdtr.base, s.gdtr.limit + 1u);
    }
}

void report_string(const char* name, u32 address) {
    u32 size = 1;
    while (size < longest_command_line && load<char>(address + size - 1) != '\0') {
        ++size;
    }
    report::memory(name, address, size);
}

void report_setup_data(u64 node) {
    for (u32 i = 0; i < most_setup_data && node != 0 && node < 0xffffffff; ++i) {
        const u32 at = static_cast<u32>(node);
        const u32 size = load<u32>(at + 12);
        report::memory("setup_data", at, 16 + (size < longest_setup_data ? size : 0));
        node = load<u64>(at);
    }
}

handover report_zero_page(const struct entry_state& state) {
    const u32 zero_page = state.esi;
    const bool by_16_bit_code = state.edx == entered_by_16_bit_code;
    report::text(by_16_bit_code ? "entry bzimage16" : "entry bzimage32");
    report::end_line();
    report::memory("zero_page", zero_page, page);
    report_setup_data(load<u64>(zero_page + zp_setup_data));
    const u32 command_line = load<u32>(zero_page + zp_cmd_line_ptr);
    if (command_line != 0) {
        report_string("command_line", command_line);
    }
    return {command_line,
            load<u64>(zero_page + zp_rsdp),
            load<u32>(zero_page + zp_ramdisk_image),
            load<u32>(zero_page + zp_ramdisk_size),
            0,
            0};
}

handover report_start_info(u32 info) {
    report::text("entry pvh");
    report::end_line();
    report::memory("start_info", info, si_size);
    handover result = {};
    if (load<u32>(info) != si_magic_value) {
        return result;
    }
    result.command_line = load<u32>(info + si_cmdline);
    result.rsdp = load<u64>(info + si_rsdp);
    const u32 modules = load<u32>(info + si_nr_modules);
    const u32 list = load<u32>(info + si_modlist);
    if (modules != 0) {
        report::memory("modules", list, modules * module_size);
        result.initrd = load<u32>(list);
        result.initrd_size = load<u32>(list + 8);
    }
    const u32 entries = load<u32>(info + si_memmap_entries);
    if (entries != 0 && entries < most_memmap_entries) {
        report::memory("memory_map", load<u32>(info + si_memmap), entries * memmap_entry_size);
    }
    if (result.command_line != 0) {
        report_string("command_line", result.command_line);
    }
    return result;
}

// Each module's place, sums and string; an empty file is a module too.
void report_modules(u32 list, u32 count) {
    if (count == 0 || count > mb_most_modules) {
        return;
    }
    report::memory("modules", list, count * mb_module_size);
    for (u32 at = list; count != 0; --count, at += mb_module_size) {
        const u32 begin = load<u32>(at);
        report_sums("module", begin, load<u32>(at + 4) - begin);
        report_string("module_string", load<u32>(at + 8));
    }
}

handover report_multiboot(u32 info) {
    report::text("entry multiboot");
    report::end_line();
    report::memory("multiboot_info", info, mb_size);
    handover result = {};
    const u32 flags = load<u32>(info + mb_flags);
    if ((flags & mb_has_cmdline) != 0) {
        result.command_line = load<u32>(info + mb_cmdline);
        report_string("command_line", result.command_line);
    }
    if ((flags & mb_has_loader_name) != 0) {
        report_string("loader_name", load<u32>(info + mb_loader_name));
    }
    const u32 length = load<u32>(info + mb_mmap_length);
    if ((flags & mb_has_map) != 0 && length < mb_longest_map) {
        report::memory("memory_map", load<u32>(info + mb_mmap_addr), length);
    }
    if ((flags & mb_has_modules) != 0) {
        report_modules(load<u32>(info + mb_mods_addr), load<u32>(info + mb_mods_count));
    }
    return result;
}

handover report_protocol(const struct entry_state& state) {
    switch (state.kind) {
        case protocol::pvh:
            return report_start_info(state.ebx);
        case protocol::multiboot:
            return report_multiboot(state.ebx);
        default:
            return report_zero_page(state);
    }
}

}  // namespace

handover report_handover(const struct entry_state& state) {
    handover result = report_protocol(state);
    result.own_begin = address_of(image_start);
    result.own_end = address_of(memory_end);
    report_registers(state);
    report::fact("address", "load", state.load);
    report::fact("address", "run", result.own_begin);
    report::fact("address", "run_end", result.own_end);
    return result;
}
