// SPDX-License-Identifier: MIT
// Going on after the guest's sleep (ACPI S3): the wake-up resets every device and starts the CPU
// anew, but keeps the RAM (QEMU softmmu/runstate.c). So what the boot programmed is programmed
// again, by a record that the boot leaves, and no other memory is touched.
#pragma once

#include "low_memory.hpp"
#include "machine.hpp"
#include "pci/config_space.hpp"

namespace mayfly {

/// At resume_place, in memory that no guest has as RAM.
struct resume_record {
    static constexpr u32 whole = 0x3353664d;  ///< "MfS3"

    u32 mark;         ///< `whole`; anything else where no boot has made tables
    u32 low_ram_end;  ///< as memory_map has it
    const_bytes tables;
    const tables::told_pointer* told;
    span<const pci::config_write> registers;  ///< what prepare_pci() wrote
    bool has_interrupts;                      ///< whether prepare_interrupts() was called
    bool has_orders;                          ///< whether prepare_processors() was called
};

inline resume_record& record_of(memory ram) {
    return *reinterpret_cast<resume_record*>(ram.at(resume_place, sizeof(resume_record)).data());
}

/// Completes the record, on a known chipset.
void remember(machine& pc, const_bytes tables, const tables::told_pointer* told);

/// In reset.S: to real mode, and on at the far pointer, whose segment is in bits 31:16.
extern "C" [[noreturn]] void enter_real_mode(u32 far_pointer);

/// Programs again what the wake-up has reset, and goes on at the guest's waking vector in real mode
/// (ACPI 6.5, 5.2.10 and 16.3). Resets the machine where it did not sleep, or was reset in its
/// sleep; the shutdown code is clear by now. Stops where there is no record or no vector.
[[noreturn]] void resume(machine& pc);

}  // namespace mayfly
