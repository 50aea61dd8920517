// SPDX-License-Identifier: MIT
#include "tables/table_loader.hpp"

namespace mayfly::tables {

u64 named_end(span<const abi::loader_entry> script, const text& file) {
    u64 last = 0;
    const auto include = [&](const abi::file_name& name, u64 end) {
        if (end > last && hw::is_named(name, file))
            last = end;
    };
    for (const auto& entry : script) {
        switch (static_cast<abi::loader_command>(u32{entry.command})) {
            case abi::loader_command::add_pointer:
                include(entry.add_pointer.destination,
                        u64{entry.add_pointer.offset} + entry.add_pointer.size);
                break;
            case abi::loader_command::add_checksum:
                include(entry.add_checksum.file,
                        u64{entry.add_checksum.start} + entry.add_checksum.length);
                include(entry.add_checksum.file, u64{entry.add_checksum.offset} + 1);
                break;
            case abi::loader_command::allocate:
            case abi::loader_command::write_pointer:
                break;
        }
    }
    return last;
}

const_bytes find_table(const_bytes tables, u32 signature) {
    usize at = 0;
    while (const auto* header = view<abi::acpi_header>(tables, at)) {
        const const_bytes table = tables.part(at, header->length);
        if (table.size() < 8)
            break;
        if (header->signature == signature)
            return table;
        at += table.size();
    }
    return {};
}

}  // namespace mayfly::tables
