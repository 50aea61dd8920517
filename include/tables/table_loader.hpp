// SPDX-License-Identifier: MIT
// Places and links QEMU's ACPI tables by its script (abi/table_loader.hpp).
#pragma once

#include "abi/acpi.hpp"
#include "abi/table_loader.hpp"
#include "core/arena.hpp"
#include "core/checksum.hpp"
#include "hw/fw_cfg.hpp"
#include "tables/memory_map.hpp"

namespace mayfly::tables {

inline constexpr char script_file[] = "etc/table-loader";
inline constexpr char tables_file[] = "etc/acpi/tables";
inline constexpr char rsdp_file[] = "etc/acpi/rsdp";

/// An address that QEMU was told, and forgets at a reset; with those told before it.
struct told_pointer {
    const told_pointer* next;
    hw::file to;
    u32 offset;
    u32 address;
    u32 size;
};

/// What is left of a run: the RSDP and the tables, each empty where there is none.
struct acpi_tables {
    bytes rsdp;
    const_bytes tables;
};

/// The end of what the script's checksums cover in tables_file, 0 where they cover nothing. QEMU
/// pads its tables to 128 KiB on pc and q35; every table but the first (the FACS) has a checksum
/// command, and the last one is the RSDT or XSDT, so what lies behind the named end means nothing
/// (QEMU hw/i386/acpi-build.c).
u32 named_end(span<const abi::loader_entry> script);

/// The first table with this signature, or an empty span. Walks by the tables' own lengths.
const_bytes find_table(const_bytes tables, u32 signature);

/// Runs the script. `Files` finds, reads and writes fw_cfg files (hw::fw_cfg).
template <typename Files>
class table_loader {
  public:
    /// `low` serves the zone below 1 MiB and working memory, `map` everything else.
    table_loader(Files& files, memory_map& map, memory ram, arena& low)
        : files_(files), map_(map), ram_(ram), low_(low) {}

    /// Runs the whole script, if there is one. Stops with the sentence of the first command that
    /// cannot be followed; unknown commands are skipped.
    [[gnu::always_inline]] acpi_tables run() {
        const hw::file script = files_.find(script_file);
        if (script.size == 0)
            return {};
        read_script(script);
        for (const auto& entry : script_)
            execute(entry);
        return result_;
    }

    /// The last of the addresses that run() told QEMU, or null.
    const told_pointer* told() const { return told_; }

  private:
    /// A file that the script has placed; the last one first.
    struct placed_file {
        const placed_file* next;
        text name;
        bytes content;
    };

    void read_script(hw::file from) {
        if (from.size % sizeof(abi::loader_entry) != 0)
            fail(sentences::part_of_entry, script_file, from.size, sizeof(abi::loader_entry));
        const u32 where = take_or_claim(script_file, from.size, claimed_ram, low_, map_);
        const bytes content = ram_.at(where, from.size);
        files_.read(from, content);
        script_ = {reinterpret_cast<const abi::loader_entry*>(content.data()),
                   from.size / sizeof(abi::loader_entry)};
    }

    void execute(const abi::loader_entry& entry) {
        switch (static_cast<abi::loader_command>(u32{entry.command})) {
            case abi::loader_command::allocate:
                return allocate(entry.allocate);
            case abi::loader_command::add_pointer:
                return add_pointer(entry.add_pointer);
            case abi::loader_command::add_checksum:
                return add_checksum(entry.add_checksum);
            case abi::loader_command::write_pointer:
                return write_pointer(entry.write_pointer);
        }
    }

    void allocate(const abi::loader_allocate& command) {
        const text name = text::from_field(command.file);
        if (find_placed(command.file) != nullptr)
            fail(sentences::allocated_twice, name);
        if (!is_power_of_two(command.alignment))
            fail(sentences::bad_alignment, name, command.alignment);
        const hw::file file = files_.require(name);
        u32 size = file.size;
        // The FACS is in the tables and the guest writes to it; everything else that is not a
        // table is shared with QEMU and must not be saved and restored by the guest either.
        auto type = memory_type::reserved;
        const bool is_tables = name == tables_file;
        if (is_tables) {
            type = memory_type::nvs;
            if (size > page_size)
                size = named_size(size);
        }
        const bytes content = place(command, name, size, type);
        files_.read(file, content);
        auto& placed = *reinterpret_cast<placed_file*>(low_.take(sizeof(placed_file)).data());
        placed = {placed_, name, content};
        placed_ = &placed;
        if (is_tables)
            result_.tables = content;
        if (name == rsdp_file)
            result_.rsdp = content;
    }

