// SPDX-License-Identifier: MIT
#include "tables/fpdt.hpp"

namespace mayfly::tables {
namespace {

void set_checksum(u8& checksum, const_bytes of) {
    checksum = 0;
    checksum = static_cast<u8>(0 - byte_sum(of));
}

/// A copy of the root table at `address`, with room for one entry more. Empty where that is none.
template <typename Entry>
bytes longer_copy(u64 address, const acpi_tables& acpi, arena& low) {
    const u64 offset = address - low.address_of(acpi.tables.data());
    const usize at = offset < acpi.tables.size() ? static_cast<usize>(offset) : acpi.tables.size();
    const auto* header = view<abi::acpi_header>(acpi.tables, at);
    if (header == nullptr)
        return {};
    const u32 length = header->length;
    const const_bytes table = acpi.tables.part(at, length);
    if (table.size() < sizeof(abi::acpi_header))
        return {};
    const bytes copy = low.allocate(length + sizeof(Entry), 16);
    if (!copy.empty())
        __builtin_memcpy(copy.data(), table.data(), length);
    return copy;
}

/// Fills the last entry of a longer copy.
template <typename Entry>
void end_with(bytes root, u32 table) {
    store<Entry>(root, root.size() - sizeof(Entry), table);
    auto& header = *view<abi::acpi_header>(root);
    header.length = static_cast<u32>(root.size());
    set_checksum(header.checksum, root);
}

/// A longer copy where there is a table at all. False where there is one and no copy.
template <typename Entry>
bool prepare(u64 address, const acpi_tables& acpi, arena& low, bytes& copy) {
    if (address == 0)
        return true;
    copy = longer_copy<Entry>(address, acpi, low);
    return !copy.empty();
}

void link(u32 table, const acpi_tables& acpi, arena& low) {
    auto* first = view<abi::rsdp_1>(acpi.rsdp);
    if (first == nullptr)
        return;
    auto* second = first->revision == 0 ? nullptr : view<abi::rsdp_2>(acpi.rsdp);
    bytes rsdt, xsdt;
    if (!prepare<u32>(first->rsdt, acpi, low, rsdt) ||
        !prepare<u64>(second == nullptr ? u64{0} : u64{second->xsdt}, acpi, low, xsdt))
        return;
    if (!rsdt.empty()) {
        end_with<u32>(rsdt, table);
        first->rsdt = low.address_of(rsdt.data());
    }
    if (!xsdt.empty()) {
        end_with<u64>(xsdt, table);
        second->xsdt = low.address_of(xsdt.data());
    }
    set_checksum(first->checksum, acpi.rsdp.part(0, sizeof(abi::rsdp_1)));
    if (second != nullptr)
        set_checksum(second->extended_checksum, acpi.rsdp.part(0, sizeof(abi::rsdp_2)));
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

void write_boot_table(abi::basic_boot_table& table, const boot_times& times) {
    table.signature = abi::signature("FBPT");
    table.length = sizeof table;
    table.basic = {{abi::basic_boot_type, sizeof table.basic, 2},
                   0,
                   times.at(step::reset),
                   times.at(step::loading),
                   times.at(step::loaded),
                   times.at(step::entry),
                   times.at(step::entry)};
    table.steps.record = {abi::firmware_vendor_type, sizeof table.steps, 1};
    table.steps.tsc_khz = times.tsc_khz;
    table.steps.tsc_at_reset = times.tsc_at_reset;
    for (u32 i = 0; i < abi::boot_steps; i++)
        table.steps.nanoseconds[i] = times.nanoseconds[i];
}

}  // namespace

void publish_fpdt(const boot_times& times, const acpi_tables& acpi, arena& low) {
    const bytes room = low.allocate(sizeof(performance_data), 16);
    if (room.empty())
        return;
    auto& data = *view<performance_data>(room);
    write_boot_table(data.boot, times);
    write_header(data.table, low.address_of(&data.boot));
    link(low.address_of(&data.table), acpi, low);
}

}  // namespace mayfly::tables
