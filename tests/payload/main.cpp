// SPDX-License-Identifier: MIT
// The reporting payload: says what the firmware left, then exits, waits or reboots.
//
// Words on the command line: `wait` keeps the guest halted instead of exiting, `keep` leaves the
// report in memory, `brief` reports the hand-over only, `dump=address,size` adds memory, `boots=n`
// with `reboot=kind` boots n times (n hexadecimal), `scribble` spoils memory before each reboot,
// `buses` reports every function of every PCI bus; `pcibios` asks the PCI BIOS, `timer`, `edu`,
// `key` and `virtio` take interrupts, `realmode` asks the BIOS in real mode, `clock` reports the
// clock and changes it. `sleeps=n` sleeps n times by ACPI S3, reports and takes interrupts again
// after each. `processors=n` starts all n processors (n hexadecimal) and reports each.
#include "bios32.hpp"
#include "buses.hpp"
#include "handover.hpp"
#include "initrd.hpp"
#include "interrupts.hpp"
#include "machine.hpp"
#include "processors.hpp"
#include "reboot.hpp"
#include "report.hpp"
#include "sleep.hpp"
#include "tables.hpp"
#include "words.hpp"

namespace {

constexpr u16 exit_port = 0xf4;
constexpr u8 exit_good = 0x10;
constexpr u8 exit_exception = 0x11;
constexpr u32 exception_count = 20;

extern "C" const u32 exception_entries[exception_count];

struct [[gnu::packed]] gate {
    u16 offset_low;
    u16 selector;
    u16 flags;
    u16 offset_high;
};

struct [[gnu::packed]] {
    u16 limit;
    u32 base;
} idt_pointer;

gate idt[exception_count];

void catch_exceptions() {
    constexpr u16 interrupt_gate = 0x8e00;
    constexpr u16 code_selector = 0x10;
    for (u32 i = 0; i < exception_count; ++i) {
        const u32 entry = exception_entries[i];
        idt[i] = {static_cast<u16>(entry), code_selector, interrupt_gate,
                  static_cast<u16>(entry >> 16)};
    }
    idt_pointer = {sizeof idt - 1, reinterpret_cast<u32>(idt)};
    asm volatile("lidt %0" : : "m"(idt_pointer));
}

// Scribbling and rebooting still need the words when the memory they came in is spoilt.
u32 own_copy(u32 command_line) {
    static char copy[1 << 16];
    if (command_line == 0) {
        return 0;
    }
    for (u32 i = 0; i + 1 < sizeof copy; ++i) {
        copy[i] = load<char>(command_line + i);
        if (copy[i] == '\0') {
            break;
        }
    }
    return reinterpret_cast<u32>(copy);
}

[[noreturn]] void leave(u8 status) {
    out8(exit_port, status);
    stop();
}

/// As the image has it; a kernel that runs has changed its data, so it must be loaded anew each
/// time.
volatile u32 image_is_fresh = 1;

u64 given_rsdp;
u32 own_command_line;

void report_platform(u64 rsdp) {
    machine::report_cpu();
    machine::report_pci();
    machine::report_ports();
    machine::report_low_memory();
    tables::report_acpi(rsdp);
    tables::report_smbios();
    tables::report_mp();
    tables::report_bios();
}

// At the boot and after each sleep.
void report_machine(const words& command_line) {
    if (!command_line.has("brief")) {
        report_platform(given_rsdp);
    }
    if (command_line.has("buses")) {
        buses::report_all();
    }
    processors::report_all(command_line);
    if (sleep::is_wanted(command_line)) {
        sleep::report_told();
    }
}

[[noreturn]] void end(const words& command_line) {
    if (command_line.has("wait") || command_line.has("keep")) {
        stop();
    }
    leave(exit_good);
}

}  // namespace

extern "C" [[noreturn]] void payload_exception(const u32* stack) {
    report::text("exception");
    for (u32 i = 0; i < 4; ++i) {  // vector, then error code and EIP, or EIP and CS
        report::number(stack[i]);
    }
    report::end_line();
    report::finish();
    leave(exit_exception);
}

extern "C" [[noreturn]] void payload_main() {
    catch_exceptions();
    const u32 boot = reboot::count_boot();
    report::fact("boot", "number", boot);
    report::fact("boot", "fresh", image_is_fresh);
    image_is_fresh = 0;
    const handover given = report_handover(entry_state);
    given_rsdp = given.rsdp;
    own_command_line = own_copy(given.command_line);
    const words command_line(own_command_line);
    if (command_line.has("keep")) {
        report::keep_in_memory();
    }
    report_machine(command_line);
    if (command_line.has("pcibios")) {
        bios32::report_pci_bios();
    }
    if (command_line.has("realmode")) {
        bios32::report_real_mode(command_line.number("vectors=", 0x100));
    }
    if (command_line.has("clock")) {
        machine::report_clock();
    }
    interrupts::report(command_line);
    command_line.each_dump([](u32 address, u32 size) { report::memory("dump", address, size); });
    if (given.initrd_size != 0) {
        report_sums("initrd", given.initrd, given.initrd_size);
    }
    report::finish();
    if (boot < command_line.number("boots=", 1)) {
        reboot::scribble(command_line);
        reboot::by_word(command_line, tables::find_rsdp(given_rsdp));
    }
    sleep::by_word(command_line, given_rsdp);
    end(command_line);
}

// After a sleep.
extern "C" [[noreturn]] void payload_woken() {
    catch_exceptions();
    const words command_line(own_command_line);
    sleep::report_waking();
    report_machine(command_line);
    interrupts::report(command_line);
    report::finish();
    sleep::by_word(command_line, given_rsdp);
    end(command_line);
}
