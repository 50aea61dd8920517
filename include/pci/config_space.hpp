// SPDX-License-Identifier: MIT
// Configuration space of every bus: by mechanism 1, or by memory where the machine has it there
// (PCI 3.0, 3.2.2.3.2; PCIe 5.0, 7.2.2).
#pragma once

#include "hw/pci.hpp"

namespace mayfly::pci {

/// The registers of one function at a time; `offset` is a multiple of 4 below 256.
template <hw::machine Hardware>
class config_space {
  public:
    /// `ecam` is where it lies in memory, 0 for mechanism 1.
    config_space(Hardware& hardware, u32 ecam) : hardware_(hardware), ecam_(ecam) {}

    /// Goes to a function: its bus in bits 15:8, its device in 7:3, its function in 2:0.
    void at(u32 function) { here_ = ecam_ != 0 ? ecam_ | function << 12 : enable | function << 8; }

    /// One access, or two by mechanism 1; there one where the last one was of the same register.
    [[gnu::noinline]] u32 read(u32 offset) {
        if (ecam_ != 0)
            return hardware_.read_mmio32(here_ | offset);
        select(offset);
        return hardware_.in32(hw::pci_data_port);
    }

    [[gnu::noinline]] void write(u32 offset, u32 value) {
        if (ecam_ != 0)
            return hardware_.write_mmio32(here_ | offset, value);
        select(offset);
        hardware_.out32(hw::pci_data_port, value);
    }

  private:
    static constexpr u32 enable = 1u << 31;

    void select(u32 offset) {
        const u32 address = here_ | offset;
        if (address != selected_)
            hardware_.out32(hw::pci_address_port, address);
        selected_ = address;
    }

    [[no_unique_address]] Hardware& hardware_;
    u32 ecam_;
    u32 here_ = 0;
    u32 selected_ = 0;
};

/// What scan() and assign() ask of their parameter.
template <typename T>
concept configuration = requires(T space, u32 function, u32 offset, u32 value) {
    space.at(function);
    value = space.read(offset);
    space.write(offset, value);
};

}  // namespace mayfly::pci
