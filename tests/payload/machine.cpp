// SPDX-License-Identifier: MIT
#include "machine.hpp"

#include <initializer_list>

#include "pci.hpp"
#include "report.hpp"

namespace machine {
namespace {

// CPUID leaf 1, Intel SDM volume 2A.
constexpr u32 edx_msr = 1u << 5;
constexpr u32 edx_apic = 1u << 9;
constexpr u32 edx_mtrr = 1u << 12;
constexpr u32 edx_pat = 1u << 16;
constexpr u32 ecx_vmx = 1u << 5;

// Intel SDM volume 4.
constexpr u32 ia32_apic_base = 0x1b;
constexpr u32 ia32_feature_control = 0x3a;
constexpr u32 ia32_mtrrcap = 0xfe;
constexpr u32 ia32_mtrr_physbase0 = 0x200;
constexpr u32 ia32_pat = 0x277;
constexpr u32 ia32_mtrr_def_type = 0x2ff;
constexpr u32 fixed_mtrrs[] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
                               0x26b, 0x26c, 0x26d, 0x26e, 0x26f};

constexpr u32 local_apic = 0xfee00000;
constexpr u32 apic_registers[] = {0x20, 0xf0, 0x270, 0x350, 0x360};

// Interrupt masks, edge/level control, system control port A.
constexpr u16 reported_ports[] = {0x21, 0xa1, 0x4d0, 0x4d1, 0x92};

constexpr u32 q35_host_bridge = 0x29c08086;
constexpr u32 q35_pciexbar = 0x60;
constexpr u32 pci_header_type = 0x0c;
constexpr u32 pci_multifunction = 0x800000;
constexpr u32 no_device = 0xffffffff;

void report_msr(u32 index) {
    report::text("msr");
    report::number(index);
    report::number(read_msr(index));
    report::end_line();
}

void report_mtrrs() {
    report_msr(ia32_mtrrcap);
    report_msr(ia32_mtrr_def_type);
    for (const u32 index : fixed_mtrrs) {
        report_msr(index);
    }
    const u32 variable_count = static_cast<u32>(read_msr(ia32_mtrrcap)) & 0xff;
    for (u32 i = 0; i < 2 * variable_count; ++i) {
        report_msr(ia32_mtrr_physbase0 + i);
    }
}

void report_apic() {
    for (const u32 offset : apic_registers) {
        report::text("apic");
        report::number(offset);
        report::number(load<u32>(local_apic + offset));
        report::end_line();
    }
}

void report_cpuid(u32 leaf) {
    const cpuid_result r = cpuid(leaf);
    report::text("cpuid");
    for (const u32 value : {leaf, r.eax, r.ebx, r.ecx, r.edx}) {
        report::number(value);
    }
    report::end_line();
}

void report_function(u32 device, u32 function) {
    report::text("pci");
    report::number(device);
    report::number(function);
    for (u32 offset = 0; offset < 256; offset += 4) {
        report::number(pci::read32(device, function, offset));
    }
    report::end_line();
}

void report_port(u16 port) {
    report::text("port");
    report::number(port);
    report::number(in8(port));
    report::end_line();
}

}  // namespace

void report_cpu() {
    report_cpuid(0);
    report_cpuid(1);
    if (cpuid(0x80000000).eax >= 0x80000008) {
        report_cpuid(0x80000008);
    }
    const cpuid_result features = cpuid(1);
    if ((features.edx & edx_msr) == 0) {
        return;
    }
    if ((features.edx & edx_apic) != 0) {
        report_msr(ia32_apic_base);
        report_apic();
    }
    if ((features.edx & edx_mtrr) != 0) {
        report_mtrrs();
    }
    if ((features.edx & edx_pat) != 0) {
        report_msr(ia32_pat);
    }
    if ((features.ecx & ecx_vmx) != 0) {
        report_msr(ia32_feature_control);
    }
}

void report_pci() {
    if (pci::read32(0, 0, 0) == no_device) {
        return;
    }
    for (u32 device = 0; device < 32; ++device) {
        if (pci::read32(device, 0, 0) == no_device) {
            continue;
        }
        const bool many = (pci::read32(device, 0, pci_header_type) & pci_multifunction) != 0;
        for (u32 function = 0; function < (many ? 8u : 1u); ++function) {
            if (pci::read32(device, function, 0) != no_device) {
                report_function(device, function);
            }
        }
    }
    if (pci::read32(0, 0, 0) == q35_host_bridge) {
        const u32 base = pci::read32(0, 0, q35_pciexbar);
        if ((base & 1) != 0) {
            report::fact("ecam", "id", load<u32>(base & 0xf0000000));
        }
    }
}

void report_ports() {
    for (const u16 port : reported_ports) {
        report_port(port);
    }
    // CMOS shutdown code.
    out8(0x70, 0x0f);
    report_port(0x71);
}

void report_clock() {
    constexpr u16 index = 0x70, data = 0x71;
    out8(index, 0x0a);
    report::fact("clock", "a", in8(data));
    out8(data, 0x2f);  // another rate
    out8(index, 0x0b);
    report::fact("clock", "b", in8(data));
    out8(data, 0x04);  // binary, 12 hours
}

void report_low_memory() {
    report::memory("bda", 0x400, 0x100);
    report::memory("legacy_reset", 0xffff0, 16);
    report::memory("reset", 0xfffffff0, 16);
}

}  // namespace machine
