// SPDX-License-Identifier: MIT
// When each step was done: kept, and told to whom it concerns.
#include "hw/tsc.hpp"
#include "machine.hpp"
#include "tables/fpdt.hpp"

namespace mayfly {
namespace {

constexpr text step_names[step_count] = {"reset",   "chipset", "platform", "tables",
                                         "loading", "loaded",  "entry"};

tables::boot_times in_nanoseconds(const timeline& times, u32 khz) {
    tables::boot_times result{.tsc_khz = khz, .tsc_at_reset = times.tsc[0], .nanoseconds = {}};
    for (u32 i = 0; i < step_count; i++)
        result.nanoseconds[i] = hw::nanoseconds(times.tsc[i] - times.tsc[0], khz);
    return result;
}

void print(machine& pc, const tables::boot_times& times, text source) {
    hw::say_on_debug_port(pc.hardware, {sentences::timeline_frequency, source, {times.tsc_khz}});
    for (u32 i = 0; i < step_count; i++)
        hw::say_on_debug_port(
            pc.hardware,
            {sentences::timeline_step, step_names[i], {times.nanoseconds[i], pc.times.tsc[i]}});
}

void print_without_frequency(machine& pc) {
    hw::say_on_debug_port(pc.hardware, {sentences::timeline_no_frequency});
    for (u32 i = 0; i < step_count; i++)
        hw::say_on_debug_port(pc.hardware,
                              {sentences::timeline_ticks, step_names[i], {pc.times.tsc[i]}});
}

void report(machine& pc, const tables::acpi_tables& acpi, const hw::tsc_frequency& frequency) {
    const auto times = in_nanoseconds(pc.times, frequency.khz);
    tables::publish_fpdt(times, acpi, pc.work);
    if (pc.asked.timeline)
        print(pc, times, frequency.source);
}

}  // namespace

void show_mark(machine& pc, step done) {
    constexpr u16 post_codes = 0x80, firmware_marks = 0xf5, loader_marks = 0xf4;
    // Cloud Hypervisor docs/debug-port.md: firmware, from 0x20 boot loader, from 0x40 kernel.
    constexpr u8 codes[step_count] = {0x00, 0x01, 0x02, 0x03, 0x20, 0x21, 0x40};
    // qemu-boot-time, benchmark.h: the firmware starts, it boots; the kernel is read.
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
    auto frequency = hw::known_tsc_frequency(pc.hardware, pc.work);
    pc.times.tsc[static_cast<u8>(step::entry)] = pc.hardware.read_tsc();
    // Everything from here on is the instrument, not the boot.
    if (pc.asked.timeline && frequency.khz == 0)
        frequency = hw::measure_tsc_frequency(pc.hardware, pc.bridge.kind);
    if (frequency.khz != 0)
        report(pc, acpi, frequency);
    else if (pc.asked.timeline)
        print_without_frequency(pc);
    if (pc.asked.marks) {
        constexpr u16 loader_marks = 0xf4;
        show_mark(pc, step::entry);
        pc.hardware.out8(loader_marks, static_cast<u8>(kind));
    }
}

}  // namespace mayfly
