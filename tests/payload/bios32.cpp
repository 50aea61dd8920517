// SPDX-License-Identifier: MIT
#include "bios32.hpp"

#include <initializer_list>

#include "pci.hpp"
#include "report.hpp"
#include "tables.hpp"

extern "C" const char real_services_begin[];
extern "C" const char real_services_end[];
extern "C" const char real_services_vectors[];
extern "C" u64 payload_gdt[];

namespace {

struct bios_registers {
    u32 eax, ebx, ecx, edx, esi, edi, ebp, eflags;
    u32 offset, selector;
};
extern "C" void bios_call(bios_registers*);

constexpr u32 flat_code = 0x10;
constexpr u32 flat_data = 0x18;
constexpr u32 moved_code = 0x30;

constexpr u32 kept = 0x2468ace0;
constexpr u32 carry = 1;
constexpr u32 no_device = 0xffffffff;

constexpr u8 good = 0x00;
constexpr u8 not_supported = 0x81;
constexpr u8 bad_vendor = 0x83;
constexpr u8 not_found = 0x86;
constexpr u8 bad_register = 0x87;
constexpr u8 buffer_too_small = 0x89;

// Code of 64 KiB at `base`.
void move_code_segment(u32 base) {
    constexpr u64 code_of_64_kib = 0x00409b000000ffff;
    payload_gdt[moved_code / 8] =
        code_of_64_kib | u64{base & 0xffffff} << 16 | u64{base >> 24} << 56;
}

// Where a service is, by the directory at `entry`, called with a selector of its own base.
struct service {
    u32 status, base, length, offset;
};

service find_service(u32 name, u32 function, u32 entry, u32 code_base) {
    bios_registers r{name, function, kept, kept, kept, kept, kept, 0, entry - code_base, flat_code};
    if (code_base != 0) {
        move_code_segment(code_base);
        r.selector = moved_code;
    }
    bios_call(&r);
    return {r.eax & 0xff, r.ebx, r.ecx, r.edx};
}

// How the PCI BIOS is called, and what was wrong.
class pci_bios {
  public:
    pci_bios(u32 base, u32 offset, bool moved)
        : offset_(moved ? offset : base + offset), selector_(moved ? moved_code : flat_code) {
        if (moved) {
            move_code_segment(base);
        }
    }

    // Calls function `al` and checks status, CF and the registers that are always kept.
    bios_registers call(u32 al, u32 ebx, u32 ecx, u32 edx, u32 esi, u32 edi, u32 status) {
        bios_registers r{0xb100 | al, ebx, ecx, edx, esi, edi, kept, 0, offset_, selector_};
        bios_call(&r);
        expect((r.eax >> 8 & 0xff) == status);
        expect(((r.eflags & carry) != 0) == (status != good));
        expect(r.esi == esi && r.edi == edi && r.ebp == kept);
        return r;
    }

    void expect(bool right) {
        ++checks;
        if (!right && wrong++ == 0) {
            first_wrong = checks;
        }
    }

    u32 checks = 0;
    u32 wrong = 0;
    u32 first_wrong = 0;

