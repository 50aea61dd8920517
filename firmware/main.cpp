// SPDX-License-Identifier: MIT
// The boot, from the first C++ instruction to the kernel's first.
#include "abi/mp_table.hpp"
#include "boot/enter.hpp"
#include "boot/linux.hpp"
#include "boot/payload.hpp"
#include "boot/pvh.hpp"
#include "hw/chipset.hpp"
#include "hw/console.hpp"
#include "hw/fw_cfg.hpp"
#include "hw/mtrr.hpp"
#include "low_memory.hpp"
#include "tables/mp_table.hpp"
#include "tables/smbios.hpp"
#include "tables/table_loader.hpp"

namespace mayfly {

/// In reset.S: to real mode, and on at the far pointer at 0040:0067.
extern "C" [[noreturn]] void resume_real_mode();

namespace {

using abi::fw_cfg_key;
using boot::payload_kind;
using tables::memory_type;
using device = hw::fw_cfg<hw::hardware>;

/// Everything that the steps share; lives on the stack of firmware_main().
struct machine {
    hw::hardware hardware;
    memory ram{0};
    arena work{ram, work_area_begin, work_area_end};
    device config{hardware, work};
    hw::host_bridge bridge = hw::identify(hardware);
    bool log = false;
};

/// Tells one line on the debug port, if the user asked for them.
void log(machine& pc, const fault* what) {
    if (pc.log)
        hw::say_on_debug_port(pc.hardware, what);
}

/// `size` bytes of the work area.
result<bytes> take(machine& pc, u32 size, u32 alignment = 16) {
    const bytes room = pc.work.allocate(size, alignment);
    if (room.size() != size)
        return make_fault(sentences::work_area_full, size, pc.work.room());
    return room;
}

/// A whole file of fw_cfg in the work area.
result<bytes> read_file(machine& pc, text name, hw::file file) {
    const bytes content = pc.work.allocate(file.size);
    if (content.size() != file.size)
        return make_fault(sentences::file_too_large, name, file.size, pc.work.room());
    TRY(pc.config.read(file, content));
    return content;
}

/// Whether the user asked for lines on the debug port.
result<bool> read_log_option(machine& pc) {
    const text name = "opt/org.mayfly/log";
    const auto option = TRY(pc.config.find(name));
    if (!option.present)
        return false;
    const bytes value = TRY(read_file(pc, name, option.what));
    return text(reinterpret_cast<const char*>(value.data()), value.size()) == "debug";
}

outcome tell_extra_roots(machine& pc) {
    const text name = "etc/extra-pci-roots";
    const auto found = TRY(pc.config.find(name));
    if (!found.present || found.what.size < sizeof(u64))
        return {};
    const bytes content = TRY(take(pc, sizeof(u64)));
    TRY(pc.config.read(found.what, content));
    const u32 count = load<u32>(content, 0);
    if (count != 0)
        hw::say_on_debug_port(pc.hardware, make_fault(sentences::extra_pci_roots, count));
    return {};
}

/// The first bytes of the kernel file, and what it is.
struct payload {
    payload_kind kind;
    const_bytes head;
};

result<payload> inspect_payload(machine& pc) {
    const bytes head = TRY(take(pc, boot::payload_head_size));
    TRY(pc.config.read_item(fw_cfg_key::setup_data, head));
    const auto kind = boot::inspect(head);
    if (!kind.ok() && boot::is_empty(head)) {
        const u32 size = TRY(pc.config.read_u32(fw_cfg_key::kernel_size));
        if (size == 0)
            return make_fault(sentences::no_kernel);
        if (TRY(pc.config.read_u32(fw_cfg_key::setup_size)) == 0)
            return make_fault(sentences::multiboot, size);
    }
    return payload{TRY(kind), head};
}

/// Goes on where the guest wants to, if an INIT came with a shutdown code of it.
void honour_shutdown_code(machine& pc) {
    constexpr u8 jump_with_end_of_interrupt = 0x05, jump = 0x0a;
    if (!hw::has_cmos(pc.bridge.kind))
        return;
    const u8 code = hw::read_shutdown_code(pc.hardware);
    if (code != jump_with_end_of_interrupt && code != jump)
        return;
    hw::clear_shutdown_code(pc.hardware);
    resume_real_mode();
}

/// A machine without a host bridge is a microvm if QEMU describes it by a device tree.
outcome tell_unknown_machine(machine& pc) {
    const bool has_bridge = pc.bridge.kind != hw::chipset::no_pci;
    if (pc.bridge.kind == hw::chipset::unknown ||
        (!has_bridge && !TRY(pc.config.find("etc/fdt")).present))
        hw::say_on_debug_port(pc.hardware,
                              make_fault(sentences::unknown_bridge, pc.bridge.identity));
    return {};
}

void prepare_platform(machine& pc) {
    hw::prepare(pc.hardware, pc.bridge.kind);
    prepare_low_memory(pc.ram, pc.bridge.kind);
}

/// The memory map without tables and payload.
outcome make_memory_map(machine& pc, tables::address_space& space) {
    const text name = "etc/e820";
    const auto file = TRY(pc.config.require(name));
    const auto content = TRY(read_file(pc, name, file));
    TRY(tables::read_e820(content, space.guest));
    TRY(space.guest.set({extended_bios_data, 0xa0000}, memory_type::reserved));
    TRY(space.guest.set({0xa0000, work_area_begin}, memory_type::none));
    TRY(space.guest.set({work_area_begin, mib}, memory_type::reserved));
    if (pc.bridge.kind == hw::chipset::q35) {
        TRY(space.guest.set({hw::q35_ecam, u64{hw::q35_ecam} + hw::q35_ecam_size},
                            memory_type::reserved));
        TRY(space.guest.set(
            {hw::ich9_root_complex, u64{hw::ich9_root_complex} + hw::ich9_root_complex_size},
            memory_type::reserved));
    }
    TRY(space.guest.set({image_begin, four_gib}, memory_type::reserved));
    space.ram_end = space.guest.low_ram_end();
    for (const auto& part : space.guest.ranges()) {
        if (part.type == memory_type::ram && part.where.end > mib)
            TRY(space.free.set(part.where, memory_type::ram));
    }
    return {};
}

outcome make_smbios(machine& pc, tables::address_space& space, bytes anchor_place) {
    const auto anchor_file = TRY(pc.config.find(tables::smbios_anchor_file));
    const auto tables_file = TRY(pc.config.find(tables::smbios_tables_file));
    if (!anchor_file.present || !tables_file.present || anchor_file.what.size == 0)
        return {};
    if (anchor_file.what.size > anchor_place.size())
        return make_fault(sentences::smbios_anchor, anchor_file.what.size);
    const u32 added = tables::bios_information_size();
    const u32 size = tables_file.what.size + added;
    if (size < added)
        return make_fault(sentences::smbios_no_room, tables_file.what.size);
    const auto where = TRY(space.claim_high(size, page_size, memory_type::reserved));
    if (where.empty())
        return make_fault(sentences::smbios_no_room, size);

    const bytes anchor = anchor_place.part(0, anchor_file.what.size);
    const bytes table = pc.ram.at(static_cast<u32>(where.begin), size);
    const bytes structures = table.part(added, tables_file.what.size);
    TRY(pc.config.read(anchor_file.what, anchor));
    TRY(pc.config.read(tables_file.what, structures));
    if (tables::has_bios_information(structures))
        return tables::finish_smbios_anchor(anchor, pc.work.address_of(structures.data()),
                                            tables_file.what.size, 0);
    tables::write_bios_information(table.part(0, added));
    return tables::finish_smbios_anchor(anchor, static_cast<u32>(where.begin), size, added);
}

/// The CPUs by MADT where QEMU gives one, else by their number and CPUID.
result<tables::apic_ids> find_cpus(machine& pc, const_bytes madt) {
    if (!madt.empty())
        return tables::apic_ids_from_madt(madt);
    const u32 count = TRY(pc.config.read_u32(fw_cfg_key::cpu_count));
    return tables::apic_ids_from_topology(tables::read_topology(pc.hardware), count);
}

outcome make_mp_table(machine& pc, const hw::cpuid_registers& cpu, const tables::acpi_tables& acpi,
                      bytes floating_pointer) {
    const auto madt = tables::find_table(acpi.tables, abi::signature("APIC"));
    const tables::mp_description description{
        .cpus = TRY(find_cpus(pc, madt)),
        .boot_cpu = {cpu.eax, cpu.edx, static_cast<u8>(cpu.ebx >> 24)},
        .chipset = pc.bridge.kind,
        .madt = madt,
        .virtio_mmio = pc.bridge.kind == hw::chipset::no_pci && madt.empty()};
    const bytes table = TRY(take(pc, tables::mp_table_capacity(description)));
    tables::write_mp_table(description, table);
    tables::write_mp_floating_pointer(*view<abi::mp_floating_pointer>(floating_pointer),
                                      pc.work.address_of(table.data()));
    return {};
}

/// SMBIOS, MP table and ACPI; returns where the RSDP is.
result<u32> make_tables(machine& pc, tables::address_space& space) {
    const auto cpu = pc.hardware.cpuid(1, 0);
    hw::set_memory_types(pc.hardware, space.ram_end, cpu.edx);
    tables::table_loader loader(pc.config, space, pc.ram, pc.work);
    const auto acpi = TRY(loader.run());
    const bytes anchors = clear_anchor_window(pc.ram);
    TRY(make_smbios(pc, space, anchors.part(0, tables::smbios_anchor_capacity)));
    TRY(make_mp_table(
        pc, cpu, acpi,
        anchors.part(tables::smbios_anchor_capacity, sizeof(abi::mp_floating_pointer))));
    log(pc, make_fault(sentences::log_tables, acpi.rsdp, acpi.tables.size()));
    return acpi.rsdp;
}

/// The command line with its NUL, of at most `limit` characters, and behind it `zeros` zero bytes
/// at a multiple of 16: QEMU fills with zeros what lies past an item's end, which the CPU need not
/// do.
struct command_line {
    u32 address;
    bytes zeros;
};

result<command_line> read_command_line(machine& pc, u32 limit, u32 zeros) {
    constexpr u32 most = 16 * 1024 - 1;
    const u32 capacity = (limit < most ? limit : most) + 1;
    const u32 zeros_at = (capacity + 15) & ~15u;
    const bytes line = TRY(take(pc, zeros_at + zeros));
    TRY(pc.config.read_item(fw_cfg_key::cmdline_data, line));
    if (line[capacity - 1] != 0) {
        const u32 size = TRY(pc.config.read_u32(fw_cfg_key::cmdline_size));
        return make_fault(sentences::command_line_too_long, size - 1, capacity - 1);
    }
    return command_line{pc.work.address_of(line.data()), line.part(zeros_at, zeros)};
}

/// A file that ends early reads as zeros. A kernel's last words are never 0 (its checksum), so only
/// such an image costs the question of how long it really is.
outcome check_kernel_is_whole(machine& pc, const boot::linux_plan& plan) {
    const bytes kernel = pc.ram.at(plan.kernel, plan.kernel_size);
    for (u32 i = 0; i < 16 && i < plan.kernel_size; i++) {
        if (kernel[plan.kernel_size - 1 - i] != 0)
            return {};
    }
    const u32 size = TRY(pc.config.read_u32(fw_cfg_key::kernel_size));
    constexpr u32 unit = 16;  // the header counts in these
    if (align_up(size, unit) < plan.kernel_size)
        return make_fault(sentences::image_cut_short, size, plan.kernel_size);
    return {};
}

outcome load_linux(machine& pc, const boot::linux_plan& plan) {
    TRY(pc.config.read_item_to(fw_cfg_key::kernel_data, plan.kernel, plan.kernel_size));
    if (plan.trailer != 0) {
        if (plan.trailer_offset > plan.kernel_size)
            TRY(pc.config.skip(plan.trailer_offset - plan.kernel_size));
        TRY(pc.config.read_on_to(plan.trailer, plan.trailer_size));
    } else {
        TRY(check_kernel_is_whole(pc, plan));
    }
    if (plan.initrd_size != 0)
        TRY(pc.config.read_item_to(fw_cfg_key::initrd_data, plan.initrd, plan.initrd_size));
    return {};
}

outcome boot_linux(machine& pc, const_bytes head, tables::address_space& space) {
    const u32 rsdp = TRY(make_tables(pc, space));
    const auto& header = *view<abi::setup_header>(head, abi::setup_header_offset);
    const u32 image_size =
        header.setup_data != 0 ? TRY(pc.config.read_u32(fw_cfg_key::kernel_size)) : 0;
    const auto plan = TRY(boot::plan_linux(header, image_size, space));
    const auto line = TRY(read_command_line(pc, header.cmdline_size, sizeof(abi::boot_params)));
    TRY(load_linux(pc, plan));
    boot::write_boot_params(*view<abi::boot_params>(line.zeros), head, plan, space.guest,
                            line.address, rsdp);
    log(pc, make_wide_fault(sentences::log_linux, plan.kernel, plan.initrd, plan.initrd_size));
    boot::enter(plan.kernel, pc.work.address_of(line.zeros.data()), 0);
}

/// Takes the place of a PVH kernel's initrd and reads it there.
result<u64> load_pvh_initrd(machine& pc, u32 size, tables::address_space& space) {
    if (size == 0)
        return u64{0};
    const auto where = TRY(space.claim_high(size, page_size, memory_type::ram));
    if (where.empty())
        return make_wide_fault(sentences::initrd_too_large, size, space.ram_end);
    TRY(pc.config.read_item_to(fw_cfg_key::initrd_data, where.begin, size));
    return where.begin;
}

outcome boot_pvh(machine& pc, const_bytes head, tables::address_space& space) {
    TRY(boot::claim_segments(head, space, {work_area_begin, mib}));
    const u32 entry = TRY(pc.config.read_u32(fw_cfg_key::kernel_entry));
    boot::pvh_handover handover;
    handover.rsdp = TRY(make_tables(pc, space));
    const u32 line_size = TRY(pc.config.read_u32(fw_cfg_key::cmdline_size));
    handover.command_line = TRY(read_command_line(pc, line_size, 0)).address;
    handover.initrd_size = TRY(pc.config.read_u32(fw_cfg_key::initrd_size));
    handover.initrd = TRY(load_pvh_initrd(pc, handover.initrd_size, space));
    const u32 start_info = TRY(boot::write_start_info(handover, space.guest, pc.work));
    log(pc, make_wide_fault(
                boot::is_linux(head, pc.ram) ? sentences::log_pvh_linux : sentences::log_pvh_other,
                entry, handover.initrd, handover.initrd_size));
    boot::enter(entry, 0, start_info);
}

/// Returns only where something is wrong.
outcome boot_payload(machine& pc) {
    honour_shutdown_code(pc);
    TRY(pc.config.open());
    pc.log = TRY(read_log_option(pc));
    const auto kernel = TRY(inspect_payload(pc));
    TRY(tell_unknown_machine(pc));
    TRY(tell_extra_roots(pc));
    prepare_platform(pc);
    tables::address_space space;
    TRY(make_memory_map(pc, space));
    switch (kernel.kind) {
        case payload_kind::linux_image:
            return boot_linux(pc, kernel.head, space);
        case payload_kind::pvh_elf:
            return boot_pvh(pc, kernel.head, space);
    }
    return {};
}

/// The port of QEMU's pvpanic-isa, or 0.
u16 find_pvpanic(machine& pc) {
    const auto found = pc.config.find("etc/pvpanic-port");
    if (!found.ok() || !found.value().present)
        return 0;
    const bytes port = pc.work.allocate(sizeof(u16));
    if (port.empty() || !pc.config.read(found.value().what, port).ok())
        return 0;
    return load<u16>(port, 0);
}

}  // namespace

/// Where the reset code comes to, with nothing known but the contract in reset.S.
extern "C" [[noreturn]] void firmware_main() {
    machine pc;
    const outcome stopped = boot_payload(pc);
    const fault first = *stopped.what();  // looking for pvpanic may note another one
    hw::complain(pc.hardware, &first, find_pvpanic(pc));
    hw::halt();
}

/// Where every CPU exception comes to.
extern "C" [[noreturn]] void firmware_exception(u32 vector, u32 address, u32 error_code) {
    hw::hardware hardware;
    hw::complain(hardware, make_fault(sentences::exception, vector, address, error_code), 0);
    hw::halt();
}

}  // namespace mayfly
