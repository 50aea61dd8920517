// SPDX-License-Identifier: MIT
// What QEMU was given to boot, read from the first bytes of it.
#pragma once

#include "abi/linux.hpp"
#include "core/span.hpp"

namespace mayfly::boot {

/// How much of the kernel file is read to tell what it is: what QEMU gives of an ELF
/// (hw/i386/x86.c, load_elfboot).
inline constexpr u32 payload_head_size = 8192;

enum class payload_kind : u8 {
    none,         ///< nothing that is known: also no kernel, or multiboot
    linux_image,  ///< a bzImage for the 32-bit entry
    pvh_elf,      ///< an ELF
    multiboot,    ///< which has no SETUP_DATA: inspect() does not know it
};

/// Tells what `head`, the first payload_head_size bytes of SETUP_DATA, belongs to. Stops for what
/// is known and cannot be booted: an EFI application, a damaged or too old header.
payload_kind inspect(const_bytes head);

}  // namespace mayfly::boot
