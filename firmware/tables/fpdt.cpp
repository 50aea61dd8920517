// SPDX-License-Identifier: MIT
#include "tables/fpdt.hpp"

#include "core/tick_scale.hpp"

namespace mayfly::tables {
namespace {

/// What stays for the guest: the table, and what it points to.
struct performance_data {
    abi::fpdt table;
    abi::basic_boot_table boot;
};

/// All of it but addresses and times, so that it is copied and not computed.
constexpr performance_data make_form() {
    performance_data form = {
        {{.signature = abi::signature("FPDT"),
          .length = sizeof(abi::fpdt),
          .revision = 1,
          .checksum = 0,
          .oem_id = {'M', 'A', 'Y', 'F', 'L', 'Y'},
          .oem_table_id = {'M', 'A', 'Y', 'F', 'L', 'Y', 'F', 'P'},
          .oem_revision = 1,
          .creator_id = abi::signature("MYFL"),
          .creator_revision = 1},
         {abi::basic_boot_pointer_type, 16, 1},
         0,
         0},
        {abi::signature("FBPT"),
         sizeof(abi::basic_boot_table),
         {{abi::basic_boot_type, sizeof(abi::basic_boot_record), 2}, 0, 0, 0, 0, 0, 0},
         {{abi::firmware_vendor_type, sizeof(abi::boot_steps_record), 1}, 0, 0, {}}}};
    struct raw {
        u8 bytes[sizeof(abi::fpdt)];
    };
    u32 sum = 0;
    for (const u8 byte : __builtin_bit_cast(raw, form.table).bytes)
        sum += byte;
    form.table.header.checksum = static_cast<u8>(0 - sum);
    return form;
}
constexpr performance_data form = make_form();

/// Changes a field that `checksum` covers.
[[gnu::noinline]] void change(le32& field, u32 value, u8& checksum) {
    const auto sum = [](u32 word) { return word + (word >> 8) + (word >> 16) + (word >> 24); };
    checksum = static_cast<u8>(checksum + sum(field) - sum(value));
    field = value;
}

/// The low half of a field, the high half of which is 0 and stays so.
le32& low_half(le64& field) {
    return reinterpret_cast<le32&>(field);
}

/// Makes `copy` one of the RSDT or XSDT at `root`, longer by an entry, or leaves it empty where
/// `root` is 0. False where that is no table of the script's, or has no room.
bool copy_longer(u64 root, u32 entry_size, const acpi_tables& acpi, arena& low, bytes& copy) {
    if (root == 0)
        return true;
    const u64 offset = root - low.address_of(acpi.tables.data());
    const usize at = offset < acpi.tables.size() ? static_cast<usize>(offset) : acpi.tables.size();
    const auto* header = view<abi::acpi_header>(acpi.tables, at);
    if (header == nullptr)
        return false;
    const u32 length = header->length;
    if (length < sizeof *header || !acpi.tables.contains(at, length))
        return false;
    copy = low.allocate(length + entry_size, 16);
    if (copy.empty())
        return false;
    __builtin_memcpy(copy.data(), header, length);
    return true;
}

/// Fills the last entry of a longer copy, if there is one, and has `root` lead to it.
void link_copy(bytes copy, u32 entry_size, u32 table, const arena& low, le32& root, u8& checksum) {
    if (copy.empty())
        return;
    auto& header = as<abi::acpi_header>(copy);
    auto* entry = reinterpret_cast<le32*>(copy.end() - entry_size);
    *entry = 0;
    if (entry_size == sizeof(u64))
        entry[1] = 0;
    change(*entry, table, header.checksum);
    change(header.length, static_cast<u32>(copy.size()), header.checksum);
    change(root, low.address_of(copy.data()), checksum);
}

void link(u32 table, const acpi_tables& acpi, arena& low) {
    auto* first = view<abi::rsdp_1>(acpi.rsdp);
    if (first == nullptr)
        return;
    auto* second = first->revision == 0 ? nullptr : view<abi::rsdp_2>(acpi.rsdp);
    bytes rsdt, xsdt;
    if (!copy_longer(first->rsdt, sizeof(u32), acpi, low, rsdt) ||
        (second != nullptr && !copy_longer(second->xsdt, sizeof(u64), acpi, low, xsdt)))
        return;
    // The checksum of the first part has its sum stay, and that of the whole with it.
    link_copy(rsdt, sizeof(u32), table, low, first->rsdt, first->checksum);
    if (second != nullptr)
        link_copy(xsdt, sizeof(u64), table, low, low_half(second->xsdt), second->extended_checksum);
}

void write_times(abi::basic_boot_table& table, const timeline& times, u32 tsc_khz) {
    const tick_scale scale(tsc_khz);
    const u64 reset = times.tsc[static_cast<u32>(step::reset)];
    table.steps.tsc_khz = tsc_khz;
    table.steps.tsc_at_reset = reset;
    for (u32 i = 1; i < abi::boot_steps; i++)
        table.steps.nanoseconds[i] = scale.nanoseconds(times.tsc[i] - reset);
    // The firmware itself is the loader: there when the reading begins, done when it enters. ACPI
    // has the load of the loader, and for other firmware than UEFI the exit from boot services, be
    // 0; systemd takes no table in which the latter is.
    table.basic.start_image_start = table.steps.nanoseconds[static_cast<u32>(step::loading)];
    const le64 entry = table.steps.nanoseconds[static_cast<u32>(step::entry)];
    table.basic.exit_boot_services_entry = entry;
    table.basic.exit_boot_services_exit = entry;
}

}  // namespace

void publish_fpdt(const timeline& times, u32 tsc_khz, const acpi_tables& acpi, arena& low) {
    const bytes room = low.allocate(sizeof(performance_data), 16);
    if (room.empty())
        return;
    auto& data = as<performance_data>(room);
    data = form;
    write_times(data.boot, times, tsc_khz);
    change(low_half(data.table.basic_boot_table), low.address_of(&data.boot),
           data.table.header.checksum);
    link(low.address_of(&data.table), acpi, low);
}

}  // namespace mayfly::tables
