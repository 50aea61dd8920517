// SPDX-License-Identifier: MIT
// Places and links QEMU's ACPI tables by its script (abi/table_loader.hpp).
#pragma once

#include "abi/acpi.hpp"
#include "abi/table_loader.hpp"
#include "core/arena.hpp"
#include "core/checksum.hpp"
#include "hw/fw_cfg.hpp"
#include "tables/address_space.hpp"

namespace mayfly::tables {

inline constexpr text script_file = "etc/table-loader";
inline constexpr text tables_file = "etc/acpi/tables";
inline constexpr text rsdp_file = "etc/acpi/rsdp";

/// A file that the script has placed.
struct placed_file {
    text name;
    bytes content;
};

/// What is left of a run: where the RSDP is (0: none) and the tables (empty: none).
struct acpi_tables {
    u32 rsdp = 0;
    const_bytes tables;
};

/// The end of what the script's checksums cover in `file`. QEMU pads its tables to 128 KiB on pc
/// and q35; every table but the first (the FACS) has a checksum command, and the last one is the
/// RSDT or XSDT, so what lies behind the named end means nothing (QEMU hw/i386/acpi-build.c).
u64 named_end(span<const abi::loader_entry> script, const text& file);

/// The first table with this signature, or an empty span. Walks by the tables' own lengths.
const_bytes find_table(const_bytes tables, u32 signature);

/// Runs the script. `Files` finds, reads and writes fw_cfg files (hw::fw_cfg).
template <typename Files>
class table_loader {
  public:
    /// `low` serves the zone below 1 MiB and working memory, `space` everything else.
    table_loader(Files& files, address_space& space, memory ram, arena& low)
        : files_(files), space_(space), ram_(ram), low_(low) {}

    /// Runs the whole script, if there is one. Fails with the sentence of the first command that
    /// cannot be followed; unknown commands are skipped.
    result<acpi_tables> run() {
        const auto script_at = TRY(files_.find(script_file));
        if (!script_at.present || script_at.what.size == 0)
            return acpi_tables{};
        script_ = TRY(read_script(script_at.what));
        const u32 needed = count_allocations() * static_cast<u32>(sizeof(placed_file));
        const auto room = low_.allocate(needed);
        if (room.size() != needed)
            return make_fault(sentences::work_area_full, needed, low_.room());
        placed_ = reinterpret_cast<placed_file*>(room.data());
        for (const auto& entry : script_)
            TRY(execute(entry));
        return result_;
    }

  private:
    result<span<const abi::loader_entry>> read_script(hw::file from) {
        if (from.size % sizeof(abi::loader_entry) != 0)
            return make_fault(sentences::script_size, from.size, sizeof(abi::loader_entry));
        bytes content;
        if (from.size <= low_.room() / 2) {
            content = low_.allocate(from.size);
        } else {
            // Only for the time of the boot: the guest's map does not know of it.
            const range where =
                space_.free.find_highest(from.size, page_size, four_gib, memory_type::ram);
            if (where.empty())
                return make_fault(sentences::script_no_room, from.size);
            TRY(space_.free.set(where, memory_type::none));
            content = ram_.at(static_cast<u32>(where.begin), from.size);
        }
        TRY(files_.read(from, content));
        return span<const abi::loader_entry>(
            reinterpret_cast<const abi::loader_entry*>(content.data()),
            from.size / sizeof(abi::loader_entry));
    }

    u32 count_allocations() const {
        u32 count = 0;
        for (const auto& entry : script_)
            count += entry.command == static_cast<u32>(abi::loader_command::allocate) ? 1 : 0;
        return count;
    }

    outcome execute(const abi::loader_entry& entry) {
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
        return {};
    }

    outcome allocate(const abi::loader_allocate& command) {
        const text name = text::from_field(command.file);
        if (find_placed(command.file) != nullptr)
            return make_fault(sentences::allocated_twice, name);
        if (!is_power_of_two(command.alignment))
            return make_fault(sentences::bad_alignment, name, command.alignment);
        const hw::file file = TRY(files_.require(name));
        const bool is_tables = name == tables_file;
        u32 size = file.size;
        if (is_tables) {
            const u64 end = named_end(script_, tables_file);
            if (end != 0 && end < size)
                size = static_cast<u32>(end);
        }
        const bytes content = TRY(place(command, name, size, is_tables));
        TRY(files_.read(file, content));
        placed_[placed_count_++] = {name, content};
        if (is_tables)
            result_.tables = content;
        if (name == rsdp_file)
            result_.rsdp = ram_.address_of(content.data());
        return {};
    }

