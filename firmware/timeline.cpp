// SPDX-License-Identifier: MIT
// When each step was done: kept, and told to whom it concerns.
#include "core/tick_scale.hpp"
#include "hw/tsc.hpp"
#include "machine.hpp"
#include "tables/fpdt.hpp"

namespace mayfly {
namespace {

constexpr text step_names[step_count] = {"reset",   "chipset", "platform", "tables",
                                         "loading", "loaded",  "entry"};

// qemu-boot-time's ports (github.com/stefano-garzarella/qemu-boot-time, benchmark.h).
constexpr u16 firmware_marks = 0xf5, loader_marks = 0xf4;

/// What is known of the counter without measuring, where somebody will read it.
hw::tsc_frequency known_frequency(machine& pc, const tables::acpi_tables& acpi) {
    if (acpi.rsdp.empty() && !pc.asked.timeline)
        return {};
    return hw::known_tsc_frequency(pc.hardware, pc.work);
}

void say(machine& pc, const fault& line) {
    hw::say_on_debug_port(pc.hardware, line);
}

/// In ticks where the frequency, then 0 kHz, is unknown.
void print(machine& pc, const hw::tsc_frequency& frequency) {
    const u32 khz = frequency.khz;
    say(pc, {khz != 0 ? sentences::timeline_frequency : sentences::timeline_no_frequency,
             frequency.source,
             {khz}});
    const tick_scale scale(khz != 0 ? khz : tick_scale::slowest_khz);
    for (u32 i = 0; i < step_count; i++) {
        const u64 tsc = pc.times.tsc[i];
        fault line{sentences::timeline_ticks, step_names[i], {tsc, tsc}};
        if (khz != 0) {
            line.sentence = sentences::timeline_step;
            line.numbers[0] = scale.nanoseconds(tsc - pc.times.tsc[0]);
        }
        say(pc, line);
    }
}

}  // namespace

void show_mark(machine& pc, step done) {
    constexpr u16 post_codes = 0x80;
    // Cloud Hypervisor docs/debug-port.md: firmware, from 0x20 boot loader, from 0x40 kernel.
    static constexpr u8 codes[step_count] = {0x00, 0x01, 0x02, 0x03, 0x20, 0x21, 0x40};
    // The firmware starts, it boots; the kernel is read.
    constexpr u8 starts = 1, boots = 5, reads = 2;
    pc.hardware.out8(post_codes, codes[static_cast<u8>(done)]);
    if (done == step::chipset)
        pc.hardware.out8(firmware_marks, starts);
    if (done == step::tables)
        pc.hardware.out8(firmware_marks, boots);
    if (done == step::loading)
        pc.hardware.out8(loader_marks, reads);
}

void publish_timeline(machine& pc, const tables::acpi_tables& acpi, entry_mark kind) {
    auto frequency = known_frequency(pc, acpi);
    pc.times.tsc[static_cast<u32>(step::entry)] = pc.hardware.read_tsc();
    // Everything from here on is the instrument, not the boot.
    if (pc.asked.timeline && frequency.khz == 0)
        frequency = hw::measure_tsc_frequency(pc.hardware, pc.bridge.kind);
    if (frequency.khz < tick_scale::slowest_khz)
        frequency.khz = 0;
    if (frequency.khz != 0)
        tables::publish_fpdt(pc.times, frequency.khz, acpi, pc.work);
    if (pc.asked.timeline)
        print(pc, frequency);
    if (pc.asked.marks) {
        show_mark(pc, step::entry);
        pc.hardware.out8(loader_marks, static_cast<u8>(kind));
    }
}

}  // namespace mayfly
