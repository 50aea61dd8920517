// SPDX-License-Identifier: MIT
#include "unit/expect.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "core/text.hpp"
#include "fakes/unexpected.hpp"

namespace mayfly::fakes {

void unexpected(const std::string& what) {
    ADD_FAILURE() << "unexpected: " << what;
}

}  // namespace mayfly::fakes

namespace mayfly::test {
namespace {

/// The first entry of a run empties the file.
void register_seen(const std::string& sentence) {
    static std::set<std::string> seen;
    const char* directory = std::getenv("MAYFLY_SEEN");
    const std::filesystem::path folder = directory != nullptr ? directory : "build/tests/seen";
    std::filesystem::create_directories(folder);
    const auto file = folder / ("host-" + std::to_string(8 * sizeof(void*)) + ".txt");
    std::ofstream out(file, seen.empty() ? std::ios::trunc : std::ios::app);
    if (seen.insert(sentence).second)
        out << sentence << "\n";
}

}  // namespace

std::string told(const fault* what) {
    if (what == nullptr)
        return "(none)";
    char buffer[sentence_capacity];
    return "mayfly: " + std::string(buffer, format(*what, buffer, sizeof buffer));
}

void expect_sentence(const fault* what, const std::string& expected) {
    const std::string actual = told(what);
    EXPECT_EQ(actual, expected);
    if (actual == expected)
        register_seen(actual);
}

std::vector<u8> captured(const std::string& name) {
    std::ifstream in("tests/data/" + name, std::ios::binary);
    EXPECT_TRUE(in.good()) << "tests/data/" << name;
    return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace mayfly::test

int main(int count, char** arguments) {
    testing::InitGoogleTest(&count, arguments);
    return RUN_ALL_TESTS();
}
