#include "project/shard_book.h"

#include <algorithm>

namespace sluice::project {

void ShardBook::Learn(const model::ShardMap& map) {
  const std::lock_guard lock(mutex_);
  std::unordered_map<model::KeyspaceId, SourceShards> more;
  const auto learn = [&](const auto& shard) {
    const auto& known = shards_[shard.keyspace];
    const auto is = [&](const SourceShard& one) { return one.id == shard.id; };
    if (known && std::any_of(known->begin(), known->end(), is)) return;
    more[shard.keyspace].push_back({shard.id, shard.lineage});
  };
  for (const model::RetiredShard& shard : map.retired()) learn(shard);
  for (const model::Shard& shard : map.shards()) learn(shard);
  for (const auto& [keyspace, shards] : more) {
    const auto& known = shards_[keyspace];
    auto next = std::make_shared<SourceShards>(known ? *known : SourceShards());
    next->insert(next->end(), shards.begin(), shards.end());
    shards_[keyspace] = std::move(next);
  }
}

std::shared_ptr<const SourceShards> ShardBook::Of(model::KeyspaceId keyspace) const {
  const std::lock_guard lock(mutex_);
  const auto found = shards_.find(keyspace);
  return found == shards_.end() ? std::make_shared<SourceShards>() : found->second;
}

}  // namespace sluice::project
