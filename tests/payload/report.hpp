// SPDX-License-Identifier: MIT
// The report: lines of text, one fact each, collected in memory.
//
// A line is a keyword and its values, separated by spaces; numbers are hexadecimal without prefix.
// The text goes to the report port when the buffer is full and at the end; with `keep`, it stays in
// memory and only its address and size go to the port.
#pragma once

#include "cpu.hpp"

namespace report {

void keep_in_memory();

void text(const char* word);
void number(u64 value);
void end_line();

// "keyword name value"
void fact(const char* keyword, const char* name, u64 value);
// "memory name address bytes"
void memory(const char* name, u32 address, u32 size);

// Sends what is not sent yet.
void send();

// The same, then "end".
void finish();

}  // namespace report
