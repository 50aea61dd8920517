// SPDX-License-Identifier: MIT
#include "processors.hpp"

#include "report.hpp"

extern "C" const char trampoline_begin[];
extern "C" const char trampoline_function[];
extern "C" const char trampoline_stacks[];
extern "C" const char trampoline_end[];

namespace processors {
namespace {

constexpr u32 trampoline_address = 0x6000;  // trampoline.S is linked for it

// Intel SDM volume 3A, 11.6.1: all but self, assert.
constexpr u32 apic_icr_low = 0xfee00300;
constexpr u32 icr_init = 0xc4500;
constexpr u32 icr_sipi = 0xc4600 | trampoline_address >> 12;

constexpr u32 edx_mtrr = 1u << 12;
constexpr u32 ecx_vmx = 1u << 5;
constexpr u32 ia32_feature_control = 0x3a;
constexpr u32 ia32_mtrrcap = 0xfe;
constexpr u32 ia32_mtrr_physbase0 = 0x200;
constexpr u32 ia32_mtrr_def_type = 0x2ff;
constexpr u32 fixed_mtrrs[] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
                               0x26b, 0x26c, 0x26d, 0x26e, 0x26f};

constexpr u32 stack_size = 256;  // as in trampoline.S
constexpr u32 most = 320;        // processors
constexpr u32 most_registers = 36;

// Time stamp ticks without a new processor: some, and more for each that a busy host has to run.
constexpr u64 patience = 1ull << 32;
constexpr u64 patience_each = 1ull << 27;

struct list {
    u32 indices[most_registers];
    u32 count;

    void add(u32 index) { indices[count++] = index; }
};

struct processor {
    u32 id;
    u64 values[most_registers];
};

list registers;
processor found[most];
volatile u32 arrived;
alignas(16) char stacks[most * stack_size];

void list_registers() {
    registers.count = 0;
    const cpuid_result features = cpuid(1);
    if ((features.ecx & ecx_vmx) != 0) {
        registers.add(ia32_feature_control);
    }
    if ((features.edx & edx_mtrr) != 0) {
        const u32 count = static_cast<u32>(read_msr(ia32_mtrrcap)) & 0xff;
        for (u32 i = 0; i < 2 * count; ++i) {
            registers.add(ia32_mtrr_physbase0 + i);
        }
        for (const u32 index : fixed_mtrrs) {
            registers.add(index);
        }
        registers.add(ia32_mtrr_def_type);
    }
}

u32 own_id() {
    if (cpuid(0).eax >= 0xb) {
        const cpuid_result topology = cpuid(0xb);
        if (topology.ebx != 0) {
            return topology.edx;
        }
    }
    return cpuid(1).ebx >> 24;
}

void read_own(processor& to) {
    to.id = own_id();
    for (u32 i = 0; i < registers.count; ++i) {
        to.values[i] = read_msr(registers.indices[i]);
    }
}

void report_one(u32 pass, const processor& one) {
    report::text("processor");
    report::number(pass);
    report::number(one.id);
    for (u32 i = 0; i < registers.count; ++i) {
        report::number(registers.indices[i]);
        report::number(one.values[i]);
    }
    report::end_line();
}

// On another processor.
void arrive(u32 number) {
    if (number < most) {
        read_own(found[number]);
        asm volatile("lock incl %0" : "+m"(arrived));
    }
}

u64 ticks() {
    u64 now;
    asm volatile("rdtsc" : "=A"(now));
    return now;
}

void await(u32 count) {
    const u64 most_ticks = patience + patience_each * count;
    u32 seen = 0;
    for (u64 last = ticks(); seen < count && ticks() - last < most_ticks;) {
        asm volatile("pause");
        if (arrived != seen) {
            seen = arrived;
            last = ticks();
        }
    }
}

void put(const char* field, u32 value) {
    store(trampoline_address + static_cast<u32>(field - trampoline_begin), value);
}

void copy_trampoline() {
    for (u32 i = 0; trampoline_begin + i != trampoline_end; ++i) {
        store(trampoline_address + i, trampoline_begin[i]);
    }
    put(trampoline_function, reinterpret_cast<u32>(&arrive));
    put(trampoline_stacks, reinterpret_cast<u32>(stacks));
}

}  // namespace

void report_all(const words& command_line) {
    const u32 count = command_line.number("processors=", 0);
    if (count == 0) {
        return;
    }
    list_registers();
    read_own(found[0]);
    report_one(0, found[0]);
    for (u32 pass = 1; pass <= 2; ++pass) {
        copy_trampoline();
        arrived = 0;
        if (pass == 2) {
            store(apic_icr_low, icr_init);
        }
        store(apic_icr_low, icr_sipi);
        await(count - 1);
        for (u32 i = 0; i < arrived; ++i) {
            report_one(pass, found[i]);
        }
    }
}

}  // namespace processors
