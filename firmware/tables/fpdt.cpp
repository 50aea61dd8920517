// SPDX-License-Identifier: MIT
#include "tables/fpdt.hpp"

#include "hw/tsc.hpp"

namespace mayfly::tables {
namespace {

void set_checksum(u8& checksum, const_bytes of) {
    checksum = 0;
    checksum = static_cast<u8>(0 - byte_sum(of));
}

/// An RSDT or XSDT of the script's, and its entries' size.
struct root_table {
    u64 address;
    u32 entry_size;
};

/// A copy of `root` in `low`, longer by an entry. Empty where that is no table, or has no room.
bytes longer_copy(const root_table& root, const acpi_tables& acpi, arena& low) {
    const u64 offset = root.address - low.address_of(acpi.tables.data());
    const usize at = offset < acpi.tables.size() ? static_cast<usize>(offset) : acpi.tables.size();
    const auto* header = view<abi::acpi_header>(acpi.tables, at);
    if (header == nullptr)
        return {};
    const u32 length = header->length;
    if (length < sizeof *header || !acpi.tables.contains(at, length))
        return {};
    const bytes copy = low.allocate(length + root.entry_size, 16);
    if (!copy.empty())
        __builtin_memcpy(copy.data(), header, length);
    return copy;
}

/// Fills the last entry of a longer copy.
void end_with(bytes copy, u32 entry_size, u32 table) {
    u8* entry = copy.end() - entry_size;
    __builtin_memset(entry, 0, entry_size);
    reinterpret_cast<le32&>(*entry) = table;
    auto& header = *view<abi::acpi_header>(copy);
    header.length = static_cast<u32>(copy.size());
    set_checksum(header.checksum, copy);
}

void link(u32 table, const acpi_tables& acpi, arena& low) {
    auto* first = view<abi::rsdp_1>(acpi.rsdp);
    if (first == nullptr)
        return;
    auto* second = first->revision == 0 ? nullptr : view<abi::rsdp_2>(acpi.rsdp);
    const root_table roots[] = {{first->rsdt, sizeof(u32)},
                                {second == nullptr ? u64{0} : u64{second->xsdt}, sizeof(u64)}};
    bytes copies[2];
    for (u32 i = 0; i < 2; i++) {
        if (roots[i].address == 0)
            continue;
        copies[i] = longer_copy(roots[i], acpi, low);
        if (copies[i].empty())
            return;
    }
    for (u32 i = 0; i < 2; i++) {
        if (copies[i].empty())
            continue;
        end_with(copies[i], roots[i].entry_size, table);
        const u32 address = low.address_of(copies[i].data());
        if (i == 0)
            first->rsdt = address;
        else
            second->xsdt = address;
    }
    set_checksum(first->checksum, acpi.rsdp.part(0, sizeof *first));
    if (second != nullptr)
        set_checksum(second->extended_checksum, acpi.rsdp.part(0, sizeof *second));
}

/// What stays for the guest: the table, and what it points to.
struct performance_data {
    abi::fpdt table;
    abi::basic_boot_table boot;
};

void write_header(abi::fpdt& table, u32 boot_table) {
    constexpr char oem[] = "MAYFLY", oem_table[] = "MAYFLYFP";
    __builtin_memset(&table, 0, sizeof table);
    table.header.signature = abi::signature("FPDT");
    table.header.length = sizeof table;
    table.header.revision = 1;
    __builtin_memcpy(table.header.oem_id, oem, sizeof table.header.oem_id);
    __builtin_memcpy(table.header.oem_table_id, oem_table, sizeof table.header.oem_table_id);
    table.header.oem_revision = 1;
    table.header.creator_id = abi::signature("MYFL");
    table.header.creator_revision = 1;
    table.record = {abi::basic_boot_pointer_type, 16, 1};
    table.basic_boot_table = boot_table;
    set_checksum(table.header.checksum, {reinterpret_cast<const u8*>(&table), sizeof table});
}

void write_boot_table(abi::basic_boot_table& table, const abi::boot_steps_record& steps) {
    const auto at = [&steps](step done) { return steps.nanoseconds[static_cast<u32>(done)]; };
    // The firmware itself is the loader: there when the reading begins, done when it enters.
    const le64 loader = at(step::loading), entry = at(step::entry);
    table.signature = abi::signature("FBPT");
    table.length = sizeof table;
    table.basic = {{abi::basic_boot_type, sizeof table.basic, 2},
                   0,
                   at(step::reset),
                   loader,
                   loader,
                   entry,
                   entry};
    table.steps = steps;
}

}  // namespace

abi::boot_steps_record steps_in_nanoseconds(const timeline& times, u32 tsc_khz) {
    const u64 reset = times.tsc[static_cast<u32>(step::reset)];
    abi::boot_steps_record steps = {
        {abi::firmware_vendor_type, sizeof steps, 1}, tsc_khz, reset, {}};
    for (u32 i = 0; i < abi::boot_steps; i++)
        steps.nanoseconds[i] = hw::nanoseconds(times.tsc[i] - reset, tsc_khz);
    return steps;
}

void publish_fpdt(const abi::boot_steps_record& steps, const acpi_tables& acpi, arena& low) {
    const bytes room = low.allocate(sizeof(performance_data), 16);
    if (room.empty())
        return;
    auto& data = *view<performance_data>(room);
    write_boot_table(data.boot, steps);
    write_header(data.table, low.address_of(&data.boot));
    link(low.address_of(&data.table), acpi, low);
}

}  // namespace mayfly::tables
