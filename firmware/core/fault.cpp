// SPDX-License-Identifier: MIT
#include "core/fault.hpp"

#include "core/wide.hpp"

namespace mayfly {
namespace {

/// Characters into a buffer of fixed size; what does not fit is dropped.
class writer {
  public:
    writer(char* buffer, usize capacity) : buffer_(buffer), capacity_(capacity) {}

    void put(char character) {
        if (length_ < capacity_)
            buffer_[length_++] = character;
    }

    void put_printable(text characters) {
        for (char character : characters)
            put(character >= ' ' && character <= '~' ? character : '?');
    }

    void put_hexadecimal(u64 value) {
        put('0');
        put('x');
        int shift = 60;
        while (shift > 0 && value >> shift == 0)
            shift -= 4;
        for (; shift >= 0; shift -= 4)
            put("0123456789abcdef"[value >> shift & 0xf]);
    }

    void put_decimal(u64 value) {
        const u64 tens = divide(value, 10);
        if (tens != 0)
            put_decimal(tens);
        put(static_cast<char>('0' + static_cast<u32>(value) - static_cast<u32>(tens) * 10));
    }

    usize length() const { return length_; }

  private:
    char* buffer_;
    usize capacity_;
    usize length_ = 0;
};

}  // namespace

void fail(const char* sentence) {
    fail(sentence, 0, 0);
}

void fail(const char* sentence, u32 first) {
    fail(sentence, first, 0);
}

void fail(const char* sentence, u32 first, u32 second) {
    fail_wide(sentence, first, second);
}

void fail(const char* sentence, text item) {
    fail(sentence, item, 0, 0);
}

void fail(const char* sentence, text item, u32 first) {
    fail(sentence, item, first, 0);
}

void fail(const char* sentence, text item, u32 first, u32 second, u32 third) {
    stop({sentence, item, {first, second, third}});
}

void fail_wide(const char* sentence, u64 first, u64 second, u32 third) {
    stop({sentence, {}, {first, second, third}});
}

usize format(const fault& what, char* buffer, usize capacity) {
    writer out(buffer, capacity);
    const u64* number = what.numbers;
    for (const char* next = what.sentence; *next != '\0'; next++) {
        if (*next != '%') {
            out.put(*next);
            continue;
        }
        next++;
        if (*next == 's')
            out.put_printable(what.item);
        else if (*next == 'u')
            out.put_decimal(*number++);
        else
            out.put_hexadecimal(*number++);
    }
    return out.length();
}

}  // namespace mayfly
