// Sweeper: ends what has expired on one lane: keys whose rows lie in its write buffer, once tokens,
// and keys that lie in the store only, which the store's index by time names.
//
// While more is due than one step takes, the next step follows at once; so a backlog is worked off
// as fast as the lane and the disk allow, and no turn waits for more than one step. It rests while
// the lane is behind (Lane::Strained): what it writes goes to the log like any write.
//
// Threads:  the lane's own; the index is read off it.
// Bounds:   kSweepMax keys of each kind in a turn, kIndexMost in one reading of the index.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "shard/shards.h"

namespace sluice::ingest {

class Lane;

inline constexpr size_t kSweepMax = 500;
inline constexpr size_t kIndexMost = 4096;      // a reading grows from kSweepMax to here
inline constexpr uint64_t kIndexTicks = 10;     // ticks between two readings when nothing is due
inline constexpr size_t kIndexLooksPerKey = 8;  // other lanes' keys that a reading passes over

class Sweeper {
 public:
  explicit Sweeper(Lane& lane) : lane_(lane) {}
  // Requires: in a turn of the lane.
  void Tick();

 private:
  struct Reading;

  void SweepBuffers();
  bool PassOn(std::string_view once_key);
  void ReadIndex();
  void EndSome(const std::shared_ptr<Reading>& reading);
  void Finish(const Reading& reading);

  Lane& lane_;
  uint64_t ticks_ = 0;
  bool buffers_again_ = false;  // SweepBuffers is called in the next turn
  bool reading_ = false;
  bool skipped_ = false;  // keys that were held, since from_ began
  size_t limit_ = kSweepMax;
  size_t first_keyspace_ = 0;      // the one that the next reading begins with
  std::vector<std::string> from_;  // by keyspace: the index up to here is done; empty: not begun
  uint64_t flushes_ = 0;           // runs in the store when from_ began
};

}  // namespace sluice::ingest