    result<bytes> place(const abi::loader_allocate& command, text name, u32 size, bool is_tables) {
        if (command.zone == static_cast<u8>(abi::loader_zone::f_segment)) {
            const bytes content = low_.allocate(size, command.alignment);
            if (content.size() != size)
                return make_fault(sentences::no_room_low, name, size, command.alignment);
            return content;
        }
        if (command.zone != static_cast<u8>(abi::loader_zone::high)) {
            return make_fault(sentences::bad_zone, name, command.zone,
                              static_cast<u32>(abi::loader_zone::f_segment));
        }
        if (size == 0)
            return bytes{};
        // The FACS is in the tables and the guest writes to it; everything else that is not a
        // table is shared with QEMU and must not be saved and restored by the guest either.
        const auto type = is_tables ? memory_type::nvs : memory_type::reserved;
        const range where = TRY(space_.claim_high(size, command.alignment, type));
        if (where.empty())
            return make_fault(sentences::no_room_high, name, size, command.alignment);
        return ram_.at(static_cast<u32>(where.begin), size);
    }

    const placed_file* find_placed(const abi::file_name& name) const {
        for (u32 i = 0; i < placed_count_; i++) {
            if (hw::is_named(name, placed_[i].name))
                return &placed_[i];
        }
        return nullptr;
    }

    result<const placed_file*> require_placed(const abi::file_name& name) const {
        const placed_file* found = find_placed(name);
        if (found == nullptr)
            return make_fault(sentences::not_allocated, text::from_field(name));
        return found;
    }

    /// Adds `value` to the little-endian integer `field` of 1, 2, 4 or 8 bytes.
    static outcome add(bytes field, text file, u32 value) {
        u64 sum = 0;
        __builtin_memcpy(&sum, field.data(), field.size());
        sum += value;
        if (field.size() < 8 && sum >> (8 * field.size()) != 0)
            return make_fault(sentences::pointer_too_narrow, file, static_cast<u32>(value),
                              field.size());
        __builtin_memcpy(field.data(), &sum, field.size());
        return {};
    }

    static bool is_pointer_size(u8 size) { return is_power_of_two(size) && size <= 8; }

    outcome add_pointer(const abi::loader_add_pointer& command) {
        const placed_file* destination = TRY(require_placed(command.destination));
        const placed_file* source = TRY(require_placed(command.source));
        if (!is_pointer_size(command.size))
            return make_fault(sentences::pointer_size, destination->name, command.size);
        const bytes field = destination->content.part(command.offset, command.size);
        if (field.empty()) {
            return make_fault(sentences::pointer_outside, destination->name, command.offset,
                              destination->content.size());
        }
        return add(field, destination->name, ram_.address_of(source->content.data()));
    }

    outcome add_checksum(const abi::loader_add_checksum& command) {
        const placed_file* file = TRY(require_placed(command.file));
        const bytes covered = file->content.part(command.start, command.length);
        const bytes sum = file->content.part(command.offset, 1);
        if (sum.empty() || (covered.empty() && command.length != 0)) {
            const bool byte_is_outside = sum.empty();
            return make_fault(sentences::checksum_outside, file->name,
                              byte_is_outside ? command.offset : command.start, command.length,
                              file->content.size());
        }
        sum[0] = static_cast<u8>(sum[0] - byte_sum(covered));
        return {};
    }

    outcome write_pointer(const abi::loader_write_pointer& command) {
        const text name = text::from_field(command.destination);
        const hw::file destination = TRY(files_.require(name));
        const placed_file* source = TRY(require_placed(command.source));
        if (!is_pointer_size(command.size))
            return make_fault(sentences::pointer_size, name, command.size);
        const u64 end = u64{command.destination_offset} + command.size;
        if (end > destination.size)
            return make_fault(sentences::pointer_outside, name, command.destination_offset,
                              destination.size);
        if (command.source_offset >= source->content.size())
            return make_fault(sentences::pointer_outside, source->name, command.source_offset,
                              source->content.size());
        const bytes value = low_.allocate(sizeof(u64));
        if (value.empty())
            return make_fault(sentences::work_area_full, sizeof(u64), low_.room());
        store<u64>(value, 0, 0);
        const bytes field = value.part(0, command.size);
        TRY(add(field, name, ram_.address_of(source->content.data()) + command.source_offset));
        return files_.write(destination, command.destination_offset, field);
    }

    Files& files_;
    address_space& space_;
    memory ram_;
    arena& low_;
    span<const abi::loader_entry> script_;
    placed_file* placed_ = nullptr;
    u32 placed_count_ = 0;
    acpi_tables result_;
};

}  // namespace mayfly::tables
