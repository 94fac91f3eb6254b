// Load: where the writes of one keyspace, or one region of it, fall on its tokens, and what a heat
// would tell of any range of them.
//
// Tokens are numbers in [0, 1). A band spreads its writes evenly over a range of tokens; a spike is
// one key.
//
// Threads:  none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/ids.h"
#include "model/keyspace.h"
#include "rebalance/survey.h"

namespace sluice::sim::scale {

struct Band {
  double from = 0, to = 1;
  double writes = 0;  // a second
};

struct Spike {
  std::string key;
  double at = 0;
  double writes = 0;  // a second
};

struct Space {
  size_t keyspace = 0;  // index
  std::string region = {};
  uint16_t number = 0;  // of the region
  model::Priority priority = model::Priority::kNormal;
  uint64_t bytes = 0;  // spread evenly
  std::vector<Band> bands = {};
  std::vector<Spike> spikes = {};
  double seen = 1;  // tokens above were not seen a minute ago

  double Writes(double from, double to) const;
  // Where the writes of a range are halved; none if there is no place within.
  std::optional<rebalance::LoadCut> Cut(double from, double to) const;
  std::optional<rebalance::SurveyedHotKey> Hottest(double from, double to) const;
  double Rising(double from, double to) const;

  // In the order of the numbers, behind the region's.
  std::string Token(double at) const;
  static double At(const std::string& token);
};

}  // namespace sluice::sim::scale
