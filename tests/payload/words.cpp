// SPDX-License-Identifier: MIT
#include "words.hpp"

namespace {

u32 length(const char* text) {
    u32 n = 0;
    while (text[n] != '\0') {
        ++n;
    }
    return n;
}

bool ends(u32 address) {
    const char c = load<char>(address);
    return c == '\0' || c == ' ';
}

}  // namespace

u32 words::find(u32 from, const char* prefix) const {
    if (text_ == 0) {
        return 0;
    }
    for (u32 at = from; load<char>(at) != '\0'; ++at) {
        const bool begins = at == text_ || load<char>(at - 1) == ' ';
        if (begins && is_text(at, prefix)) {
            return at;
        }
    }
    return 0;
}

u32 words::parse(u32& at) {
    u32 value = 0;
    for (;; ++at) {
        const char c = load<char>(at);
        if (c >= '0' && c <= '9') {
            value = value * 16 + static_cast<u32>(c - '0');
        } else if (c >= 'a' && c <= 'f') {
            value = value * 16 + static_cast<u32>(c - 'a' + 10);
        } else {
            return value;
        }
    }
}

bool words::has(const char* word) const {
    for (u32 at = text_; (at = find(at, word)) != 0; ++at) {
        if (ends(at + length(word))) {
            return true;
        }
    }
    return false;
}

u32 words::number(const char* name, u32 otherwise) const {
    u32 at = find(text_, name);
    if (at == 0) {
        return otherwise;
    }
    at += length(name);
    return parse(at);
}

bool words::is(const char* name, const char* value) const {
    for (u32 at = text_; (at = find(at, name)) != 0; ++at) {
        const u32 begin = at + length(name);
        if (is_text(begin, value) && ends(begin + length(value))) {
            return true;
        }
    }
    return false;
}
