// SPDX-License-Identifier: MIT
#include "tables/table_loader.hpp"

namespace mayfly::tables {

u32 named_end(span<const abi::loader_entry> script) {
    u32 last = 0;
    for (const auto& entry : script) {
        if (entry.command != static_cast<u32>(abi::loader_command::add_checksum))
            continue;
        const auto& sum = entry.add_checksum;
        const u32 end = sum.start + sum.length;
        if (end > last && end >= sum.start && hw::is_named(sum.file, tables_file))
            last = end;
    }
    return last;
}

const_bytes find_table(const_bytes tables, u32 signature) {
    usize at = 0;
    while (const auto* header = view<abi::acpi_header>(tables, at)) {
        const const_bytes table = tables.part(at, header->length);
        if (table.size() < sizeof(abi::acpi_header))
            break;
        if (header->signature == signature)
            return table;
        at += table.size();
    }
    return {};
}

}  // namespace mayfly::tables
