// SPDX-License-Identifier: MIT
// What each processor has to itself: memory types, and the features that a firmware allows.
#include "hw/apic.hpp"
#include "hw/mtrr.hpp"
#include "machine.hpp"
#include "resume.hpp"

namespace mayfly {
namespace {

constexpr u32 feature_control = 0x3a;  // Intel SDM volume 4, IA32_FEATURE_CONTROL

struct setting {
    u32 index;
    u64 value;
};
static_assert(sizeof(setting) == 12);

/// What is at processor_start, at the places that processor.S has.
struct orders {
    u8 code[0x28];
    u32 answers;     ///< processors that have done it count themselves here
    setting list[];  ///< IA32_FEATURE_CONTROL first, if at all; index 0 ends it
};
static_assert(sizeof(orders) == 0x2c);

/// In processor.S.
extern "C" const u8 processor_code[sizeof(orders::code)];

orders& orders_of(memory ram) {
    return *reinterpret_cast<orders*>(ram.at(processor_start, page_size).data());
}

/// Adds `count` registers from `first` on, as they are on this CPU, to the list that ends at `to`;
/// returns its new end.
[[gnu::noinline]] setting* add_registers(hw::hardware& hardware, setting* to, u32 first,
                                         u32 count) {
    for (const u32 end = first + count; first != end; first++)
        *to++ = {first, hardware.read_msr(first)};
    return to;
}

setting* add_memory_types(hw::hardware& hardware, setting* to) {
    static constexpr struct {
        u16 first, count;
    } others[] = {{hw::mtrr_fixed_64k, 1},
                  {hw::mtrr_fixed_16k_80000, 2},
                  {hw::mtrr_fixed_4k_c0000, 8},
                  {hw::mtrr_default_type, 1}};
    const u32 pairs = hw::count_variable_mtrrs(hardware);
    to = add_registers(hardware, to, hw::mtrr_variable,
                       2 * (pairs < hw::most_blocks ? pairs : hw::most_blocks));
    for (const auto& registers : others)
        to = add_registers(hardware, to, registers.first, registers.count);
    return to;
}

}  // namespace

void set_memory_types(machine& pc) {
    u32 hole = pc.map.low_ram_end();
    // Each block takes instructions, and microvm has nothing below 0xc0000000.
    if (pc.bridge.kind == hw::chipset::no_pci && hole < 2 * gib)
        hole = 2 * gib;
    hw::set_memory_types(pc.hardware, hole, pc.cpu.edx);
}

void prepare_processors(machine& pc) {
    auto& given = orders_of(pc.ram);
    __builtin_memcpy(given.code, processor_code, sizeof given.code);
    setting* list = given.list;
    const u64 features = read_number(pc, feature_control_file);
    if (features != 0)
        *list++ = {feature_control, features};
    if ((pc.cpu.edx & hw::feature_mtrr) != 0)
        list = add_memory_types(pc.hardware, list);
    list->index = 0;
    record_of(pc.ram).has_orders = true;
    give_orders(pc);
}

[[gnu::noinline]] void give_orders(machine& pc) {
    auto& given = orders_of(pc.ram);
    if (given.list[0].index == feature_control)
        pc.hardware.write_msr(feature_control, given.list[0].value);
    const u32 count = pc.config.read_u32(abi::fw_cfg_key::cpu_count);
    if (count <= 1 || (pc.cpu.edx & hw::feature_apic) == 0)
        return;
    const u32 others = count - 1;
    given.answers = 0;
    hw::start_others(pc.hardware, processor_start);
    const u32 answered = hw::await_answers(pc.hardware, given.answers, others);
    if (answered < others)
        warn(sentences::silent_processors, others - answered, others);
    hw::stop_others(pc.hardware);
}

}  // namespace mayfly
