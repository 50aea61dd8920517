// SPDX-License-Identifier: MIT
// PCI configuration space by ports 0xCF8 and 0xCFC.
#pragma once

#include "cpu.hpp"

namespace pci {

constexpr u16 address_port = 0xcf8;
constexpr u16 data_port = 0xcfc;

inline u32 address(u32 device, u32 function, u32 offset) {
    return 0x80000000 | device << 11 | function << 8 | (offset & 0xfc);
}

inline u32 read32(u32 device, u32 function, u32 offset) {
    out32(address_port, address(device, function, offset));
    return in32(data_port);
}

inline void write8(u32 device, u32 function, u32 offset, u8 value) {
    out32(address_port, address(device, function, offset));
    out8(static_cast<u16>(data_port + (offset & 3)), value);
}

}  // namespace pci
