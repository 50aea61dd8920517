// SPDX-License-Identifier: MIT
#include "unit/expect.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "fakes/unexpected.hpp"

namespace mayfly::fakes {

void unexpected(const std::string& what) {
    ADD_FAILURE() << "unexpected: " << what;
}

}  // namespace mayfly::fakes

namespace mayfly {

void stop(const fault& what) {
    throw test::stopped(test::told(what));
}

}  // namespace mayfly

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

std::string told(const fault& what) {
    char buffer[sentence_capacity];
    return "mayfly: " + std::string(buffer, format(what, buffer, sizeof buffer));
}

void expect_sentence(const std::string& actual, const std::string& expected,
                     std::source_location where) {
    if (actual == expected)
        register_seen(actual);
    else
        ADD_FAILURE_AT(where.file_name(), static_cast<int>(where.line()))
            << "said:     " << actual << "\nexpected: " << expected;
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
