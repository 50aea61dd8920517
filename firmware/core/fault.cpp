// SPDX-License-Identifier: MIT
#include "core/fault.hpp"

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
        char digits[20];
        usize count = 0;
        do {
            digits[count++] = "0123456789abcdef"[divide(value, base)];
        } while (value != 0);
        while (count > 0)
            put(digits[--count]);
    }

    usize length() const { return length_; }

  private:
    /// Divides `value` by `divisor` (at most 16) in place and returns the remainder. In 16-bit
    /// steps, because a 64-bit division would be a call into the compiler's library.
    static u32 divide(u64& value, u32 divisor) {
        u64 quotient = 0;
        u32 remainder = 0;
        for (int shift = 48; shift >= 0; shift -= 16) {
            u32 part = remainder << 16 | static_cast<u16>(value >> shift);
            quotient |= static_cast<u64>(part / divisor) << shift;
            remainder = part % divisor;
        }
        value = quotient;
        return remainder;
    }

    char* buffer_;
    usize capacity_;
    usize length_ = 0;
};

/// Written before it is read: nobody clears it at a reset.
fault noted;

}  // namespace

const fault* make_fault(const char* sentence, u32 first, u32 second, u32 third) {
    noted = {sentence, {}, {first, second, third}};
    return &noted;
}

const fault* make_wide_fault(const char* sentence, u64 first, u64 second, u64 third) {
    noted = {sentence, {}, {first, second, third}};
    return &noted;
}

const fault* make_fault(const char* sentence, text item, u32 first, u32 second, u32 third) {
    noted = {sentence, item, {first, second, third}};
    return &noted;
}

usize format(const fault& what, char* buffer, usize capacity) {
    writer out(buffer, capacity);
    const u64* number = what.numbers;
    for (const char* next = what.sentence; *next != '\0'; next++) {
        if (*next != '%') {
            out.put(*next);
            continue;
        }
        switch (*++next) {
            case 's':
                out.put_printable(what.item);
                break;
            case 'u':
                out.put_number(*number++, 10);
                break;
            default:
                out.put('0');
                out.put('x');
                out.put_number(*number++, 16);
                break;
        }
    }
    return out.length();
}

}  // namespace mayfly