    /// What of tables_file means anything, of `size` bytes.
    u32 named_size(u32 size) const {
        const u32 end = named_end(script_);
        return end != 0 && end < size ? end : size;
    }

    bytes place(const abi::loader_allocate& command, text name, u32 size, memory_type type) {
        const u32 alignment = command.alignment;
        if (command.zone == static_cast<u8>(abi::loader_zone::f_segment)) {
            const bytes content = low_.allocate(size, alignment);
            if (content.size() != size)
                fail(sentences::no_room, name, 1, size, alignment);
            return content;
        }
        constexpr u8 high = static_cast<u8>(abi::loader_zone::high);
        if (command.zone != high)
            fail(sentences::bad_zone, name, command.zone, high + 1);
        if (size == 0)
            return {};
        return ram_.at(map_.claim_for(name, size, alignment, type), size);
    }

    const placed_file* find_placed(const abi::file_name& name) const {
        const placed_file* placed = placed_;
        while (placed != nullptr && !hw::is_named(name, placed->name))
            placed = placed->next;
        return placed;
    }

    const placed_file& require_placed(const abi::file_name& name) const {
        const placed_file* found = find_placed(name);
        if (found == nullptr)
            fail(sentences::not_allocated, text::from_field(name));
        return *found;
    }

    u32 address_of(const placed_file& placed) const {
        return ram_.address_of(placed.content.data());
    }

    static void check_pointer_size(text file, u32 size) {
        constexpr u32 sizes = 1u << 1 | 1u << 2 | 1u << 4 | 1u << 8;
        if (size > 8 || (sizes >> size & 1) == 0)
            fail(sentences::pointer_size, file, size);
    }

    void add_pointer(const abi::loader_add_pointer& command) {
        const placed_file& destination = require_placed(command.destination);
        const placed_file& source = require_placed(command.source);
        const u32 size = command.size;
        check_pointer_size(destination.name, size);
        const bytes content = destination.content;
        if (!content.contains(command.offset, size))
            fail(sentences::outside_file, destination.name, command.offset, size, content.size());
        const u32 address = address_of(source);
        u8* part = content.data() + command.offset;
        const u8* end = part + size;
        u32 carry = address;
        if (size >= sizeof carry) {
            auto& low = *reinterpret_cast<le32*>(part);
            u32 sum;
            carry = __builtin_add_overflow(u32{low}, carry, &sum) ? 1 : 0;
            low = sum;
            part += sizeof low;
        }
        for (; carry != 0; carry >>= 8) {
            if (part == end)
                fail(sentences::pointer_too_narrow, destination.name, address, size);
            carry += *part;
            *part++ = static_cast<u8>(carry);
        }
    }

    void add_checksum(const abi::loader_add_checksum& command) {
        const placed_file& file = require_placed(command.file);
        const bytes content = file.content;
        u32 outside = command.offset;
        if (outside < content.size()) {
            outside = command.start;
            if (content.contains(outside, command.length)) {
                u8& sum = content[command.offset];
                sum = static_cast<u8>(sum - byte_sum({content.data() + outside, command.length}));
                return;
            }
        }
        fail(sentences::outside_file, file.name, outside, command.length, content.size());
    }

    void write_pointer(const abi::loader_write_pointer& command) {
        const text name = text::from_field(command.destination);
        const hw::file destination = files_.require(name);
        const placed_file& source = require_placed(command.source);
        const u32 size = command.size;
        check_pointer_size(name, size);
        const u32 offset = command.destination_offset;
        if (offset > destination.size || size > destination.size - offset)
            fail(sentences::outside_file, name, offset, size, destination.size);
        if (command.source_offset >= source.content.size())
            fail(sentences::outside_file, source.name, command.source_offset, 1,
                 source.content.size());
        const u32 address = address_of(source) + command.source_offset;
        if (size < sizeof address && address >> (8 * size) != 0)
            fail(sentences::pointer_too_narrow, name, address, size);
        files_.write(destination, offset, address, size);
        auto& told = *reinterpret_cast<told_pointer*>(low_.take(sizeof(told_pointer)).data());
        told = {told_, destination, offset, address, size};
        told_ = &told;
    }

    Files& files_;
    memory_map& map_;
    [[no_unique_address]] memory ram_;
    arena& low_;
    span<const abi::loader_entry> script_;
    const placed_file* placed_ = nullptr;
    const told_pointer* told_ = nullptr;
    acpi_tables result_;
};

}  // namespace mayfly::tables
