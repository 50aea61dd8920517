// SPDX-License-Identifier: MIT
#include "boot/payload.hpp"

#include "abi/elf.hpp"
#include "boot/linux.hpp"
#include "core/fault.hpp"
#include "core/sentences.hpp"

namespace mayfly::boot {

payload_kind inspect(const_bytes head) {
    constexpr u16 dos_magic = 0x5a4d;  // "MZ"
    const auto& header = as<abi::setup_header>(head, abi::setup_header_offset);
    if (header.header == abi::linux_header_magic) {
        check_linux_header(header);
        return payload_kind::linux_image;
    }
    const u32 first = load<u32>(head, 0);
    if (first == abi::elf_magic)
        return payload_kind::pvh_elf;
    if (static_cast<u16>(first) == dos_magic)
        fail(sentences::efi_kernel, first);
    return payload_kind::none;
}

}  // namespace mayfly::boot
