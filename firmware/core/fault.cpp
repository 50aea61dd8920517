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

    void put_number(u64 value, u32 base) {
        const u64 rest = divide(value, base);
        if (rest != 0)
            put_number(rest, base);
        put("0123456789abcdef"[static_cast<u32>(value) - static_cast<u32>(rest) * base]);
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
        if (*next == 's') {
            out.put_printable(what.item);
            continue;
        }
        u32 base = 10;
        if (*next == 'x') {
            out.put('0');
            out.put('x');
            base = 16;
        }
        out.put_number(*number++, base);
    }
    return out.length();
}

}  // namespace mayfly
