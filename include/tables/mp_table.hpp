// SPDX-License-Identifier: MIT
// The MP table: processors and interrupts for a guest without ACPI.
#pragma once

#include "abi/mp_table.hpp"
#include "core/span.hpp"
#include "hw/chipset.hpp"

namespace mayfly::tables {

/// The boot CPU as CPUID leaf 1 describes it.
struct processor_identity {
    u32 signature;  ///< EAX
    u32 features;   ///< EDX
    u8 apic_id;     ///< EBX 31:24
};

/// How APIC IDs are made: levels from the thread upwards, each with the bits below the next level's
/// number and the threads in one unit of it (a core, a die, a package).
struct topology {
    struct level {
        u32 shift;
        u32 threads;
    };
    static constexpr u32 max_levels = 5;

    level levels[max_levels] = {};
    u32 count = 0;

    void add(u32 shift, u32 threads) {
        if (count < max_levels && threads != 0)
            levels[count++] = {shift & 0x1f, threads};
    }
};

/// APIC IDs that an MP table can name, 0 to 254, as bits.
class apic_ids {
  public:
    void add(u32 id) {
        if (id >= limit || has(id))
            return;
        words_[id / 32] |= 1u << (id % 32);
        count_++;
    }
    bool has(u32 id) const { return (words_[id / 32] >> (id % 32) & 1) != 0; }
    u32 count() const { return count_; }
    /// Thirty-two of them, from ID 32 * `index`.
    u32 word(u32 index) const { return words_[index]; }
    /// The lowest ID that no CPU has, for an I/O APIC; 0 where every one is taken.
    u8 lowest_unused() const;

    static constexpr u32 limit = 255;

    static constexpr u32 words = 8;

  private:
    u32 words_[words] = {};
    u32 count_ = 0;
};

/// The CPUs of a MADT that are there, hotplugged ones at odd IDs included. Empty without a MADT.
apic_ids apic_ids_from_madt(const_bytes madt);

/// The first `count` CPUs of a machine with this topology, as QEMU numbers them
/// (include/hw/i386/topology.h).
apic_ids apic_ids_from_topology(const topology& cpus, u32 count);

/// Reads the topology from CPUID: leaves 0x1f or 0xb where the CPU has them, else 1 and 4.
template <hw::machine Hardware>
topology read_topology(Hardware& hardware) {
    topology out;
    const u32 last_leaf = hardware.cpuid(0, 0).eax;
    const u32 leaves[] = {0x1f, 0xb};
    for (const u32 leaf : leaves) {
        if (last_leaf < leaf)
            continue;
        for (u32 level = 0; level < topology::max_levels; level++) {
            const auto shape = hardware.cpuid(leaf, level);
            if ((shape.ecx >> 8 & 0xff) == 0)
                break;
            out.add(shape.eax, shape.ebx & 0xffff);
        }
        if (out.count != 0)
            return out;
    }
    const auto bits_for = [](u32 count) {
        return count <= 1 ? 0u : 32u - static_cast<u32>(__builtin_clz(count - 1));
    };
    constexpr u32 multithreading = 1u << 28;
    const auto features = hardware.cpuid(1, 0);
    const u32 threads = features.ebx >> 16 & 0xff;
    if ((features.edx & multithreading) == 0 || threads == 0)
        return out;
    u32 cores = last_leaf >= 4 ? (hardware.cpuid(4, 0).eax >> 26) + 1 : threads;
    if (cores > threads)
        cores = threads;
    const u32 threads_per_core = threads / cores;
    out.add(bits_for(threads_per_core), threads_per_core);
    out.add(bits_for(threads_per_core) + bits_for(cores), threads);
    return out;
}

/// Everything the table says.
struct mp_description {
    apic_ids cpus;
    processor_identity boot_cpu;
    hw::chipset chipset;
    const_bytes madt;  ///< names the I/O APICs; empty: one at 0xfec00000
    bool virtio_mmio;  ///< ISA lines 5 to 12 are virtio-mmio transports (microvm without ACPI)
};

/// No configuration table of this machine is larger, in bytes.
u32 mp_table_capacity(const mp_description& machine);

/// Writes the configuration table to `to`, of mp_table_capacity() bytes; returns its length.
u32 write_mp_table(const mp_description& machine, bytes to);

/// Writes the floating pointer that leads to a configuration table at `table_address`.
void write_mp_floating_pointer(abi::mp_floating_pointer& to, u32 table_address);

}  // namespace mayfly::tables
