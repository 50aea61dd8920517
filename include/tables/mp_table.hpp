// SPDX-License-Identifier: MIT
// The MP table: processors and interrupts for a guest without ACPI.
#pragma once

#include "abi/mp_table.hpp"
#include "core/arena.hpp"
#include "core/checksum.hpp"
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

/// The CPUs and I/O APICs of a machine.
struct apics {
    static constexpr u32 cpu_limit = 255;  ///< IDs that an MP table can name: 0 to 254
    static constexpr u32 io_limit = 16;

    u32 cpus[8] = {};  ///< a bit for each ID
    u32 io_count = 0;
    u32 io_addresses[io_limit];

    void add_cpu(u32 id) {
        if (id < cpu_limit)
            cpus[id / 32] |= 1u << (id % 32);
    }
    bool has_cpu(u32 id) const { return (cpus[id / 32] >> (id % 32) & 1) != 0; }
    void add_io(u32 address) {
        if (io_count < io_limit)
            io_addresses[io_count++] = address;
    }
};

/// What a MADT says: CPUs that are there, hotplugged ones at odd IDs included, and I/O APICs.
apics apics_from_madt(const_bytes madt);

/// The first `count` CPUs of a machine with this topology, as QEMU numbers them
/// (include/hw/i386/topology.h), and the one I/O APIC that every machine has.
apics apics_from_topology(const topology& cpus, u32 count);

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
    apics controllers;
    processor_identity boot_cpu;
    hw::chipset chipset;
    u8 isa_bus;        ///< a number that no PCI bus has; without PCI not asked for
    bool virtio_mmio;  ///< ISA lines 5 to 12 are virtio-mmio transports (microvm without ACPI)
};

/// Writes the configuration table and returns where it is. Takes room for the largest one.
u32 write_mp_table(const mp_description& machine, arena& work);

/// Writes the floating pointer that leads to a configuration table at `table_address`.
void write_mp_floating_pointer(abi::mp_floating_pointer& to, u32 table_address);

}  // namespace mayfly::tables
