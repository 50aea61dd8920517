// SPDX-License-Identifier: MIT
#include "report.hpp"

#include <initializer_list>

#ifndef REPORT_CAPACITY
#define REPORT_CAPACITY 0x100000
#endif

namespace report {
namespace {

constexpr u16 report_port = 0xe9;
constexpr u32 capacity = REPORT_CAPACITY;

char buffer[capacity];
u32 used;
bool kept;

void character(char c) {
    if (used == capacity) {
        send();  // a kept report that is too long loses its beginning and so fails its test
    }
    buffer[used++] = c;
}

void digit(u32 value) {
    character("0123456789abcdef"[value & 15]);
}

}  // namespace

void send() {
    out8_string(report_port, buffer, used);
    used = 0;
}

void keep_in_memory() {
    kept = true;
}

void text(const char* word) {
    if (used != 0 && buffer[used - 1] != '\n') {
        character(' ');
    }
    while (*word != '\0') {
        character(*word++);
    }
}

void number(u64 value) {
    text("");
    int shift = 60;
    while (shift > 0 && (value >> shift) == 0) {
        shift -= 4;
    }
    for (; shift >= 0; shift -= 4) {
        digit(static_cast<u32>(value >> shift));
    }
}

void end_line() {
    character('\n');
}

void fact(const char* keyword, const char* name, u64 value) {
    text(keyword);
    text(name);
    number(value);
    end_line();
}

void memory(const char* name, u32 address, u32 size) {
    text("memory");
    text(name);
    number(address);
    text("");
    for (u32 i = 0; i < size; ++i) {
        const u8 byte = load<u8>(address + i);
        digit(byte >> 4);
        digit(byte);
    }
    end_line();
}

void finish() {
    text("end");
    end_line();
    if (!kept) {
        send();
        return;
    }
    const u32 address = reinterpret_cast<u32>(buffer);
    const u32 size = used;
    used = 0;
    char* const begin = buffer + size;  // the line about the report follows the report
    u32 length = 0;
    const auto put = [&](char c) { begin[length++] = c; };
    const auto put_number = [&](u32 value) {
        put(' ');
        for (int shift = 28; shift >= 0; shift -= 4) {
            put("0123456789abcdef"[(value >> shift) & 15]);
        }
    };
    for (const char c : {'k', 'e', 'p', 't'}) {
        put(c);
    }
    put_number(address);
    put_number(size);
    put('\n');
    out8_string(report_port, begin, length);
}

}  // namespace report
