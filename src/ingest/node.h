// Node: what all lanes of a node share.
//
// Threads:  the map (router, owners, loads) changes only while no lane is in a turn (reshape.h):
//           lanes read it as they like, all others ask Layout(). The rest as each member says.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "admit/budget.h"
#include "admit/limits.h"
#include "ingest/background.h"
#include "ingest/cursors.h"
#include "ingest/fabric.h"
#include "ingest/heat_reports.h"
#include "log/committer.h"
#include "route/router.h"
#include "shard/shards.h"

namespace sluice::ingest {

class Lane;

// Where a lane stops between two turns when somebody needs all of them to stand still.
class Halt {
 public:
  virtual ~Halt() = default;
  // Called by each lane before each turn. May block.
  virtual void Pass() = 0;
};

// Of each shard, by index in the map: writes in the last second, told by its lane.
using ShardLoads = std::vector<std::atomic<double>>;

// Each member outlives the lanes.
struct Node {
  // `router_`: its map has placed every shard on one of the fabric's lanes.
  Node(store::Store& store_, Fabric& fabric_, Background& background_,
       std::shared_ptr<const route::Router> router_, shard::Limits limits_);

  log::Committer* committer = nullptr;  // set once recovery knows where the log ends
  store::Store& store;
  Fabric& fabric;
  Background& background;
  Halt* halt = nullptr;      // null: lanes are never run at the same time
  std::vector<Lane*> lanes;  // by id; filled in before the first turn

  std::shared_ptr<const route::Router> router;
  std::vector<model::LaneId> owners;  // of each shard, by index in the map
  std::shared_ptr<ShardLoads> loads;

  struct Layout {
    std::shared_ptr<const route::Router> router;
    std::shared_ptr<const ShardLoads> loads;
  };
  Layout layout() const;
  void SetRouter(std::shared_ptr<const route::Router> router_);

  // Who works over several turns with what the map says holds a copy: until there is none, the map
  // stays as it is.
  using Pin = std::shared_ptr<const char>;
  Pin pin = std::make_shared<char>();
  bool pinned() const { return pin.use_count() > 1; }
  // The map is to change: sockets rest, so that what is under way comes to an end.
  std::atomic<bool> resting{false};
  // Write buffers that lanes lent to others and that are not in the store yet.
  std::atomic<size_t> loans{0};

  shard::Limits limits;
  // Of writes; set before the first turn. At first there are none.
  std::unique_ptr<admit::Limits> write_limits =
      std::make_unique<admit::Limits>(std::vector<model::WriteLimits>(), 0);
  Cursors cursors;
  // Lanes whose write buffer or whose waiting commands are past their bound: until there are none,
  // all sockets rest, so that what holds them up can finish.
  std::atomic<int> lanes_full{0};
  // A projection that may block the writers is as far behind as the log may keep.
  std::atomic<bool> projections_full{false};
  // The disk has no more room than writing out and merging what there is may need.
  std::atomic<bool> disk_low{false};
  // The log's queue has been full for so long that who waits for it hears so.
  std::atomic<bool> log_stuck{false};
  // How near a projection is to projections_full, as a pressure (admit/controller.h).
  std::atomic<double> projections_pressure{0};
  admit::Budget budget;
  HeatReports heat_reports;

 private:
  mutable std::mutex mutex_;  // guards the map for those that are no lanes
};

}  // namespace sluice::ingest
