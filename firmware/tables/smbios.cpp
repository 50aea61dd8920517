// SPDX-License-Identifier: MIT
#include "tables/smbios.hpp"

#include "core/fault.hpp"
#include "core/sentences.hpp"
#include "core/version.hpp"

namespace mayfly::tables {
namespace {

/// Each ended by NUL, the set by one more: the literal's own.
constexpr char bios_strings[] = MAYFLY_NAME "\0" MAYFLY_VERSION "\0" MAYFLY_DATE "\0";

constexpr abi::smbios_bios_information bios_information = {
    .header = {.type = abi::smbios_bios_information_type,
               .length = sizeof(abi::smbios_bios_information),
               .handle = 0},
    .vendor = 1,
    .version = 2,
    .start_segment = 0xf000,
    .release_date = 3,
    .rom_size = 0,               // 64 KiB
    .characteristics = 1u << 3,  // characteristics are not supported: nothing else is claimed
    .characteristics_extension = {0, 1u << 4},  // virtual machine
    .major_release = MAYFLY_MAJOR,
    .minor_release = MAYFLY_MINOR,
    .controller_major_release = 0xff,  // no embedded controller
    .controller_minor_release = 0xff,
};

/// Where the strings behind a structure end: after the first two NULs in a row at or behind `at`.
/// Looks at every second byte, because one of two NULs in a row is among them.
usize end_of_strings(const_bytes structures, usize at) {
    for (usize i = at + 1; i < structures.size(); i += 2) {
        if (structures[i] != 0)
            continue;
        if (structures[i - 1] == 0)
            return i + 1;
        if (i + 1 < structures.size() && structures[i + 1] == 0)
            return i + 2;
    }
    return structures.size();
}

}  // namespace

u32 bios_information_size() {
    return sizeof bios_information + sizeof bios_strings;
}

void write_bios_information(bytes to) {
    store(to, 0, bios_information);
    __builtin_memcpy(to.data() + sizeof bios_information, bios_strings, sizeof bios_strings);
}

bool has_bios_information(const_bytes structures) {
    usize at = 0;
    while (const auto* structure = view<abi::smbios_structure>(structures, at)) {
        if (structure->type == abi::smbios_bios_information_type)
            return true;
        if (structure->type == abi::smbios_end_of_table_type)
            return false;
        if (structure->length < sizeof(abi::smbios_structure))
            return false;
        at = end_of_strings(structures, at + structure->length);
    }
    return false;
}

void finish_smbios_anchor(bytes anchor, u32 address, u32 length, u32 added) {
    if (anchor.size() == sizeof(abi::smbios_entry_point_30)) {
        auto& entry = as<abi::smbios_entry_point_30>(anchor);
        entry.max_table_length = length;
        entry.table_address = address;
        entry.checksum = 0;
        entry.checksum = checksum(anchor);
        return;
    }
    if (anchor.size() != sizeof(abi::smbios_entry_point_21))
        fail(sentences::smbios_anchor, anchor.size());
    if (length > 0xffff)
        fail(sentences::smbios_too_large, length, 0xffff);
    auto& entry = as<abi::smbios_entry_point_21>(anchor);
    entry.table_length = static_cast<u16>(length);
    entry.table_address = address;
    if (added != 0)
        entry.structure_count = static_cast<u16>(entry.structure_count + 1);
    if (entry.max_structure_size < added)
        entry.max_structure_size = static_cast<u16>(added);
    constexpr usize intermediate =
        __builtin_offsetof(abi::smbios_entry_point_21, intermediate_anchor);
    entry.intermediate_checksum = 0;
    entry.intermediate_checksum = checksum(anchor.part(intermediate, anchor.size() - intermediate));
    entry.checksum = 0;
    entry.checksum = checksum(anchor);
}

}  // namespace mayfly::tables
