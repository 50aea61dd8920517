// SPDX-License-Identifier: MIT
// What the firmware says, and the end of a boot that cannot go on.
#include "core/fault.hpp"
#include "machine.hpp"

namespace mayfly {
namespace {

/// pvpanic's event "the guest panicked" (QEMU docs/specs/pvpanic.rst).
constexpr u8 panicked = 1u << 0;

/// Tells QEMU's pvpanic-pci on bus 0. Its BAR is put where no machine of QEMU's has anything else
/// and no guest will come any more.
void tell_pvpanic_pci(hw::hardware& hardware) {
    constexpr u32 identity = 0x00111b36, somewhere = 0xfe000000, decode_memory = 1u << 1;
    for (u8 device = 0; device < 32; device++) {
        const hw::pci_function at{device, 0};
        if (hw::read_pci(hardware, at, 0) != identity)
            continue;
        hw::write_pci(hardware, at, hw::pci_bar_0, somewhere);
        hw::write_pci(hardware, at, hw::pci_command, decode_memory);
        hardware.write_mmio32(somewhere, panicked);
    }
}

/// Tells QEMU's pvpanic-isa, if fw_cfg names its port.
void tell_pvpanic_isa(hw::hardware& hardware) {
    arena work({}, work_area_begin, work_area_end);
    hw::fw_cfg config(hardware, work);
    config.open();
    const hw::file port = config.find("etc/pvpanic-port");
    if (!port.exists())
        return;
    const bytes content = work.take(sizeof(u16));
    config.read(port, content);
    hardware.out8(load<u16>(content, 0), panicked);
}

}  // namespace

void warn(const char* sentence, u32 first, u32 second, u64 third) {
    hw::hardware hardware;
    hw::say_on_debug_port(hardware, {sentence, {}, {first, second, third}});
}

void log(machine& pc, const char* sentence, u32 first, u32 second, u32 third) {
    if (pc.asked.log)
        hw::say_on_debug_port(pc.hardware, {sentence, {}, {first, second, third}});
}

void stop(const fault& what) {
    // What is wrong while the host is told adds nothing to what was said.
    const bytes mark = memory{}.at(stop_mark, sizeof(u32));
    if (load<u32>(mark, 0) != 0)
        hw::halt();
    store<u32>(mark, 0, 1);
    hw::hardware hardware;
    hw::say_on_debug_port(hardware, what);
    hw::say_on_serial_port(hardware, what);
    tell_pvpanic_pci(hardware);
    tell_pvpanic_isa(hardware);
    hw::halt();
}

/// Where every CPU exception comes to.
extern "C" [[noreturn]] void firmware_exception(u32 vector, u32 address, u32 error_code) {
    fail_wide(sentences::exception, vector, address, error_code);
}

}  // namespace mayfly
