// SPDX-License-Identifier: MIT
// The words of the command line that steer the payload.
#pragma once

#include "cpu.hpp"

class words {
  public:
    explicit words(u32 command_line) : text_(command_line) {}

    // True if `word` stands alone on the command line.
    bool has(const char* word) const;
    // The value of `name=`, a hexadecimal number, or `otherwise`.
    u32 number(const char* name, u32 otherwise) const;
    // True if `name=value` is on the command line.
    bool is(const char* name, const char* value) const;

    // Calls `use(address, size)` for every `dump=address,size`.
    template <typename F>
    void each_dump(F use) const {
        u32 at = text_;
        while ((at = find(at, "dump=")) != 0) {
            at += 5;
            const u32 address = parse(at);
            ++at;
            use(address, parse(at));
        }
    }

  private:
    // The address of the next word that begins with `prefix`, or 0.
    u32 find(u32 from, const char* prefix) const;
    // Reads a hexadecimal number and moves `at` behind it.
    static u32 parse(u32& at);

    u32 text_;
};
