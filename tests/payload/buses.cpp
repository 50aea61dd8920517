// SPDX-License-Identifier: MIT
#include "buses.hpp"

#include "pci.hpp"
#include "report.hpp"

namespace buses {
namespace {

constexpr u32 microvm_ecam = 0xe0000000;
constexpr u32 header_size = 0x40;
constexpr u32 command = 0x04;
constexpr u32 class_code = 0x08;
constexpr u32 header_type = 0x0c;
constexpr u32 multifunction = 0x800000;
constexpr u32 host_bridge = 0x0600;

// By ports, or where they do not answer by memory, as microvm has it.
struct space {
    bool by_memory = pci::read32(0, 0, 0) == 0xffffffff;

    u32 read(u32 function, u32 offset) const {
        if (by_memory) {
            return load<u32>(microvm_ecam | function << 12 | offset);
        }
        out32(pci::address_port, 0x80000000 | function << 8 | offset);
        return in32(pci::data_port);
    }

    void write(u32 function, u32 offset, u32 value) const {
        if (by_memory) {
            *reinterpret_cast<volatile u32*>(microvm_ecam | function << 12 | offset) = value;
            return;
        }
        out32(pci::address_port, 0x80000000 | function << 8 | offset);
        out32(pci::data_port, value);
    }
};

u32 ask(const space& config, u32 function, u32 offset, u32 question) {
    const u32 before = config.read(function, offset);
    config.write(function, offset, question);
    const u32 answer = config.read(function, offset);
    config.write(function, offset, before);
    return answer;
}

void report_function(const space& config, u32 function) {
    report::text("function");
    report::number(function);
    for (u32 offset = 0; offset < header_size; offset += 4) {
        report::number(config.read(function, offset));
    }
    const u32 type = config.read(function, header_type) >> 16 & 0x7f;
    const u32 bars = type == 0 ? 6 : type == 1 ? 2 : 0;
    if (config.read(function, class_code) >> 16 != host_bridge && bars != 0) {
        const u32 decoded = config.read(function, command) & 0xffff;
        config.write(function, command, 0);
        for (u32 i = 0; i < bars; ++i) {
            report::number(ask(config, function, 0x10 + 4 * i, 0xffffffff));
        }
        report::number(ask(config, function, type == 0 ? 0x30 : 0x38, 0xfffff800));
        config.write(function, command, decoded);
    }
    report::end_line();
}

}  // namespace

void report_all() {
    const space config;
    // Nothing is there on a machine without PCI: all zeros or all ones.
    const u32 first = config.read(0, 0);
    if (first == 0 || first == 0xffffffff) {
        return;
    }
    for (u32 slot = 0; slot < 0x10000; slot += 8) {
        u32 functions = 1;
        for (u32 i = 0; i < functions; ++i) {
            if ((config.read(slot + i, 0) & 0xffff) == 0xffff) {
                continue;
            }
            if (i == 0 && (config.read(slot, header_type) & multifunction) != 0) {
                functions = 8;
            }
            report_function(config, slot + i);
        }
    }
}

}  // namespace buses