  private:
    u32 offset_;
    u32 selector_;
};

u32 read_config(u32 function, u32 offset) {
    out32(pci::address_port, 0x80000000 | function << 8 | (offset & 0xfc));
    return in32(pci::data_port);
}

// Calls `use(function, nth)` for each function whose register `offset`, shifted, is `value`.
template <typename F>
void each_like(u32 offset, u32 shift, u32 value, u32 last_bus, F use) {
    u32 nth = 0;
    for (u32 function = 0; function < (last_bus + 1) << 8; ++function) {
        if (read_config(function, 0) != no_device &&
            read_config(function, offset) >> shift == value) {
            use(function, nth++);
        }
    }
}

void check_finding(pci_bios& bios, u32 last_bus) {
    u32 functions = 0;
    for (u32 function = 0; function < (last_bus + 1) << 8; ++function) {
        const u32 id = read_config(function, 0);
        if (id == no_device) {
            continue;
        }
        ++functions;
        u32 count = 0;
        each_like(0, 0, id, last_bus, [&](u32 at, u32 nth) {
            const auto r = bios.call(2, kept, id >> 16, id & 0xffff, nth, kept, good);
            bios.expect((r.ebx & 0xffff) == at);
            ++count;
        });
        bios.call(2, kept, id >> 16, id & 0xffff, count, kept, not_found);
        const u32 kind = read_config(function, 8) >> 8;
        count = 0;
        each_like(8, 8, kind, last_bus, [&](u32 at, u32 nth) {
            const auto r = bios.call(3, kept, kind, kept, nth, kept, good);
            bios.expect((r.ebx & 0xffff) == at);
            ++count;
        });
        bios.call(3, kept, kind, kept, count, kept, not_found);
        bios.call(3, kept, kind, kept, 0xffff, kept, not_found);
    }
    report::fact("pcibios", "functions", functions);
    bios.call(2, kept, 0x1234, 0xffff, 0, kept, bad_vendor);
    bios.call(2, kept, 0xffff, 0xfffe, 0, kept, not_found);
    bios.call(3, kept, 0xffffff, kept, 0, kept, not_found);
}

void check_reading(pci_bios& bios, u32 last_bus) {
    for (u32 function = 0; function < (last_bus + 1) << 8; ++function) {
        if (read_config(function, 0) == no_device) {
            continue;
        }
        for (u32 offset = 0; offset < 0x40; ++offset) {
            const u32 value = read_config(function, offset) >> offset % 4 * 8;
            const u32 bx = 0xabcd0000 | function;
            auto r = bios.call(8, bx, kept, kept, kept, offset, good);
            bios.expect(r.ecx == ((kept & ~0xffu) | (value & 0xff)) && r.edx == kept &&
                        r.ebx == bx);
            r = bios.call(9, bx, kept, kept, kept, offset, offset % 2 ? bad_register : good);
            bios.expect(offset % 2 != 0 || r.ecx == ((kept & ~0xffffu) | (value & 0xffff)));
            r = bios.call(10, bx, kept, kept, kept, 0x5a5a0000 | offset,
                          offset % 4 ? bad_register : good);
            bios.expect(offset % 4 != 0 || r.ecx == value);
        }
    }
    for (u32 function = 8; function <= 13; ++function) {
        bios.call(function, 0, kept, kept, kept, 0x100, bad_register);
        bios.call(function, 0, kept, kept, kept, 0xff00, bad_register);
    }
}

// In the interrupt line register of the host bridge, which nothing else uses, and a BAR of another.
void check_writing(pci_bios& bios) {
    constexpr u32 line = 0x3c;
    const u32 before = read_config(0, line);
    bios.call(11, 0, 0x55, kept, kept, line, good);
    bios.expect((read_config(0, line) & 0xff) == 0x55);
    bios.call(12, 0, 0x77aa, kept, kept, line, good);
    bios.expect((read_config(0, line) & 0xff) == 0xaa);
    bios.call(12, 0, 0x33, kept, kept, line + 1, bad_register);
    bios.call(13, 0, 0x33, kept, kept, line + 2, bad_register);
    bios.expect((read_config(0, line) & 0xff) == 0xaa);
    bios.call(13, 0, before, kept, kept, line, good);
    bios.expect(read_config(0, line) == before);
    constexpr u32 command = 4;
    for (u32 function = 8; function < 0x100; ++function) {
        const u32 value = read_config(function, command);
        if (read_config(function, 0) == no_device || (value & 3) == 0) {
            continue;
        }
        bios.call(12, function, value & 0xfffc, kept, kept, command, good);
        bios.expect((read_config(function, command) & 0xffff) == (value & 0xfffc));
        bios.call(13, function, value & 0xffff, kept, kept, command, good);
        bios.expect(read_config(function, command) == value);
    }
}

u8 slots[0x210];

void check_routing(pci_bios& bios) {
    struct [[gnu::packed]] {
        u16 size;
        u32 offset;
        u16 selector;
    } buffer = {0x1ff, reinterpret_cast<u32>(slots), flat_data};
    static_assert(sizeof buffer == 8);
    for (u8& byte : slots) {
        byte = 0x5a;
    }
    const u32 at = reinterpret_cast<u32>(&buffer);
    bios.call(14, 0, kept, kept, kept, at, buffer_too_small);
    bios.expect(buffer.size == 0x200 && slots[0] == 0x5a);
    buffer.size = sizeof slots;
    const auto r = bios.call(14, 0, kept, kept, kept, at, good);
    bios.expect(buffer.size == 0x200 && slots[0x200] == 0x5a);
    bios.expect(r.ecx == kept && r.edx == kept);
    report::fact("pcibios", "exclusive", r.ebx & 0xffff);
    report::memory("routing", reinterpret_cast<u32>(slots), 0x200);
}

void check(u32 base, u32 offset, bool moved) {
    pci_bios bios(base, offset, moved);
    const auto r = bios.call(1, kept, kept, kept, kept, 0, good);
    const u32 last_bus = r.ecx & 0xff;
    report::fact("pcibios", "last_bus", last_bus);
    report::fact("pcibios", "version", r.ebx & 0xffff);
    report::fact("pcibios", "mechanism", r.eax & 0xff);
    report::fact("pcibios", "signature", r.edx);
    bios.expect(r.ecx == ((kept & ~0xffu) | last_bus));
    check_finding(bios, last_bus);
    check_reading(bios, last_bus);
    check_writing(bios);
    check_routing(bios);
    for (const u32 function : {0x00, 0x04, 0x05, 0x06, 0x07, 0x0f, 0x10, 0x80, 0xff}) {
        const auto none =
            bios.call(static_cast<u32>(function), kept, kept, kept, kept, kept, not_supported);
        bios.expect(none.ebx == kept && none.ecx == kept && none.edx == kept);
    }
    bios_registers other{0xb201,
                         kept,
                         kept,
                         kept,
                         kept,
                         kept,
                         kept,
                         0,
                         moved ? offset : base + offset,
                         moved ? moved_code : flat_code};
    bios_call(&other);
    bios.expect(other.eax == 0x8101 && (other.eflags & carry) != 0);
    report::fact("pcibios", moved ? "moved_checks" : "checks", bios.checks);
    report::fact("pcibios", moved ? "moved_wrong" : "wrong", bios.wrong);
    report::fact("pcibios", moved ? "moved_first_wrong" : "first_wrong", bios.first_wrong);
}

}  // namespace

