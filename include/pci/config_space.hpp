// SPDX-License-Identifier: MIT
// Configuration space of every bus: by mechanism 1, or by memory where the machine has it there
// (PCI 3.0, 3.2.2.3.2; PCIe 5.0, 7.2.2).
#pragma once

#include "core/span.hpp"
#include "hw/pci.hpp"

namespace mayfly::pci {

/// A write to a register, to be done again when the machine has forgotten it.
struct config_write {
    u32 place;  ///< of the register, as config_space selects it
    u32 value;
};

/// The registers of one function at a time; `offset` is a multiple of 4 below 256.
template <hw::machine Hardware>
class config_space {
  public:
    /// `ecam` is where it lies in memory, 0 for mechanism 1.
    config_space(Hardware& hardware, u32 ecam) : hardware_(hardware), ecam_(ecam) {}

    /// From now on every write() is noted in `journal`, in order, as long as there is room.
    void note_in(span<config_write> journal) { journal_ = journal; }

    /// Goes to a function: its bus in bits 15:8, its device in 7:3, its function in 2:0.
    void at(u32 function) { here_ = ecam_ != 0 ? ecam_ | function << 12 : enable | function << 8; }

    /// One access, or two by mechanism 1; there one where the last one was of the same register.
    [[gnu::noinline]] u32 read(u32 offset) {
        if (ecam_ != 0)
            return hardware_.read_mmio32(here_ | offset);
        select(here_ | offset);
        return hardware_.in32(hw::pci_data_port);
    }

    /// What is to stay: goes into the journal too.
    [[gnu::noinline]] void write(u32 offset, u32 value) {
        const u32 place = here_ | offset;
        if (written_ < journal_.size())
            journal_[written_] = {place, value};
        written_++;
        put(place, value);
    }

    void write_for_now(u32 offset, u32 value) { put(here_ | offset, value); }

    /// Does again what a journal holds, of the same `ecam`.
    void replay(span<const config_write> journal) {
        for (const auto& one : journal)
            put(one.place, one.value);
    }

    /// How many times write() was called.
    u32 written() const { return written_; }

  private:
    static constexpr u32 enable = 1u << 31;

    [[gnu::noinline]] void put(u32 place, u32 value) {
        if (ecam_ != 0)
            return hardware_.write_mmio32(place, value);
        select(place);
        hardware_.out32(hw::pci_data_port, value);
    }

    void select(u32 place) {
        if (place != selected_)
            hardware_.out32(hw::pci_address_port, place);
        selected_ = place;
    }

    [[no_unique_address]] Hardware& hardware_;
    u32 ecam_;
    u32 here_ = 0;
    u32 selected_ = 0;
    u32 written_ = 0;
    span<config_write> journal_;
};

/// What scan() and assign() ask of their parameter.
template <typename T>
concept configuration = requires(T space, u32 function, u32 offset, u32 value) {
    space.at(function);
    value = space.read(offset);
    space.write(offset, value);
    space.write_for_now(offset, value);
};

}  // namespace mayfly::pci
