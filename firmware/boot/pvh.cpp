// SPDX-License-Identifier: MIT
#include "boot/pvh.hpp"

#include "abi/elf.hpp"

namespace mayfly::boot {
namespace {

using tables::memory_map;
using tables::range;

/// Where the fields lie that are read here, in both ELF classes.
struct elf_layout {
    u8 table, entry_size, entry_count;          ///< of the header
    u8 entry, address, file_size, memory_size;  ///< of a program header, and its size
};

template <typename Header, typename Program>
constexpr elf_layout layout_of() {
    return {__builtin_offsetof(Header, program_headers),
            __builtin_offsetof(Header, program_header_size),
            __builtin_offsetof(Header, program_header_count),
            sizeof(Program),
            __builtin_offsetof(Program, physical_address),
            __builtin_offsetof(Program, file_size),
            __builtin_offsetof(Program, memory_size)};
}

constexpr elf_layout layout_32 = layout_of<abi::elf32_header, abi::elf32_program_header>();
constexpr elf_layout layout_64 = layout_of<abi::elf64_header, abi::elf64_program_header>();

struct segment {
    u32 type;
    u64 address;
    u64 file_size;
    u64 memory_size;
};

/// The program headers of an ELF's first bytes; none where they are not all there.
class program_headers {
  public:
    explicit program_headers(const_bytes head)
        : head_(head),
          wide_(as<abi::elf_identity>(head).file_class == static_cast<u8>(abi::elf_class::bits_64)),
          layout_(wide_ ? layout_64 : layout_32),
          stride_(load<u16>(head, layout_.entry_size)),
          count_(load<u16>(head, layout_.entry_count)) {
        const u64 table = number(layout_.table);
        const u32 size = count_ * stride_;  // below 2^32
        table_ = static_cast<u32>(table);
        if (stride_ < layout_.entry || size == 0 || table >> 32 != 0 ||
            !head.contains(table_, size))
            count_ = 0;
    }

    u32 count() const { return count_; }

    segment operator[](u32 index) const {
        const u32 at = table_ + index * stride_;
        return {load<u32>(head_, at), number(at + layout_.address), number(at + layout_.file_size),
                number(at + layout_.memory_size)};
    }

  private:
    u64 number(u32 at) const { return wide_ ? load<u64>(head_, at) : load<u32>(head_, at); }

    const_bytes head_;
    bool wide_;
    const elf_layout& layout_;
    u32 stride_;
    u32 count_;
    u32 table_;
};

bool is_text(const u8* at, u32 size, text wanted) {
    return size == wanted.size() + 1 && has_characters(reinterpret_cast<const char*>(at), wanted);
}

/// Notes, one behind the other; each name and descriptor is padded to 4 bytes.
bool names_linux(const_bytes notes) {
    while (const auto* note = view<abi::elf_note>(notes)) {
        const u32 name = align_up<u32>(note->name_size, 4);
        const u32 descriptor = align_up<u32>(note->descriptor_size, 4);
        const u8* name_at = notes.data() + sizeof(abi::elf_note);
        const usize left = notes.size() - sizeof(abi::elf_note);
        if (name < note->name_size || descriptor < note->descriptor_size || name > left ||
            descriptor > left - name)
            return false;
        if (is_text(name_at, note->name_size, "Linux") ||
            (note->type == abi::xen_note_guest_os && is_text(name_at, note->name_size, "Xen") &&
             is_text(name_at + name, note->descriptor_size, "linux")))
            return true;
        notes = {name_at + name + descriptor, left - name - descriptor};
    }
    return false;
}

}  // namespace

void claim_image(const range& extent, const_bytes head, memory_map& map) {
    const bool is_whole = !extent.empty() && map.is_ram(extent);
    const program_headers headers(head);
    if (is_whole || headers.count() == 0)
        map.claim_payload(extent);
    for (u32 i = 0; i < headers.count(); i++) {
        const segment part = headers[i];
        const range where{part.address, part.address + part.memory_size};
        if (part.type == abi::elf_load_segment && part.memory_size != 0 &&
            (!is_whole || (!where.empty() && map.is_ram(where))))
            map.claim_payload(where);
    }
}

bool is_linux(const_bytes head, const memory_map& map, memory ram) {
    const program_headers headers(head);
    for (u32 i = 0; i < headers.count(); i++) {
        const segment part = headers[i];
        const range where{part.address, part.address + part.file_size};
        if (part.type == abi::elf_note_segment && !where.empty() && where.end <= memory_map::top &&
            map.is_ram(where) &&
            names_linux(ram.at(static_cast<u32>(where.begin), static_cast<u32>(where.size()))))
            return true;
    }
    return false;
}

u32 write_start_info(const pvh_handover& what, const memory_map& map, arena& work) {
    const u32 capacity = memory_map::capacity * sizeof(abi::pvh_memory_entry) + sizeof(u32);
    u8* entries = work.take(capacity).data();
    auto& module = work.take<abi::pvh_module>();
    auto& info = work.take<abi::pvh_start_info>();
    module = {what.initrd, what.initrd_size, 0, 0};
    const bool has_module = what.initrd_size != 0;
    info = {.magic = abi::pvh_magic,
            .version = 1,
            .flags = 0,
            .module_count = has_module ? 1u : 0u,
            .modules = has_module ? work.address_of(&module) : 0u,
            .command_line = what.command_line,
            .rsdp = what.rsdp,
            .memory_map = work.address_of(entries),
            .memory_map_count = map.write_entries(entries, sizeof(abi::pvh_memory_entry)),
            .reserved = 0};
    return work.address_of(&info);
}

}  // namespace mayfly::boot