namespace bios32 {

void report_pci_bios() {
    const u32 anchor = tables::find_bios32();
    if (anchor == 0) {
        return;
    }
    constexpr u32 pci_name = 0x49435024;  // "$PCI"
    const u32 entry = load<u32>(anchor + 4);
    const service flat = find_service(pci_name, 0, entry, 0);
    const service moved = find_service(pci_name, 0, entry, entry & ~0xfffu);
    report::fact("bios32", "status", flat.status);
    report::fact("bios32", "base", flat.base);
    report::fact("bios32", "length", flat.length);
    report::fact("bios32", "offset", flat.offset);
    report::fact("bios32", "same_when_moved",
                 moved.status == 0 && moved.base == flat.base && moved.length == flat.length &&
                     moved.offset == flat.offset);
    report::fact("bios32", "unknown_service", find_service(0x49435025, 0, entry, 0).status);
    report::fact("bios32", "unknown_function", find_service(pci_name, 1, entry, 0).status);
    if (flat.status != 0) {
        return;
    }
    check(flat.base, flat.offset, false);
    check(flat.base, flat.offset, true);
}

void report_real_mode(u32 vectors) {
    constexpr u32 place = 0x7000, results = 0x7800, results_size = 0x408;
    const u32 size = static_cast<u32>(real_services_end - real_services_begin);
    for (u32 i = 0; i < size; ++i) {
        store(place + i, real_services_begin[i]);
    }
    store(place + static_cast<u32>(real_services_vectors - real_services_begin),
          static_cast<u16>(vectors));
    for (u32 i = 0; i < results_size; ++i) {
        store(results + i, u8(0xee));
    }
    struct [[gnu::packed]] {
        u16 limit;
        u32 base;
    } idt;
    asm volatile("sidt %0" : "=m"(idt));
    asm volatile("call *%0" : : "r"(place) : "memory");
    asm volatile("lidt %0" : : "m"(idt));
    report::memory("real_mode", results, results_size);
    report::fact("real_mode", "midnights", load<u8>(0x470));
}

}  // namespace bios32
