// Heat maps of keyspaces, one below the other, as SVG: time from left to right, tokens from top to
// bottom, a colour for the writes a second.
//
// The drawing stands alone and follows the reader's choice of light or dark, as cli/bench_chart.h.
//
// Threads:  none.
// Bounds:   a map of more than kHeatRowsMax rows is thinned: each row drawn is the sum of several.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sluice::cli {

inline constexpr size_t kHeatRowsMax = 64;

struct HeatPanel {
  std::string keyspace;
  uint64_t from_s = 0, step_s = 60;  // since 1970
  // Of each bucket of tokens, a rate for each step; none where it is not known.
  std::vector<std::vector<std::optional<double>>> writes = {};
  // Shards, and the row that each begins in.
  std::vector<std::pair<std::string, size_t>> shards = {};
};

std::string HeatSvg(const std::vector<HeatPanel>& panels);

}  // namespace sluice::cli
