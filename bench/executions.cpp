// SPDX-License-Identifier: MIT
//
// A plugin for QEMU's TCG that counts how often the guest executes wrmsr, rdmsr and cpuid: under
// KVM each of them leaves the guest, without being a device access. At QEMU's end the counts go to
// the file that the argument `out` names, one line each.
//
// QEMU's header for plugins is in no package of Debian 12, so the few functions used are declared
// here, as docs/devel/tcg-plugins.rst of QEMU describes them. PLUGIN_API is the version of the
// interface (1 until QEMU 8.2).

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>

#define EXPORT extern "C" __attribute__((visibility("default")))

using plugin_id = std::uint64_t;
struct translation_block;
struct instruction;
enum callback_flags : int { no_registers = 0 };

extern "C" {
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, translation_block*));
void qemu_plugin_register_vcpu_insn_exec_cb(instruction*, void (*)(unsigned, void*), callback_flags,
                                            void* data);
void qemu_plugin_register_atexit_cb(plugin_id, void (*)(plugin_id, void*), void* data);
std::size_t qemu_plugin_tb_n_insns(const translation_block*);
instruction* qemu_plugin_tb_get_insn(const translation_block*, std::size_t);
std::size_t qemu_plugin_insn_size(const instruction*);
#if PLUGIN_API < 3
const void* qemu_plugin_insn_data(const instruction*);
#else
std::size_t qemu_plugin_insn_data(const instruction*, void* to, std::size_t size);
#endif
}

namespace {

struct counter {
    const char* name;
    std::uint8_t opcode;  // behind 0f
    std::uint64_t executions;
};

counter counters[] = {{"msr_writes", 0x30, 0}, {"msr_reads", 0x32, 0}, {"cpuid", 0xa2, 0}};
char out[4096];

constexpr std::size_t longest_instruction = 15;

std::size_t copy_bytes(const instruction* from, std::uint8_t (&to)[longest_instruction]) {
    std::size_t size = qemu_plugin_insn_size(from);
    if (size > longest_instruction) {
        size = longest_instruction;
    }
#if PLUGIN_API < 3
    std::memcpy(to, qemu_plugin_insn_data(from), size);
    return size;
#else
    return qemu_plugin_insn_data(from, to, size);
#endif
}

bool is_prefix(std::uint8_t byte) {
    // Segments, operand and address size, lock, repetition; REX is one only in 64-bit code, where
    // nothing else begins with it, and in other code no 0f can follow it in the same instruction.
    constexpr std::uint8_t legacy[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65,
                                       0x66, 0x67, 0xf0, 0xf2, 0xf3};
    return std::memchr(legacy, byte, sizeof legacy) != nullptr || (byte & 0xf0) == 0x40;
}

counter* counter_of(const instruction* instruction) {
    std::uint8_t bytes[longest_instruction];
    const std::size_t size = copy_bytes(instruction, bytes);
    std::size_t at = 0;
    while (at < size && is_prefix(bytes[at])) {
        ++at;
    }
    if (at + 2 != size || bytes[at] != 0x0f) {
        return nullptr;
    }
    for (counter& each : counters) {
        if (each.opcode == bytes[at + 1]) {
            return &each;
        }
    }
    return nullptr;
}

// With tcg,thread=single one thread runs all CPUs, so no two of these calls overlap.
void count(unsigned /*cpu*/, void* data) {
    ++static_cast<counter*>(data)->executions;
}

void translated(plugin_id /*id*/, translation_block* block) {
    for (std::size_t i = 0; i < qemu_plugin_tb_n_insns(block); ++i) {
        instruction* const instruction = qemu_plugin_tb_get_insn(block, i);
        if (counter* const found = counter_of(instruction)) {
            qemu_plugin_register_vcpu_insn_exec_cb(instruction, count, no_registers, found);
        }
    }
}

void at_exit(plugin_id /*id*/, void* /*data*/) {
    if (std::FILE* const file = std::fopen(out, "w")) {
        for (const counter& each : counters) {
            std::fprintf(file, "%s %llu\n", each.name,
                         static_cast<unsigned long long>(each.executions));
        }
        std::fclose(file);
    }
}

}  // namespace

extern "C" {
__attribute__((visibility("default"))) int qemu_plugin_version = PLUGIN_API;
}

EXPORT int qemu_plugin_install(plugin_id id, const void* /*info*/, int count, char** arguments) {
    constexpr char key[] = "out=";
    constexpr std::size_t key_size = sizeof key - 1;
    if (count != 1 || std::strncmp(arguments[0], key, key_size) != 0 ||
        std::strlen(arguments[0] + key_size) >= sizeof out) {
        std::fprintf(stderr, "executions: the argument has to be out=FILE\n");
        return -1;
    }
    std::strcpy(out, arguments[0] + key_size);
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, at_exit, nullptr);
    return 0;
}
