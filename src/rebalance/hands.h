// Hands: what a job has done to the node, by whoever holds the lanes and the topology.
//
// Threads:  Now, lanes, LoadMedian and TokenOf by any; the rest by the jobs' own. Commit blocks for
//           the disk, TakeOver for kRestUsMost and a turn of each lane.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/status.h"
#include "model/shard_map.h"
#include "route/topology.h"

namespace sluice::rebalance {

// A moment in which the lanes may rest before they take a map over.
inline constexpr uint64_t kRestUsMost = 50'000;

class Hands {
 public:
  virtual ~Hands() = default;
  // What was committed last, whether the lanes have taken it over or not.
  virtual std::shared_ptr<const route::TopologyContent> Now() const = 0;
  virtual size_t lanes() const = 0;
  virtual uint64_t Draw() = 0;  // for identities: each time another number
  // The first token of the upper part, were the shard cut where half of its load lies below.
  //   kNotFound  its heat knows of no such place; the message says why.
  virtual Result<std::string> LoadMedian(model::ShardId shard) = 0;
  // The token of a key of that shard's keyspace. kInvalid: it is not of the keyspace.
  virtual Result<std::string> TokenOf(const model::Shard& shard, const std::string& key) = 0;
  // Asks for a share of the node's budget, at the lowest class. Empty: the job may go on, and the
  // share is taken. Else what it waits for: the node is near that bound.
  virtual std::string Admit() = 0;
  // For how long to rest after the lanes rested in vain.
  virtual uint64_t RestUs() const = 0;
  // What the lane holds in memory is brought to the store; how many of these were, so far.
  virtual void BeginStore(model::LaneId lane) = 0;
  virtual uint64_t Stored(model::LaneId lane) const = 0;
  // The topology's compare-and-swap: the one step that makes a change happen.
  //   kNoSpace, kIo, kConflict  nothing has changed.
  //   kOutcomeUnknown           it cannot be said which of the two holds; the lanes serve the old
  //                             one, which is as good until the next start. Nothing is committed
  //                             any more.
  virtual Status Commit(const route::TopologyContent& next) = 0;
  // The lanes take over what was committed. Empty: they have. Else what they wait for: nothing has
  // happened, ask again.
  virtual std::string TakeOver() = 0;
  // Rows of what moved that the store does not have yet lie with another lane.
  virtual bool Settled() const = 0;
  // Reads the topology back, and compares it with what was committed and what the lanes serve by.
  // What was compared, for people.
  //   kCorrupt  they differ; the message says in what. Else: it could not be read.
  virtual Result<std::string> Verify() = 0;
};

}  // namespace sluice::rebalance
