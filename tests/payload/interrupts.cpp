// SPDX-License-Identifier: MIT
#include "interrupts.hpp"

#include "pci.hpp"
#include "report.hpp"
#include "tables.hpp"

namespace interrupts {
namespace {

constexpr u16 first_pic = 0x20;
constexpr u16 second_pic = 0xa0;
constexpr u8 end_of_interrupt = 0x20;
constexpr u32 local_apic = 0xfee00000;
constexpr u32 apic_id = 0x20;
constexpr u32 apic_eoi = 0xb0;
constexpr u32 apic_spurious = 0xf0;

// What the firmware left for the 8259s' lines; the lines of the I/O APICs are ours.
constexpr u32 first_pic_vector = 0x08;
constexpr u32 second_pic_vector = 0x70;
constexpr u32 io_apic_vector = 0x80;
constexpr u32 vector_count = 0x100;

volatile u32 seen[vector_count];
u32 io_apic;  // whose pins are in use
u32 open_pin;
u32 open_entry;
u8 mask_left;  // of the first 8259, which has the second one's line
bool has_pic;

void write_io_apic(u32 reg, u32 value) {
    store<u32>(io_apic, reg);
    store<u32>(io_apic + 0x10, value);
}

constexpr u32 redirection(u32 pin) {
    return 0x10 + 2 * pin;
}

// Its trigger mode stays: the end of the interrupt depends on it.
void close_pin() {
    constexpr u32 masked = 1u << 16;
    write_io_apic(redirection(open_pin), open_entry | masked);
}

// A line that stays asserted would come again: it is closed before the end of the interrupt.
void end_pic_interrupt(u32 irq) {
    const u16 pic = irq < 8 ? first_pic : second_pic;
    const u16 mask = pic + 1;
    out8(mask, static_cast<u8>(in8(mask) | 1u << irq % 8));
    if (irq >= 8) {
        out8(second_pic, end_of_interrupt);
    }
    out8(first_pic, end_of_interrupt);
}

extern "C" const char interrupt_entries[];

extern "C" void interrupt_taken(u32 vector) {
    seen[vector] = seen[vector] + 1;
    if (vector >= io_apic_vector) {
        close_pin();
        store<u32>(local_apic + apic_eoi, 0);
    } else {
        end_pic_interrupt(vector >= second_pic_vector ? vector - second_pic_vector + 8
                                                      : vector - first_pic_vector);
    }
}

struct [[gnu::packed]] gate {
    u16 offset_low;
    u16 selector;
    u16 flags;
    u16 offset_high;
};

struct [[gnu::packed]] table_pointer {
    u16 limit;
    u32 base;
};

gate idt[vector_count];

void set_gates(u32 first, u32 count) {
    for (u32 vector = first; vector < first + count; ++vector) {
        const u32 address = reinterpret_cast<u32>(interrupt_entries + 16 * vector);
        idt[vector] = {static_cast<u16>(address), 0x10, 0x8e00, static_cast<u16>(address >> 16)};
    }
}

// The exceptions stay as they are.
void take_all() {
    table_pointer now;
    asm volatile("sidt %0" : "=m"(now));
    for (u32 at = 0; at < now.limit; at += 8) {
        idt[at / 8] = load<gate>(now.base + at);
    }
    set_gates(first_pic_vector, 8);
    set_gates(second_pic_vector, 8);
    set_gates(io_apic_vector, 24);
    now = {sizeof idt - 1, reinterpret_cast<u32>(idt)};
    asm volatile("lidt %0" : : "m"(now));
}

u64 read_tsc() {
    u64 value;
    asm volatile("rdtsc" : "=A"(value));
    return value;
}

// How often the interrupt came; waits for the first, but not for ever, and a little longer.
u32 wait_for(u32 vector) {
    constexpr u64 patience = 60'000'000'000, little = 2'000'000;
    if (!has_pic && vector < io_apic_vector) {
        return 0;
    }
    seen[vector] = 0;
    asm volatile("sti");
    const u64 begin = read_tsc();
    while (seen[vector] == 0 && read_tsc() - begin < patience) {
        asm volatile("pause");
    }
    const u64 came = read_tsc();
    while (read_tsc() - came < little) {
        asm volatile("pause");
    }
    asm volatile("cli");
    return seen[vector];
}

u32 pic_vector(u32 irq) {
    return irq < 8 ? first_pic_vector + irq : second_pic_vector + irq - 8;
}

// Opens nothing but this line: the cascade is as the firmware left it.
void open_irq(u32 irq) {
    const u16 mask = (irq < 8 ? first_pic : second_pic) + 1;
    out8(mask, static_cast<u8>(in8(mask) & ~(1u << irq % 8)));
}

void close_pics() {
    out8(first_pic + 1, 0xff);
    out8(second_pic + 1, 0xff);
}

// MP specification 1.4, chapter 4.
struct route {
    u32 address = 0;  // of the I/O APIC; 0: no entry
    u32 pin = 0;
    u32 flags = 0;
};

template <typename F>
void each_entry(F use) {
    const u32 table = tables::mp_table();
    const u32 end = table + load<u16>(table + 4);
    for (u32 at = table + 44; at < end; at += load<u8>(at) == 0 ? 20 : 8) {
        use(at, load<u8>(at));
    }
}

route find_route(bool is_pci, u32 line) {
    constexpr u8 bus_entry = 1, io_apic_entry = 2, interrupt_entry = 3;
    u32 bus = 0x100;
    each_entry([&](u32 at, u8 type) {
        if (type == bus_entry && is_text(at + 2, is_pci ? "PCI   " : "ISA   ")) {
            bus = load<u8>(at + 1);
        }
    });
    route found;
    u32 id = 0x100;
    each_entry([&](u32 at, u8 type) {
        if (type == interrupt_entry && load<u8>(at + 1) == 0 && load<u8>(at + 4) == bus &&
            load<u8>(at + 5) == line) {
            found.flags = load<u16>(at + 2);
            found.pin = load<u8>(at + 7);
            id = load<u8>(at + 6);
        }
    });
    each_entry([&](u32 at, u8 type) {
        if (type == io_apic_entry && load<u8>(at + 1) == id) {
            found.address = load<u32>(at + 4);
        }
    });
    return found;
}

// Only then may a device ask: an I/O APIC may forget what came to a closed pin.
void open_by(const route& by, bool is_pci) {
    constexpr u32 active_low = 1u << 13, level = 1u << 15;
    const u32 polarity = by.flags & 3, trigger = by.flags >> 2 & 3;
    const bool is_low = polarity == 3 || (polarity == 0 && is_pci);
    const bool is_level = trigger == 3 || (trigger == 0 && is_pci);
    io_apic = by.address;
    open_pin = by.pin;
    open_entry = (io_apic_vector + by.pin) | (is_low ? active_low : 0) | (is_level ? level : 0);
    close_pics();
    store<u32>(local_apic + apic_spurious, 0x1ff);
    write_io_apic(redirection(by.pin) + 1, load<u32>(local_apic + apic_id));
    write_io_apic(redirection(by.pin), open_entry);
}

u32 wait_by_io_apic() {
    const u32 count = wait_for(io_apic_vector + open_pin);
    close_pin();
    return count;
}

void report_count(const char* keyword, u32 line, u32 count) {
    report::text(keyword);
    report::number(line);
    report::number(count);
    report::end_line();
}

// `assert_line` has the device ask for an interrupt, `release` is its driver's answer.
template <typename Assert, typename Release>
void report_both(const char* pic, const char* apic, u32 irq, bool is_pci, u32 line,
                 Assert assert_line, Release release) {
    if (has_pic) {
        out8(first_pic + 1, mask_left);
        open_irq(irq);
        assert_line();
        report_count(pic, irq, wait_for(pic_vector(irq)));
        release();
    }
    const route by = find_route(is_pci, line);
    if (by.address == 0) {
        return;
    }
    open_by(by, is_pci);
    assert_line();
    report_count(apic, by.pin, wait_by_io_apic());
    release();
}

void report_timer() {
    report_count("timer_pic", 0, wait_for(first_pic_vector));
    constexpr u32 has_apic = 1u << 9;
    const route by = find_route(false, 0);
    if (by.address != 0 && (cpuid(1).edx & has_apic) != 0) {
        open_by(by, false);
        report_count("timer_apic", by.pin, wait_by_io_apic());
    }
}

// A key is one code as it is pressed and one as it is released.
void report_key() {
    constexpr u32 irq = 1, codes = 2;
    constexpr u16 data = 0x60;
    report::fact("waiting", "key", 1);
    report::send();
    for (u32 i = 0; i < codes; ++i) {
        open_irq(irq);
        const u32 count = wait_for(pic_vector(irq));
        report_count("key", in8(data), count);
    }
}

u32 read_config(u32 function, u32 offset) {
    out32(pci::address_port, 0x80000000 | function << 8 | offset);
    return in32(pci::data_port);
}

// The device and pin on bus 0 whose line that of `function` is (PCI-to-PCI bridges 1.2, 9.1).
u32 line_on_bus_0(u32 function, u32 pin) {
    while (function >> 8 != 0) {
        u32 bridge = 0;
        while ((read_config(bridge, 0x0c) >> 16 & 0x7f) != 1 ||
               (read_config(bridge, 0x18) >> 8 & 0xff) != function >> 8) {
            ++bridge;
        }
        pin = (pin + (function >> 3)) % 4;
        function = bridge;
    }
    return (function >> 3) << 2 | pin;
}

void report_edu() {
    constexpr u32 last_bus = 3;
    constexpr u32 edu = 0x11e81234, raise = 0x60, acknowledge = 0x64, mask = 1;
    for (u32 function = 0; function < (last_bus + 1) << 8; ++function) {
        if (read_config(function, 0) != edu) {
            continue;
        }
        const u32 device = read_config(function, 0x10) & ~0xfu;
        const u32 interrupt = read_config(function, 0x3c);
        report_both(
            "edu_pic", "edu_apic", interrupt & 0xff, true,
            line_on_bus_0(function, (interrupt >> 8 & 0xff) - 1),
            [=] { store<u32>(device + raise, mask); },
            [=] { store<u32>(device + acknowledge, mask); });
    }
}

// Virtio 1.0, 4.2.4: the legacy interface, as QEMU has it unless it is told otherwise.
struct [[gnu::packed]] virtio_queue {
    static constexpr u32 size = 2;
    struct {
        u64 address;
        u32 length;
        u16 flags, next;
    } descriptors[size];
    u16 available_flags, available_index, available[size];
    u8 padding[4096 - 16 * size - 4 - 2 * size];
    u16 used_flags;
    volatile u16 used_index;
    u32 used[2 * size];
};
static_assert(__builtin_offsetof(virtio_queue, used_flags) == 4096);

alignas(4096) virtio_queue queue;
u8 entropy[16];

void ask_for_entropy(u32 device) {
    constexpr u32 page_size = 0x28, queue_size = 0x38, queue_align = 0x3c, queue_page = 0x40,
                  notify = 0x50, status = 0x70, guest_features = 0x20;
    constexpr u16 written_by_device = 2;
    store<u32>(device + status, 0);
    queue = {};
    queue.descriptors[0].address = reinterpret_cast<u32>(entropy);
    queue.descriptors[0].length = sizeof entropy;
    queue.descriptors[0].flags = written_by_device;
    queue.available_index = 1;
    store<u32>(device + status, 3);
    store<u32>(device + guest_features, 0);
    store<u32>(device + page_size, 4096);
    store<u32>(device + queue_size, virtio_queue::size);
    store<u32>(device + queue_align, 4096);
    store<u32>(device + queue_page, reinterpret_cast<u32>(&queue) / 4096);
    store<u32>(device + status, 7);
    asm volatile("" : : : "memory");
    store<u32>(device + notify, 0);
}

void acknowledge(u32 device) {
    constexpr u32 interrupt_status = 0x60, interrupt_acknowledge = 0x64;
    store<u32>(device + interrupt_acknowledge, load<u32>(device + interrupt_status));
}

void report_virtio() {
    constexpr u32 first = 0xfeb00000, size = 0x200, transports = 8, first_irq = 5;
    constexpr u32 magic = 0x74726976, entropy_source = 4;
    for (u32 i = 0; i < transports; ++i) {
        const u32 device = first + size * i;
        const u32 irq = first_irq + i;
        if (load<u32>(device) == magic && load<u32>(device + 8) == entropy_source) {
            report_both(
                "virtio_pic", "virtio_apic", irq, false, irq, [=] { ask_for_entropy(device); },
                [=] { acknowledge(device); });
        }
    }
}

}  // namespace

void report(const words& command_line) {
    if (!command_line.has("timer") && !command_line.has("edu") && !command_line.has("virtio") &&
        !command_line.has("key")) {
        return;
    }
    table_pointer before;
    asm volatile("sidt %0" : "=m"(before));
    take_all();
    has_pic = !command_line.has("nopic");
    mask_left = in8(first_pic + 1) | 1;  // but for the timer's
    if (command_line.has("timer")) {
        report_timer();
    }
    if (command_line.has("key")) {
        report_key();
    }
    if (command_line.has("edu")) {
        report_edu();
    }
    if (command_line.has("virtio")) {
        report_virtio();
    }
    asm volatile("lidt %0" : : "m"(before));
}

}  // namespace interrupts
