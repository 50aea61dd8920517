// SPDX-License-Identifier: MIT
// The machine: ports, memory-mapped registers, CPUID and MSRs. The only code that touches them;
// everything else takes a type with these members, which a host test replaces by a fake.
#pragma once

#include "core/types.hpp"

namespace mayfly::hw {

struct cpuid_registers {
    u32 eax, ebx, ecx, edx;
};

/// What the hardware-facing templates ask of their parameter.
template <typename T>
concept machine = requires(T m, u16 port, u32 address, u8 byte, u32 word, u64 wide) {
    m.in8(port);
    m.in16(port);
    m.in32(port);
    m.out8(port, byte);
    m.out32(port, word);
    word = m.read_mmio32(address);
    m.write_mmio32(address, word);
    m.cpuid(word, word);
    m.read_msr(word);
    m.write_msr(word, wide);
    m.read_tsc();
    m.pause();
};

/// The real one. It has no state; every member is one instruction.
struct hardware {
    static u8 in8(u16 port) {
        u8 value;
        asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
        return value;
    }
    static u16 in16(u16 port) {
        u16 value;
        asm volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
        return value;
    }
    static u32 in32(u16 port) {
        u32 value;
        asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
        return value;
    }
    static void out8(u16 port, u8 value) { asm volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }
    /// Memory is clobbered: a write to a DMA register has the device read and write it.
    static void out32(u16 port, u32 value) {
        asm volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
    }
    static u32 read_mmio32(u32 address) {
        u32 value;
        asm volatile("movl (%1), %0" : "=r"(value) : "r"(address) : "memory");
        return value;
    }
    static void write_mmio32(u32 address, u32 value) {
        asm volatile("movl %0, (%1)" : : "r"(value), "r"(address) : "memory");
    }
    static cpuid_registers cpuid(u32 leaf, u32 subleaf) {
        u32 eax, ebx, ecx, edx;
        asm volatile("cpuid"
                     : "=a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx)
                     : "a"(leaf), "c"(subleaf));
        return {eax, ebx, ecx, edx};
    }
    /// Only where CPUID announces the register: another one raises a general protection fault.
    static u64 read_msr(u32 index) {
        u64 value;
        asm volatile("rdmsr" : "=A"(value) : "c"(index));
        return value;
    }
    /// Memory is clobbered: a register may have a hypervisor write where it points to.
    static void write_msr(u32 index, u64 value) {
        asm volatile("wrmsr" : : "A"(value), "c"(index) : "memory");
    }
    static u64 read_tsc() {
        u64 value;
        asm volatile("rdtsc" : "=A"(value));
        return value;
    }
    /// In a loop that waits for another processor; nothing on a CPU that does not know it.
    static void pause() { asm volatile("pause"); }
};

static_assert(machine<hardware>);

/// Resets the whole machine: by the register of PIIX3 and ICH9 (QEMU hw/isa/piix3.c, lpc_ich9.c),
/// by that of microvm (hw/acpi/generic_event_device.c), and where there is neither, by a triple
/// fault, at which some hypervisors end a VM. The jump is where QEMU stops the CPU that has
/// written.
[[noreturn]] inline void reset_machine() {
    constexpr u16 reset_control = 0xcf9;
    constexpr u8 reset_cpu = 0x06;
    asm volatile(
        "outb %b0, %w1; movb $0x42, 0xfea00202; jmp 1f; 1: push $0; push $0; lidt (%%esp); int3"
        :
        : "a"(reset_cpu), "d"(reset_control));
    __builtin_unreachable();
}

}  // namespace mayfly::hw
