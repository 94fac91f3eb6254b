// Committer makes many lanes' batches durable with few fsyncs: group commit.
//
//   Append()  a lane hands over the records of one turn; it learns their LSNs at once.
//   Pump()    the log's own thread writes the open group, syncs it, and publishes durable().
//
// A group closes because the disk is idle (Pump takes what is there), because it reached
// group_bytes, or group_delay after its first record. The next group fills while this one syncs. A
// turn's batch is never divided between groups, so a group may pass group_bytes by one batch.
//
// Owns:     the open group and the shard sequence counters: records are numbered in log order here,
//           the one place where all lanes meet. Borrows the log.
// Threads:  Append, durable, failed, pending_bytes: any thread. Pump, Close: the log's own thread.
//           One short lock per batch, none per record.
// Failure:  once the log answered kOutcomeUnknown, failed() is set for good and Append answers
//           kOutcomeUnknown; durable() stands still. While the disk is full, Append answers
//           kNoSpace and what was queued before waits; Pump tries again.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "env/env.h"
#include "log/log.h"
#include "model/ids.h"

namespace sluice::log {

// A lane's records of one turn, encoded as in model/effect.h.
struct Batch {
  std::string_view bytes;
  uint32_t records = 0;
  model::LogTime time;
  std::span<const ShardSpan>
      shards;  // first_seq is ignored; a record of several shards counts in each
};

struct Placed {
  model::Lsn last;  // LSN of the batch's last record
  uint64_t log_bytes =
      0;  // bytes appended to this log by all lanes since it was opened, this batch included
};

struct CommitterLimits {
  size_t group_bytes = 256 << 10;  // a group closes at this size
  uint64_t group_delay_us = 0;     // or this long after its first record; 0: when the disk is free
  size_t queue_bytes_max =
      64 << 20;  // not yet synced; lanes stop reading sockets above it (full())
};
inline constexpr uint64_t kWitnessDelayUs =
    10'000;  // after the last group, then an empty one is written

class Committer {
 public:
  // `next_seq`: the number the next record of each lineage will carry, as recovery found it (1 when
  // the lineage is unknown here).
  Committer(Log& log, env::Clock& clock, CommitterLimits limits,
            std::unordered_map<model::Lineage, model::ShardSeq> next_seq);

  // Queues the batch behind all earlier ones. It will be durable when durable() >= the LSN
  // returned.
  //   kNoSpace         the disk is full. Not queued; nothing happened.
  //   kOutcomeUnknown  the log failed. Not queued; what was queued before is unknown.
  // Requires: batch.records > 0.
  Result<Placed> Append(const Batch& batch);

  // Writes and syncs one group if one should close now (or the witness, or after Close() the clean
  // stop). Returns when it wants to be called next, in monotonic microseconds; 0: at once; ~0: when
  // something was appended. Call `on_durable` hooks are run after durable() moved or failed() was
  // set.
  uint64_t Pump();

  // Blocks the log's thread until something was appended, `deadline_us` passed, or Wake().
  void WaitForWork(uint64_t deadline_us);
  void Wake();

  // After this, Pump writes what is queued and then a clean stop marker; Append is refused.
  void Close();
  bool closed() const;  // the marker is durable (or the log failed)

  // Called on the log's thread after each change of durable(), failed() or no_space(). Set before
  // use.
  void OnProgress(std::function<void()> hook);

  model::Lsn durable() const;   // all records up to here are durable
  model::Lsn appended() const;  // the last LSN given out
  bool failed() const;
  bool no_space() const;
  bool full() const;  // queue_bytes_max reached
  size_t pending_bytes() const;
  model::ShardSeq next_seq(model::Lineage lineage) const;  // takes the lock; for freezing and tests
};

}  // namespace sluice::log
