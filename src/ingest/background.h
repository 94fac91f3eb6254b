// Background: work that must not run on a lane, because it waits for the disk. Threads in the real
// program, steps under the simulator's choice in a simulated one.
//
// Threads:  called from any lane. Results come back as tasks through the fabric.
#pragma once

#include <functional>
#include <optional>

#include "base/status.h"
#include "ingest/packet.h"
#include "model/ids.h"
#include "store/store.h"

namespace sluice::ingest {

class Background {
 public:
  virtual ~Background() = default;
  // Runs `work` on some thread and lets go of it, so that what both hold ends on the lane: `then`.
  virtual void Offload(model::LaneId lane, std::function<void(store::Store&)> work, Task then) = 0;
  // Brings a run into the store once the log is durable up to `last`, then posts `then` to the
  // lane. Runs go in the order in which they were given, whatever their lanes. It is tried again
  // until it succeeds: the run stays readable in the lane's state meanwhile, and the log is not
  // trimmed.
  virtual void Store(model::LaneId lane, store::Run run, model::Lsn last, Task then) = 0;
  // Why the run that is tried again and again does not get into the store; none when all is well.
  // Any thread. Lanes whose buffers are full refuse writes meanwhile, so that reads go on.
  virtual std::optional<Code> StoreTrouble() const { return std::nullopt; }
  // How far compaction is behind; at 1 the store takes no runs until it has caught up. Any thread.
  virtual double StoreFullness() const { return 0; }
};

}  // namespace sluice::ingest
