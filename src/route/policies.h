// Policies: what may change about keyspaces while the node runs.
//
// Threads:  any. A command that runs while a policy changes sees each of its settings before or
//           after the change.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "model/keyspace.h"

namespace sluice::route {

class Policies {
 public:
  // By keyspace id; those behind the last have the defaults.
  explicit Policies(const std::vector<model::Policy>& policies);

  // Replaces all of them, but for `seeding`. Of keyspaces that were not there at first, nothing is
  // kept.
  void Change(const std::vector<model::Policy>& policies);
  void SetSeeding(model::KeyspaceId id, bool seeding);
  model::Policy Of(model::KeyspaceId id) const;

 private:
  struct Cell {
    std::atomic<model::Ack> ack;
    std::atomic<model::Priority> priority;
    std::atomic<bool> limited, append_only, folds, projected, increments_only;
    std::atomic<bool> seeding{false};
    std::atomic<uint64_t> ttl_ms;
  };
  const size_t count_;
  std::unique_ptr<Cell[]> cells_;
};

}  // namespace sluice::route
