// SPDX-License-Identifier: MIT
// The instructions and the raw memory of the machine the payload runs on.
#pragma once

using u8 = unsigned char;
using u16 = unsigned short;
using u32 = unsigned int;
using u64 = unsigned long long;

static_assert(sizeof(u16) == 2 && sizeof(u32) == 4 && sizeof(u64) == 8 && sizeof(void*) == 4);

inline void out8(u16 port, u8 value) {
    asm volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

inline void out32(u16 port, u32 value) {
    asm volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

inline u8 in8(u16 port) {
    u8 value;
    asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

inline u32 in32(u16 port) {
    u32 value;
    asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

inline void out8_string(u16 port, const char* text, u32 size) {
    asm volatile("rep outsb" : "+S"(text), "+c"(size) : "d"(port) : "memory");
}

struct cpuid_result {
    u32 eax, ebx, ecx, edx;
};

inline cpuid_result cpuid(u32 leaf) {
    cpuid_result r;
    asm volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(0));
    return r;
}

inline u64 read_msr(u32 index) {
    u64 value;
    asm volatile("rdmsr" : "=A"(value) : "c"(index));
    return value;
}

[[noreturn]] inline void stop() {
    for (;;) {
        asm volatile("cli; hlt");
    }
}

// Memory by physical address; paging is off.
template <typename T>
inline T load(u32 address) {
    T value;
    __builtin_memcpy(&value, reinterpret_cast<const void*>(address), sizeof value);
    return value;
}

template <typename T>
inline void store(u32 address, T value) {
    *reinterpret_cast<volatile T*>(address) = value;
}

inline bool is_text(u32 address, const char* text) {
    while (*text != '\0') {
        if (load<char>(address++) != *text++) {
            return false;
        }
    }
    return true;
}

inline u8 byte_sum(u32 address, u32 size) {
    u8 sum = 0;
    for (u32 i = 0; i < size; ++i) {
        sum = static_cast<u8>(sum + load<u8>(address + i));
    }
    return sum;
}
