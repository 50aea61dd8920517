// SPDX-License-Identifier: MIT
#include "boot/pvh.hpp"

#include "abi/elf.hpp"

namespace mayfly::boot {
namespace {

using tables::memory_type;
using tables::range;

/// What the program headers of both ELF classes have in common.
struct segment {
    u32 type;
    u64 address;
    u64 file_size;
    u64 memory_size;
};

template <typename Program>
segment to_segment(const Program& from) {
    return {from.type, from.physical_address, from.file_size, from.memory_size};
}

/// The program headers of an ELF's first bytes.
class program_headers {
  public:
    explicit program_headers(const_bytes head) : head_(head) {
        const auto& identity = *view<abi::elf_identity>(head);
        wide_ = identity.file_class == static_cast<u8>(abi::elf_class::bits_64);
        if (wide_)
            take(*view<abi::elf64_header>(head), sizeof(abi::elf64_program_header));
        else
            take(*view<abi::elf32_header>(head), sizeof(abi::elf32_program_header));
    }

    /// Whether all of them can be read.
    outcome check() const {
        const u64 end = offset_ + u64{count_} * stride_;
        if (stride_ < least_stride_ || count_ == 0 || end < offset_ || end > head_.size())
            return make_wide_fault(sentences::elf_header, end, head_.size());
        return {};
    }

    u32 count() const { return count_; }

    segment operator[](u32 index) const {
        const u32 at = static_cast<u32>(offset_) + index * stride_;
        if (wide_)
            return to_segment(*view<abi::elf64_program_header>(head_, at));
        return to_segment(*view<abi::elf32_program_header>(head_, at));
    }

  private:
    template <typename Header>
    void take(const Header& header, u32 least_stride) {
        offset_ = header.program_headers;
        stride_ = header.program_header_size;
        count_ = header.program_header_count;
        least_stride_ = least_stride;
    }

    const_bytes head_;
    u64 offset_ = 0;
    u32 stride_ = 0;
    u32 count_ = 0;
    u32 least_stride_ = 0;
    bool wide_ = false;
};

/// True where [address, address + size) was loaded from the file by one of the segments, which
/// claim_segments() knows to be in RAM as far as they take memory.
bool is_loaded(const program_headers& headers, u64 address, u64 size) {
    for (u32 i = 0; i < headers.count(); i++) {
        const segment part = headers[i];
        const u64 loaded = part.file_size < part.memory_size ? part.file_size : part.memory_size;
        if (part.type == abi::elf_load_segment && address >= part.address &&
            address - part.address <= loaded && size <= loaded - (address - part.address))
            return true;
    }
    return false;
}

/// Notes, one behind the other; each name and descriptor is padded to 4 bytes.
bool names_linux(const_bytes notes) {
    usize at = 0;
    while (const auto* note = view<abi::elf_note>(notes, at)) {
        const usize name_at = at + sizeof(abi::elf_note);
        const u64 text_end = name_at + align_up(note->name_size, 4);
        const u64 next = text_end + align_up(note->descriptor_size, 4);
        if (next > notes.size())
            return false;
        const auto text_at = static_cast<usize>(text_end);
        const auto is = [&](usize offset, u32 size, text wanted) {
            return size == wanted.size() + 1 &&
                   has_characters(reinterpret_cast<const char*>(notes.data() + offset), wanted);
        };
        if (is(name_at, note->name_size, "Linux"))
            return true;
        if (note->type == abi::xen_note_guest_os && is(name_at, note->name_size, "Xen") &&
            is(text_at, note->descriptor_size, "linux"))
            return true;
        at = static_cast<usize>(next);
    }
    return false;
}

}  // namespace

outcome claim_segments(const_bytes head, tables::address_space& space, range firmware) {
    const program_headers headers(head);
    TRY(headers.check());
    for (u32 i = 0; i < headers.count(); i++) {
        const segment part = headers[i];
        if (part.type != abi::elf_load_segment || part.memory_size == 0)
            continue;
        const range where{part.address, part.address + part.memory_size};
        if (where.end < where.begin || !space.guest.is_all(where, memory_type::ram)) {
            const bool ours = where.begin < where.end && where.overlaps(firmware);
            return make_wide_fault(ours ? sentences::elf_on_work_area : sentences::elf_not_in_ram,
                                   part.address, part.memory_size);
        }
        TRY(space.free.set(where, memory_type::none));
    }
    return {};
}

bool is_linux(const_bytes head, memory ram) {
    const program_headers headers(head);
    for (u32 i = 0; i < headers.count(); i++) {
        const segment part = headers[i];
        if (part.type != abi::elf_note_segment ||
            !is_loaded(headers, part.address, part.file_size) || part.address > four_gib ||
            part.file_size > four_gib - part.address)
            continue;
        if (names_linux(ram.at(static_cast<u32>(part.address), static_cast<u32>(part.file_size))))
            return true;
    }
    return false;
}

result<u32> write_start_info(const pvh_handover& what, const tables::memory_map& map, arena& work) {
    const auto ranges = map.ranges();
    const bytes entries = work.allocate(ranges.size() * sizeof(abi::pvh_memory_entry));
    auto* module = work.allocate<abi::pvh_module>();
    auto* info = work.allocate<abi::pvh_start_info>();
    if (entries.empty() || module == nullptr || info == nullptr)
        return make_fault(sentences::work_area_full, sizeof(abi::pvh_start_info), work.room());
    for (usize i = 0; i < ranges.size(); i++) {
        store(entries, i * sizeof(abi::pvh_memory_entry),
              abi::pvh_memory_entry{ranges[i].where.begin, ranges[i].where.size(),
                                    static_cast<u32>(ranges[i].type), 0});
    }
    *module = {what.initrd, what.initrd_size, 0, 0};
    const bool has_module = what.initrd_size != 0;
    *info = {.magic = abi::pvh_magic,
             .version = 1,
             .flags = 0,
             .module_count = has_module ? 1u : 0u,
             .modules = has_module ? work.address_of(module) : 0u,
             .command_line = what.command_line,
             .rsdp = what.rsdp,
             .memory_map = work.address_of(entries.data()),
             .memory_map_count = static_cast<u32>(ranges.size()),
             .reserved = 0};
    return work.address_of(info);
}

}  // namespace mayfly::boot
