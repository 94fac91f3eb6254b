// Values: how often each value of a column came, in bounded memory.
//
// A value is known by its hash. All are counted until there is no room for more; then every second
// one, chosen by its hash, is forgotten, and so on: the counts of those that stay are exact, and
// their number says how many there are in all. Values that are too frequent to be missed are
// counted beside it (Misra and Gries: what is left of a count is at most rows / kHeavyMax too low).
//
// Threads:  none.
// Bounds:   the caller's, by held() and Halve(); kHeavyMax frequent values.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace sluice::plan {

class Values {
 public:
  static constexpr size_t kHeavyMax = 1'024;

  void Add(uint64_t hash);
  void Halve();

  size_t held() const { return counts_.size(); }
  uint64_t rows() const { return rows_; }
  double distinct() const { return std::ldexp(static_cast<double>(counts_.size()), halvings_); }
  // Of these, how many came once.
  double once() const;
  bool exact() const { return halvings_ == 0; }

  struct Top {
    uint64_t hash = 0, count = 0;
  };
  // The most frequent value; of many rows with no frequent one, the count is a lower bound.
  Top top() const;

 private:
  bool Counted(uint64_t hash) const { return (hash & ((uint64_t{1} << halvings_) - 1)) == 0; }
  void AddHeavy(uint64_t hash);

  using Counts = boost::unordered_flat_map<uint64_t, uint64_t>;
  Counts counts_, heavy_;
  int halvings_ = 0;
  uint64_t rows_ = 0;
};

// Groups: of rows that share a value in one column, whether they share those of the others too.
// Looks at some of the groups, chosen by their hash, and compares each row with the one before it
// in its group.
//
// Threads:  none.
// Bounds:   kGroupsMax groups, kRepeatsMax comparisons; what comes then is not looked at.
class Groups {
 public:
  static constexpr size_t kGroupsMax = 1'024;
  static constexpr uint64_t kRepeatsMax = 200'000;

  // `row`: the hashes of the row's values by column, 0 for none.
  void Add(uint64_t group, std::span<const uint64_t> row);

  // Rows that were compared, and how many of them had another value in that column.
  uint64_t repeats() const { return repeats_; }
  uint64_t differing(size_t column) const {
    return column < differing_.size() ? differing_[column] : 0;
  }

 private:
  bool Looked(uint64_t group) const { return (group >> 40 & mask_) == 0; }

  boost::unordered_flat_map<uint64_t, std::vector<uint32_t>> last_;
  std::vector<uint64_t> differing_;
  uint64_t mask_ = 0, repeats_ = 0;
};

}  // namespace sluice::plan
