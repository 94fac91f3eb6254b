#include "model/shard_map.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"

namespace sluice::model {
namespace {

// Order of the first 8 bytes; equal heads need a look at the rest.
uint64_t Head(std::string_view token) {
  char bytes[8] = {};
  std::memcpy(bytes, token.data(), std::min<size_t>(8, token.size()));
  return LoadBe64(bytes);
}

}  // namespace

Result<std::shared_ptr<const ShardMap>> ShardMap::Make(Epoch epoch, std::vector<Shard> shards,
                                                       std::vector<RetiredShard> retired) {
  std::sort(shards.begin(), shards.end(), [](const Shard& a, const Shard& b) {
    return a.keyspace != b.keyspace ? a.keyspace < b.keyspace : a.begin < b.begin;
  });
  auto map = std::make_shared<ShardMap>();
  for (size_t i = 0; i < shards.size(); ++i) {
    const Shard& shard = shards[i];
    const bool first = i == 0 || shards[i - 1].keyspace != shard.keyspace;
    const std::string& before = first ? std::string() : shards[i - 1].end;
    if (shard.begin != before || (!first && before.empty())) {
      return Fail(Code::kInvalid,
                  fmt::format("shard {} does not begin where the one before ends", shard.id.value));
    }
    const bool last = i + 1 == shards.size() || shards[i + 1].keyspace != shard.keyspace;
    if (last && !shard.end.empty()) {
      return Fail(Code::kInvalid, fmt::format("no shard follows shard {}", shard.id.value));
    }
    if (first) {
      if (map->ranges_.size() <= shard.keyspace.value) {
        map->ranges_.resize(shard.keyspace.value + size_t{1});
      }
      map->ranges_[shard.keyspace.value] = {i, i};
    }
    map->ranges_[shard.keyspace.value].second = i + 1;
    map->heads_.push_back(Head(shard.begin));
  }
  map->epoch_ = epoch;
  map->shards_ = std::move(shards);
  map->retired_ = std::move(retired);
  map->former_.resize(map->shards_.size());
  for (const RetiredShard& was : map->retired_) map->AddFormer(was);
  for (std::vector<std::string>& begins : map->former_) {
    std::sort(begins.begin(), begins.end());
    begins.erase(std::unique(begins.begin(), begins.end()), begins.end());
  }
  return std::shared_ptr<const ShardMap>(std::move(map));
}

void ShardMap::AddFormer(const RetiredShard& was) {
  const auto [first, last] = OfKeyspace(was.keyspace);
  if (first == last) return;
  for (size_t i = Find(was.keyspace, was.begin); i < last; ++i) {
    if (!was.end.empty() && shards_[i].begin >= was.end) return;
    if (shards_[i].begin != was.begin) former_[i].push_back(was.begin);
  }
}

size_t ShardMap::Find(KeyspaceId keyspace, std::string_view token) const {
  const auto [first, last] = OfKeyspace(keyspace);
  SLUICE_CHECK(first < last);
  const uint64_t head = Head(token);
  size_t at =
      std::upper_bound(heads_.begin() + first, heads_.begin() + last, head) - heads_.begin();
  // Shards whose begin shares the head may still begin behind the token.
  while (at - 1 > first && heads_[at - 1] == head && shards_[at - 1].begin > token) --at;
  return at == first ? first : at - 1;
}

std::pair<size_t, size_t> ShardMap::OfKeyspace(KeyspaceId keyspace) const {
  return keyspace.value < ranges_.size() ? ranges_[keyspace.value]
                                         : std::pair<size_t, size_t>{0, 0};
}

std::string EvenHashCut(uint32_t i, uint32_t n) {
  std::string cut;
  const auto wide = (static_cast<unsigned __int128>(i) << 64) / n;
  if (i > 0) AppendBe64(cut, static_cast<uint64_t>(wide));
  return cut;
}

}  // namespace sluice::model
