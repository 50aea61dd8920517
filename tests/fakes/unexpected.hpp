// SPDX-License-Identifier: MIT
// What a fake calls when the firmware does something that the test did not prepare for. A unit test
// fails; a fuzz target aborts.
#pragma once

#include <string>

namespace mayfly::fakes {

void unexpected(const std::string& what);

}  // namespace mayfly::fakes
