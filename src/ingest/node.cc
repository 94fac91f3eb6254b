#include "ingest/node.h"

#include "base/check.h"

namespace sluice::ingest {

Node::Node(store::Store& store_, Fabric& fabric_, Background& background_,
           std::shared_ptr<const route::Router> router_, shard::Limits limits_)
    : store(store_), fabric(fabric_), background(background_), limits(std::move(limits_)) {
  SetRouter(std::move(router_));
}

void Node::SetRouter(std::shared_ptr<const route::Router> router_) {
  const auto& shards = router_->map().shards();
  std::vector<model::LaneId> placed;
  for (const model::Shard& shard : shards) {
    SLUICE_CHECK_MSG(shard.lane.value < fabric.lanes(), "a shard is on no lane");
    placed.push_back(shard.lane);
  }
  const std::lock_guard lock(mutex_);
  router = std::move(router_);
  owners = std::move(placed);
  loads = std::make_shared<ShardLoads>(shards.size());
}

Node::Layout Node::layout() const {
  const std::lock_guard lock(mutex_);
  return {router, loads};
}

}  // namespace sluice::ingest
