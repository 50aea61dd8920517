// SPDX-License-Identifier: MIT
// Configuration space of every bus: by mechanism 1, or by memory where the machine has it there
// (PCI 3.0, 3.2.2.3.2; PCIe 5.0, 7.2.2).
#pragma once

#include "hw/pci.hpp"

namespace mayfly::pci {

/// `function` is the bus in bits 15:8, the device in 7:3 and the function in 2:0; `offset` a
/// multiple of 4 below 256.
template <hw::machine Hardware>
class config_space {
  public:
    /// `ecam` is where it lies in memory, 0 for mechanism 1.
    config_space(Hardware& hardware, u32 ecam) : hardware_(hardware), ecam_(ecam) {}

    /// One access, or two by mechanism 1; there one where the last one was of the same register.
    [[gnu::noinline]] u32 read(u32 function, u32 offset) {
        if (ecam_ != 0)
            return hardware_.read_mmio32(ecam_ | function << 12 | offset);
        select(function, offset);
        return hardware_.in32(hw::pci_data_port);
    }

    [[gnu::noinline]] void write(u32 function, u32 offset, u32 value) {
        if (ecam_ != 0)
            return hardware_.write_mmio32(ecam_ | function << 12 | offset, value);
        select(function, offset);
        hardware_.out32(hw::pci_data_port, value);
    }

  private:
    void select(u32 function, u32 offset) {
        const u32 address = 1u << 31 | function << 8 | offset;
        if (address != selected_)
            hardware_.out32(hw::pci_address_port, address);
        selected_ = address;
    }

    Hardware& hardware_;
    u32 ecam_;
    u32 selected_ = 0;
};

/// What scan() and assign() ask of their parameter.
template <typename T>
concept configuration = requires(T space, u32 function, u32 offset, u32 value) {
    value = space.read(function, offset);
    space.write(function, offset, value);
};

}  // namespace mayfly::pci
