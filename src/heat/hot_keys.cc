#include "heat/hot_keys.h"

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cmath>
#include <numbers>

#include "base/check.h"

namespace sluice::heat {
namespace {

// What comes weighs at most 2^40 times what came at base_us_: far from the end of doubles.
constexpr uint64_t kRebaseUs = 40 * kHalfLifeUs;

double WeightAt(uint64_t age_us) {
  return std::exp2(static_cast<double>(age_us) / static_cast<double>(kHalfLifeUs));
}

}  // namespace

struct HotKeys::Table {
  struct Counter {
    model::KeyspaceId keyspace;
    size_t shard = 0;
    std::string key;
    uint64_t hash = 0;
    double count = 0, error = 0;
    size_t at = 0;  // in heap
  };

  std::vector<Counter> counters;
  std::vector<size_t> heap;  // of counters, the least at its root
  boost::unordered_flat_map<uint64_t, size_t> by_hash;
  size_t capacity = 0;
  std::vector<double> shards;  // what each has in all

  bool Less(size_t a, size_t b) const { return counters[heap[a]].count < counters[heap[b]].count; }
  void Swap(size_t a, size_t b) {
    std::swap(heap[a], heap[b]);
    counters[heap[a]].at = a;
    counters[heap[b]].at = b;
  }
  // The counter at this place has grown.
  void Sink(size_t at) {
    while (true) {
      size_t least = at;
      for (const size_t child : {2 * at + 1, 2 * at + 2}) {
        if (child < heap.size() && Less(child, least)) least = child;
      }
      if (least == at) return;
      Swap(at, least);
      at = least;
    }
  }
  // The counter at this place is new.
  void Rise(size_t at) {
    for (; at > 0 && Less(at, (at - 1) / 2); at = (at - 1) / 2) Swap(at, (at - 1) / 2);
  }
};

HotKeys::HotKeys(size_t capacity) : table_(std::make_unique<Table>()) {
  SLUICE_CHECK(capacity > 0);
  table_->capacity = capacity;
}
HotKeys::~HotKeys() = default;
HotKeys::HotKeys(HotKeys&&) noexcept = default;
HotKeys& HotKeys::operator=(HotKeys&&) noexcept = default;

void HotKeys::Add(model::KeyspaceId keyspace, size_t shard, std::string_view key, uint64_t hash,
                  double weight, uint64_t now_us) {
  if (now_us - base_us_ >= kRebaseUs) Rebase(now_us);
  Table& table = *table_;
  const double count = weight * WeightAt(now_us - base_us_);
  if (shard >= table.shards.size()) table.shards.resize(shard + 1);
  table.shards[shard] += count;
  const auto found = table.by_hash.find(hash);
  if (found != table.by_hash.end()) {
    Table::Counter& counter = table.counters[found->second];
    counter.count += count;
    counter.shard = shard;
    table.Sink(counter.at);
    return;
  }
  key = key.substr(0, kKeyBytesKept);
  if (table.counters.size() < table.capacity) {
    const size_t index = table.counters.size();
    table.counters.push_back({keyspace, shard, std::string(key), hash, count, 0, index});
    table.heap.push_back(index);
    table.by_hash[hash] = index;
    table.Rise(index);
    return;
  }
  Table::Counter& least = table.counters[table.heap.front()];
  table.by_hash.erase(least.hash);
  table.by_hash[hash] = table.heap.front();
  least.keyspace = keyspace;
  least.shard = shard;
  least.key.assign(key);
  least.hash = hash;
  least.error = least.count;
  least.count += count;
  table.Sink(0);
}

std::vector<HotKey> HotKeys::Top(size_t most, uint64_t now_us) const {
  std::vector<const Table::Counter*> order;
  for (const Table::Counter& counter : table_->counters) order.push_back(&counter);
  most = std::min(most, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(most), order.end(),
                    [](const auto* a, const auto* b) { return a->count > b->count; });
  // A rate r that holds has r * half life / ln 2 of weight.
  const double per_second =
      std::numbers::ln2 * 1e6 / static_cast<double>(kHalfLifeUs) / WeightAt(now_us - base_us_);
  std::vector<HotKey> top;
  for (size_t i = 0; i < most; ++i) {
    const Table::Counter& counter = *order[i];
    top.push_back({counter.keyspace, counter.shard, counter.key, counter.count * per_second,
                   counter.error * per_second,
                   std::min(1.0, counter.count / table_->shards[counter.shard])});
  }
  return top;
}

// What is left of counts that nobody added to for long is nothing; their order stays.
void HotKeys::Rebase(uint64_t now_us) {
  const double fade = WeightAt(now_us - base_us_);
  for (Table::Counter& counter : table_->counters) {
    counter.count /= fade;
    counter.error /= fade;
  }
  for (double& all : table_->shards) all /= fade;
  base_us_ = now_us;
}

}  // namespace sluice::heat
