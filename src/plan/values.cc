#include "plan/values.h"

#include <algorithm>

namespace sluice::plan {

void Values::Add(uint64_t hash) {
  ++rows_;
  if (Counted(hash)) ++counts_[hash];
  AddHeavy(hash);
}

void Values::AddHeavy(uint64_t hash) {
  if (const auto found = heavy_.find(hash); found != heavy_.end()) {
    ++found->second;
  } else if (heavy_.size() < kHeavyMax) {
    heavy_.emplace(hash, 1);
  } else {
    // Everybody pays for the newcomer; it takes kHeavyMax of them to come here again.
    for (auto& entry : heavy_) --entry.second;
    boost::unordered::erase_if(heavy_, [](const auto& entry) { return entry.second == 0; });
  }
}

void Values::Halve() {
  ++halvings_;
  boost::unordered::erase_if(counts_, [&](const auto& entry) { return !Counted(entry.first); });
  counts_.rehash(0);  // gives the memory back
}

double Values::once() const {
  const auto counted = std::count_if(counts_.begin(), counts_.end(),
                                     [](const auto& entry) { return entry.second == 1; });
  return std::ldexp(static_cast<double>(counted), halvings_);
}

Values::Top Values::top() const {
  Top top;
  const auto look = [&](const Counts& counts) {
    for (const auto& [hash, count] : counts) {
      if (count > top.count || (count == top.count && hash < top.hash)) top = {hash, count};
    }
  };
  look(counts_);
  if (!exact()) look(heavy_);
  return top;
}

void Groups::Add(uint64_t group, std::span<const uint64_t> row) {
  if (repeats_ >= kRepeatsMax || !Looked(group)) return;
  auto [entry, is_new] = last_.try_emplace(group);
  std::vector<uint32_t>& last = entry->second;
  if (differing_.size() < row.size()) differing_.resize(row.size(), 0);
  last.resize(std::max(last.size(), row.size()), 0);
  if (!is_new) ++repeats_;
  for (size_t i = 0; i < row.size(); ++i) {
    const auto now = static_cast<uint32_t>(row[i]);
    if (!is_new && last[i] != now) ++differing_[i];
    last[i] = now;
  }
  while (last_.size() > kGroupsMax && mask_ < 0xffffff) {
    mask_ = mask_ << 1 | 1;
    boost::unordered::erase_if(last_, [&](const auto& one) { return !Looked(one.first); });
  }
}

}  // namespace sluice::plan
