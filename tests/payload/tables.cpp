// SPDX-License-Identifier: MIT
#include "tables.hpp"

#include "report.hpp"

namespace tables {
namespace {

constexpr u32 paragraph = 16;
constexpr u32 extended_bios_begin = 0xe0000;
constexpr u32 bios_begin = 0xf0000;
constexpr u32 bios_end = 0x100000;
constexpr u32 ebda_segment = 0x40e;
constexpr u32 base_memory_kib = 0x413;
constexpr u32 kib = 1024;

// No single table of QEMU comes near; a longer one is a read of nothing.
constexpr u32 longest_table = 4 << 20;

constexpr u32 rsdp_v1_size = 20;
constexpr u32 rsdp_v2_size = 36;
constexpr u32 acpi_header_size = 36;
constexpr u32 fadt_facs = 36;
constexpr u32 fadt_dsdt = 40;
constexpr u32 fadt_x_facs = 132;
constexpr u32 fadt_x_dsdt = 140;

u32 scan_for_rsdp() {
    for (u32 at = extended_bios_begin; at < bios_end; at += paragraph) {
        if (is_text(at, "RSD PTR ") && byte_sum(at, rsdp_v1_size) == 0) {
            return at;
        }
    }
    return 0;
}

void report_table(const char* name, u64 address) {
    if (address == 0) {
        return;
    }
    if (address > 0xffffffff) {
        report::fact("table_above_4g", name, address);
        return;
    }
    const u32 at = static_cast<u32>(address);
    const u32 size = load<u32>(at + 4);
    if (size > longest_table) {
        report::fact("table_too_long", name, address);
        return;
    }
    report::memory(name, at, size);
}

void report_fadt_targets(u32 fadt) {
    const u32 size = load<u32>(fadt + 4);
    u64 facs = load<u32>(fadt + fadt_facs);
    u64 dsdt = load<u32>(fadt + fadt_dsdt);
    if (size >= fadt_x_facs + 8 && load<u64>(fadt + fadt_x_facs) != 0) {
        facs = load<u64>(fadt + fadt_x_facs);
    }
    if (size >= fadt_x_dsdt + 8 && load<u64>(fadt + fadt_x_dsdt) != 0) {
        dsdt = load<u64>(fadt + fadt_x_dsdt);
    }
    report_table("facs", facs);
    report_table("acpi", dsdt);
}

void report_root(const char* name, u32 root, u32 entry_size) {
    report_table(name, root);
    const u32 size = load<u32>(root + 4);
    if (size > longest_table) {
        return;
    }
    for (u32 at = acpi_header_size; at + entry_size <= size; at += entry_size) {
        const u64 table = entry_size == 8 ? load<u64>(root + at) : load<u32>(root + at);
        report_table("acpi", table);
        if (table <= 0xffffffff && is_text(static_cast<u32>(table), "FACP")) {
            report_fadt_targets(static_cast<u32>(table));
        }
    }
}

bool is_valid_mp_pointer(u32 at) {
    return is_text(at, "_MP_") && byte_sum(at, load<u8>(at + 8) * paragraph) == 0;
}

u32 find_mp_pointer(u32 begin, u32 size) {
    for (u32 at = begin; at < begin + size; at += paragraph) {
        if (is_valid_mp_pointer(at)) {
            return at;
        }
    }
    return 0;
}

// The order of the MultiProcessor Specification 1.4, section 4.
u32 scan_for_mp_pointer() {
    const u32 ebda = load<u16>(ebda_segment) * paragraph;
    if (ebda != 0) {
        if (const u32 found = find_mp_pointer(ebda, kib)) {
            return found;
        }
    }
    if (const u32 found = find_mp_pointer((load<u16>(base_memory_kib) - 1u) * kib, kib)) {
        return found;
    }
    return find_mp_pointer(bios_begin, bios_end - bios_begin);
}

}  // namespace

u32 find_rsdp(u64 given) {
    return given != 0 && given <= 0xffffffff ? static_cast<u32>(given) : scan_for_rsdp();
}

void report_acpi(u64 given) {
    report::fact("rsdp", "given", given);
    report::fact("rsdp", "found", scan_for_rsdp());
    const u32 rsdp = find_rsdp(given);
    if (rsdp == 0 || !is_text(rsdp, "RSD PTR ")) {
        return;
    }
    const bool extended = load<u8>(rsdp + 15) >= 2;
    report::memory("rsdp", rsdp, extended ? rsdp_v2_size : rsdp_v1_size);
    if (extended && load<u64>(rsdp + 24) != 0) {
        report_root("xsdt", static_cast<u32>(load<u64>(rsdp + 24)), 8);
    } else {
        report_root("rsdt", load<u32>(rsdp + 16), 4);
    }
}

void report_smbios() {
    for (u32 at = bios_begin; at < bios_end; at += paragraph) {
        if (is_text(at, "_SM_") && byte_sum(at, load<u8>(at + 5)) == 0) {
            report::memory("smbios2", at, load<u8>(at + 5));
            report::memory("smbios2_table", load<u32>(at + 0x18), load<u16>(at + 0x16));
        }
        if (is_text(at, "_SM3_") && byte_sum(at, load<u8>(at + 6)) == 0) {
            report::memory("smbios3", at, load<u8>(at + 6));
            const u32 size = load<u32>(at + 0x0c);
            report::memory("smbios3_table", load<u32>(at + 0x10),
                           size < longest_table ? size : longest_table);
        }
    }
}

u32 find_bios32() {
    for (u32 at = extended_bios_begin; at < bios_end; at += paragraph) {
        if (is_text(at, "_32_") && byte_sum(at, load<u8>(at + 9) * paragraph) == 0) {
            return at;
        }
    }
    return 0;
}

void report_bios() {
    if (const u32 at = find_bios32()) {
        report::memory("bios32", at, paragraph);
    }
    for (u32 at = bios_begin; at < bios_end; at += paragraph) {
        if (is_text(at, "$PIR") && byte_sum(at, load<u16>(at + 6)) == 0) {
            report::memory("pir", at, load<u16>(at + 6));
        }
    }
}

u32 mp_table() {
    const u32 pointer = scan_for_mp_pointer();
    return pointer == 0 ? 0 : load<u32>(pointer + 4);
}

void report_mp() {
    const u32 pointer = scan_for_mp_pointer();
    report::fact("mp", "pointer", pointer);
    if (pointer == 0) {
        return;
    }
    report::memory("mp_pointer", pointer, paragraph);
    const u32 table = load<u32>(pointer + 4);
    if (table != 0) {
        report::memory("mp_table", table, load<u16>(table + 4) + load<u16>(table + 0x28));
    }
}

}  // namespace tables
