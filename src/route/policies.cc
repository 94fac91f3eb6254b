#include "route/policies.h"

namespace sluice::route {

Policies::Policies(const std::vector<model::Policy>& policies)
    : count_(policies.size()), cells_(std::make_unique<Cell[]>(count_)) {
  Change(policies);
}

void Policies::Change(const std::vector<model::Policy>& policies) {
  for (size_t id = 0; id < count_; ++id) {
    const model::Policy policy = id < policies.size() ? policies[id] : model::Policy{};
    cells_[id].ack.store(policy.ack, std::memory_order_relaxed);
    cells_[id].priority.store(policy.priority, std::memory_order_relaxed);
    cells_[id].limited.store(policy.limited, std::memory_order_relaxed);
    cells_[id].append_only.store(policy.append_only, std::memory_order_relaxed);
    cells_[id].folds.store(policy.folds, std::memory_order_relaxed);
    cells_[id].projected.store(policy.projected, std::memory_order_relaxed);
    cells_[id].increments_only.store(policy.increments_only, std::memory_order_relaxed);
    cells_[id].ttl_ms.store(policy.ttl_ms, std::memory_order_relaxed);
  }
}

void Policies::SetSeeding(model::KeyspaceId id, bool seeding) {
  if (id.value < count_) cells_[id.value].seeding.store(seeding, std::memory_order_relaxed);
}

model::Policy Policies::Of(model::KeyspaceId id) const {
  if (id.value >= count_) return {};
  const Cell& cell = cells_[id.value];
  model::Policy policy;
  policy.ack = cell.ack.load(std::memory_order_relaxed);
  policy.ttl_ms = cell.ttl_ms.load(std::memory_order_relaxed);
  policy.priority = cell.priority.load(std::memory_order_relaxed);
  policy.limited = cell.limited.load(std::memory_order_relaxed);
  policy.append_only = cell.append_only.load(std::memory_order_relaxed);
  policy.folds = cell.folds.load(std::memory_order_relaxed);
  policy.projected = cell.projected.load(std::memory_order_relaxed);
  policy.increments_only = cell.increments_only.load(std::memory_order_relaxed);
  policy.seeding = cell.seeding.load(std::memory_order_relaxed);
  return policy;
}

}  // namespace sluice::route
