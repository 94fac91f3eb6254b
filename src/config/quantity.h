// Sizes and durations as people write them: "256KiB", "1GiB"; "0ms", "10m", "30d".
//
// One whole number and one unit, nothing between; no fractions, no sums.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace sluice::config {

// B, KiB, MiB, GiB or TiB. kInvalid: another unit, no number, or 2^64 bytes and more.
Result<uint64_t> ParseSize(std::string_view text);
// us, ms, s, m, h or d, as microseconds. kInvalid: as above.
Result<uint64_t> ParseDuration(std::string_view text);

// The shortest exact text that the parser reads as the same value.
std::string FormatSize(uint64_t bytes);
std::string FormatDuration(uint64_t microseconds);

}  // namespace sluice::config
