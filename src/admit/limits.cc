#include "admit/limits.h"

#include <xxhash.h>

#include <algorithm>

#include "base/check.h"

namespace sluice::admit {
namespace {

// What a command over one key asks at most, kept off the heap.
template <class Demand>
struct Few {
  std::array<Demand, 3> demands;
  size_t count = 0;
  void push_back(const Demand& demand) { demands[count++] = demand; }
};

}  // namespace

Limits::Limits(const std::vector<model::WriteLimits>& limits, uint64_t seed)
    : count_(limits.size()), seed_(seed), cells_(std::make_unique<Cell[]>(count_)) {
  Change(limits);
}

void Limits::Change(const std::vector<model::WriteLimits>& limits) {
  for (size_t id = 0; id < count_; ++id) {
    const model::WriteLimits next = id < limits.size() ? limits[id] : model::WriteLimits{};
    const bool by_name = next.client.writes > 0 || next.segment.writes > 0;
    if (by_name && owned_table_ == nullptr) {
      owned_table_ = std::make_unique<BucketTable>();
      table_.store(owned_table_.get(), std::memory_order_release);
    }
    Cell& cell = cells_[id];
    const auto set = [&cell](Limit limit, const model::Rate& rate) {
      cell.paces[static_cast<size_t>(limit)].Set(PaceOf(rate));
    };
    const uint16_t segment = next.segment.writes > 0 ? next.segment_index : kNoSegment;
    cell.segment.store(segment, std::memory_order_relaxed);
    cell.observe.store(next.observe, std::memory_order_relaxed);
    set(Limit::kAll, next.all);
    set(Limit::kClient, next.client);
    set(Limit::kSegment, next.segment);
  }
}

std::optional<size_t> Limits::SegmentOf(model::KeyspaceId keyspace) const {
  if (keyspace.value >= count_) return std::nullopt;
  const uint16_t index = cells_[keyspace.value].segment.load(std::memory_order_relaxed);
  if (index == kNoSegment) return std::nullopt;
  return index;
}

uint64_t Limits::NameOf(const Demand& demand, std::string_view value) const {
  const uint64_t kind = demand.keyspace.value * kLimits + static_cast<uint64_t>(demand.limit);
  return XXH3_64bits_withSeed(value.data(), value.size(), seed_ + kind);
}

template <class Demands>
void Limits::Collect(const Write& write, size_t index, std::string_view client, Demands& to) const {
  if (write.keyspace.value >= count_) return;
  const bool by_name = table_.load(std::memory_order_acquire) != nullptr;
  for (const Limit limit : {Limit::kSegment, Limit::kClient, Limit::kAll}) {
    Demand demand{.limit = limit, .keyspace = write.keyspace, .write = index};
    demand.pace = cells_[write.keyspace.value].paces[static_cast<size_t>(limit)].Now();
    if (demand.pace.cost == 0) continue;
    demand.observe = cells_[write.keyspace.value].observe.load(std::memory_order_relaxed);
    if (limit != Limit::kAll) {
      if (!by_name) continue;
      demand.name = NameOf(demand, limit == Limit::kClient ? client : write.segment);
    }
    to.push_back(demand);
  }
}

Verdict Limits::Admit(std::span<const Write> writes, std::string_view client, uint64_t now_us,
                      std::vector<Charge>* charges) {
  const uint64_t now = TicksOf(now_us);
  if (writes.size() == 1) {
    Few<Demand> few;
    Collect(writes[0], 0, client, few);
    return Settle({few.demands.data(), few.count}, now, charges);
  }
  std::vector<Demand> demands;
  for (size_t i = 0; i < writes.size(); ++i) Collect(writes[i], i, client, demands);
  const auto bucket = [](const Demand& one) {
    return std::tuple(one.limit, one.keyspace, one.name);
  };
  std::stable_sort(demands.begin(), demands.end(),
                   [&](const Demand& a, const Demand& b) { return bucket(a) < bucket(b); });
  size_t kept = 0;
  for (const Demand& demand : demands) {
    if (kept > 0 && bucket(demands[kept - 1]) == bucket(demand)) {
      ++demands[kept - 1].writes;
    } else {
      demands[kept++] = demand;
    }
  }
  return Settle({demands.data(), kept}, now, charges);
}

Verdict Limits::Settle(std::span<Demand> demands, uint64_t now, std::vector<Charge>* charges) {
  Verdict verdict;
  // What can never pass is not told to come again.
  for (const Demand& demand : demands) {
    if (demand.writes <= demand.pace.burst) continue;
    Deny(demand, demand.pace.burst, 0, demands, verdict);
    if (verdict.refused) return verdict;
  }
  for (Demand& demand : demands) {
    // Where it would have been refused it takes nothing.
    if (demand.observe && verdict.observed) continue;
    FullAt& bucket = BucketOf(demand, now);
    const Taken taken = Take(bucket, demand.pace, demand.writes, now);
    if (taken.yes) {
      demand.taken = &bucket;
      demand.from = taken.from;
      continue;
    }
    Deny(demand, 0, MillisOf(taken.wait), demands, verdict);
    if (verdict.refused) return verdict;
  }
  for (const Demand& demand : demands) {
    if (charges == nullptr || demand.taken == nullptr) continue;
    charges->push_back({demand.taken, demand.from, demand.from + demand.writes * demand.pace.cost});
  }
  return verdict;
}

void Limits::Deny(const Demand& demand, uint64_t burst, uint64_t wait_ms, std::span<Demand> demands,
                  Verdict& verdict) {
  const Denial denial{demand.limit, demand.write, demand.writes, burst, wait_ms};
  Meters& meters = cells_[demand.keyspace.value].meters;
  if (!demand.observe) {
    verdict.refused = denial;
    meters.Refused(demand.limit, demand.writes);
  } else if (!verdict.observed) {
    verdict.observed = denial;
    meters.Observed(demand.limit, demand.writes);
  }
  for (Demand& other : demands) {
    if (other.taken == nullptr || (demand.observe && !other.observe)) continue;
    GiveBack(*other.taken, other.pace, other.writes);
    other.taken = nullptr;
  }
}

FullAt& Limits::BucketOf(const Demand& demand, uint64_t now) {
  if (demand.limit == Limit::kAll) return cells_[demand.keyspace.value].all;
  return table_.load(std::memory_order_acquire)->Find(demand.name, now);
}

uint64_t Limits::forgotten() const {
  const BucketTable* const table = table_.load(std::memory_order_acquire);
  return table == nullptr ? 0 : table->forgotten();
}

}  // namespace sluice::admit
