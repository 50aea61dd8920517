// SPDX-License-Identifier: MIT
// ELF images and the notes in them. Source: System V ABI, chapters 4 and 5; for the notes Xen
// public/elfnote.h and Linux include/uapi/linux/elf.h.
#pragma once

#include "core/endian.hpp"

namespace mayfly::abi {

inline constexpr u32 elf_magic = 0x464c457f;  ///< 0x7f "ELF"

enum class elf_class : u8 { bits_32 = 1, bits_64 = 2 };

/// What both classes begin with.
struct elf_identity {
    le32 magic;
    u8 file_class;  ///< an elf_class
    u8 data;
    u8 version;
    u8 padding[9];
    le16 type;
    le16 machine;
    le32 object_version;
};
static_assert(sizeof(elf_identity) == 24);

struct elf32_header {
    elf_identity identity;
    le32 entry;
    le32 program_headers;
    le32 section_headers;
    le32 flags;
    le16 header_size;
    le16 program_header_size;
    le16 program_header_count;
    le16 section_header_size;
    le16 section_header_count;
    le16 section_names;
};
static_assert(sizeof(elf32_header) == 52);

struct elf64_header {
    elf_identity identity;
    le64 entry;
    le64 program_headers;
    le64 section_headers;
    le32 flags;
    le16 header_size;
    le16 program_header_size;
    le16 program_header_count;
    le16 section_header_size;
    le16 section_header_count;
    le16 section_names;
};
static_assert(sizeof(elf64_header) == 64);

struct elf32_program_header {
    le32 type;
    le32 offset;
    le32 virtual_address;
    le32 physical_address;
    le32 file_size;
    le32 memory_size;
    le32 flags;
    le32 alignment;
};
static_assert(sizeof(elf32_program_header) == 32);

struct elf64_program_header {
    le32 type;
    le32 flags;
    le64 offset;
    le64 virtual_address;
    le64 physical_address;
    le64 file_size;
    le64 memory_size;
    le64 alignment;
};
static_assert(sizeof(elf64_program_header) == 56);

inline constexpr u32 elf_load_segment = 1;  ///< PT_LOAD
inline constexpr u32 elf_note_segment = 4;  ///< PT_NOTE

/// Followed by the name and the descriptor, each padded to 4 bytes.
struct elf_note {
    le32 name_size;  ///< the NUL included
    le32 descriptor_size;
    le32 type;
};
static_assert(sizeof(elf_note) == 12);

inline constexpr u32 xen_note_guest_os = 6;  ///< XEN_ELFNOTE_GUEST_OS: text

}  // namespace mayfly::abi
