// Committer makes many lanes' batches durable with few fsyncs: group commit.
//
//   Append()  a lane hands over the records of one turn; it learns their LSNs at once.
//   Pump()    the log's own thread writes the open group, syncs it, and publishes durable().
//
// A group closes because the disk is idle (Pump takes what is there), because it reached
// group_bytes, or group_delay after its first record; with a latency target, GroupWindow says how
// long it stays open, group_delay at most. One that no reply waits for is left open for
// kPatienceUs, unless somebody comes to wait for it (Hurry). The next group fills while this one
// syncs; while the disk is that busy it may pass group_bytes, kGroupGrowth times, so that a slow
// sync pays for more. A turn's batch is never divided between groups, so a group may pass its bound
// by one.
//
// Owns:     the open group and the shard sequence counters: records are numbered in log order here,
//           the one place where all lanes meet. Borrows the log.
// Threads:  Append, durable, failed, pending_bytes: any thread. Pump, Close: the log's own thread.
//           One short lock per batch, none per record.
// Failure:  once the log answered kOutcomeUnknown, failed() is set for good and Append answers
//           kOutcomeUnknown; durable() stands still. While the disk is full (no_space()), what is
//           queued waits and Pump tries again. Append still takes a turn that ran already: its
//           effects are in the state; the lanes refuse new writes before they run. A disk that is
//           still full after Close() is a failed log: nobody is left to wait for room.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "env/env.h"
#include "log/group_buffer.h"
#include "log/group_window.h"
#include "log/log.h"
#include "log/meters.h"
#include "model/ids.h"

namespace sluice::log {

// A lane's records of one turn, encoded as in model/effect.h.
struct Batch {
  std::string_view bytes;
  uint32_t records = 0;
  model::LogTime time;
  std::span<const ShardSpan>
      shards;           // first_seq is ignored; a record of several shards counts in each
  bool awaited = true;  // replies wait for it to be durable
};

struct Placed {
  model::Lsn last;  // LSN of the batch's last record
  uint64_t log_bytes =
      0;  // bytes appended to this log by all lanes since it was opened, this batch included
};

struct CommitterLimits {
  size_t group_bytes = 256 << 10;  // a group closes at this size, if the disk is free
  uint64_t group_delay_us = 0;     // or this long after its first record; 0: when the disk is free
  // From a record's arrival to its being durable, for nearly all; 0: no target. Then a group stays
  // open as long as that allows and more comes, and group_delay is the bound, if it is not 0.
  uint64_t latency_target_us = 0;
  size_t queue_bytes_max =
      64 << 20;  // not yet synced; lanes stop reading sockets above it (full())
};
inline constexpr uint64_t kWitnessDelayUs =
    10'000;  // after the last group, then an empty one is written
// A group that nobody waits for closes so long after its first record.
inline constexpr uint64_t kPatienceUs = 2'000;
inline constexpr size_t kBatchBytesMax = 512 << 20;
inline constexpr uint64_t kNoSpaceRetryUs = 100'000;  // while the disk is full
// A group that waits for the disk takes batches until it is so many times group_bytes.
inline constexpr size_t kGroupGrowth = 16;
inline constexpr size_t kIdleBuffersMax = 2;  // kept for later groups; more are freed
// A buffer that one huge batch blew up beyond this is not kept either.
inline constexpr size_t kIdleBufferBytesMax = 16 << 20;

class Committer {
 public:
  // `next_seq`: the number the next record of each lineage will carry, as recovery found it (1 when
  // the lineage is unknown here).
  Committer(Log& log, env::Clock& clock, CommitterLimits limits,
            std::unordered_map<model::Lineage, model::ShardSeq> next_seq);

  // Queues the batch behind all earlier ones. It will be durable when durable() >= the LSN
  // returned.
  //   kOutcomeUnknown  the log failed. Not queued; what was queued before is unknown.
  //   kUnavailable     Close() was called. Not queued; nothing happened.
  // Requires: batch.records > 0, batch.bytes within kBatchBytesMax.
  Result<Placed> Append(const Batch& batch);

  // Somebody waits for all up to `lsn`. Any thread; nothing is locked when there is nothing to do.
  void Hurry(model::Lsn lsn);

  // Changes when groups close, from the next batch on. Any thread.
  void LimitGroups(size_t bytes, uint64_t delay_us, uint64_t target_us);

  // Writes and syncs one group if one should close now (or the witness, or after Close() the clean
  // stop). Returns when it wants to be called next, in monotonic microseconds; 0: at once; ~0: when
  // something was appended. The hook of OnProgress runs after durable() moved or failed() was
  // set.
  uint64_t Pump();

  // Blocks the log's thread until something was appended, `deadline_us` passed, or Wake(). Not at
  // all once closed().
  void WaitForWork(uint64_t deadline_us);
  void Wake();

  // After this, Pump writes what is queued and then a clean stop marker; Append is refused.
  void Close();
  bool closed() const { return closed_; }  // the marker is durable (or the log failed)

  // Called on the log's thread after each change of durable(), failed() or no_space(). Set before
  // use.
  void OnProgress(std::function<void()> hook);

  model::Lsn durable() const { return model::Lsn(durable_.load()); }  // all up to here are durable
  model::Lsn appended() const { return model::Lsn(appended_.load()); }  // the last LSN given out
  bool failed() const { return failed_; }
  bool no_space() const { return no_space_; }
  bool full() const { return pending_bytes() >= queue_bytes_max_; }
  size_t pending_bytes() const { return pending_bytes_; }  // appended and not yet durable
  uint64_t appended_bytes() const { return log_bytes_; }   // by all lanes, since this was made
  model::ShardSeq next_seq(model::Lineage lineage) const;  // takes the lock; for freezing and tests
  double fullness() const { return double(pending_bytes()) / double(queue_bytes_max_); }
  // How long records wait to be durable, beyond what the settings have groups wait: the oldest of
  // now, or those of the last group if that is more; 0: none waits. Takes the lock.
  uint64_t waiting_us() const;
  uint64_t last_sync_us() const { return last_sync_us_; }  // 0: there was none
  // How long the oldest record has waited that is not durable; 0: none waits. Takes the lock.
  uint64_t oldest_waiting_us() const;
  const LogMeters& meters() const { return meters_; }

 private:
  struct Group {
    GroupBuffer buffer;
    std::vector<ShardSpan> spans;
    model::Lsn first;
    uint32_t records = 0;
    model::LogTime time;
    uint64_t number = 0;
    GroupTimes times;
    bool by_bytes = false;  // it reached group_bytes: due at once
    bool awaited = false;   // some reply waits for it
    bool full = false;      // it takes no more
    bool window_opened = false;
  };
  // Where a lineage stands: its next number, and its place in the shard table of the open group.
  struct Counter {
    model::ShardSeq next{1};
    uint64_t group = 0;
    size_t span = 0;
  };

  Group& OpenGroup();                                                 // requires the lock
  void CountShards(Group& group, std::span<const ShardSpan> shards);  // requires the lock
  Group* TakeDue(uint64_t now_us, uint64_t* wait_until);
  std::optional<log::Close> CloseOf(Group& group, uint64_t now_us);  // requires the lock
  uint64_t WriteGroup(Group& group);
  uint64_t WriteMark(uint16_t flags);
  uint64_t PumpIdle(uint64_t now_us);
  uint64_t Refused(const Error& error);
  void CountSync(uint64_t began_us);
  void Progress();

  Log& log_;
  env::Clock& clock_;
  const size_t queue_bytes_max_;
  std::function<void()> on_progress_;

  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::deque<std::unique_ptr<Group>> groups_;  // the front may be written now, the back fills
  std::vector<std::unique_ptr<Group>> idle_;   // for use again
  std::unordered_map<model::Lineage, Counter> counters_;
  uint64_t next_number_ = 1;  // of groups
  bool writing_ = false;      // the front is being written and takes no more
  bool news_ = false;         // Pump has something to look at
  bool woken_ = false;
  bool closing_ = false;
  size_t group_bytes_;
  uint64_t group_delay_us_, target_us_;
  GroupWindow window_;

  // The log thread's own.
  uint64_t last_group_us_ = 0;
  bool witness_due_ = false;  // the last group has no successor yet
  LogMeters meters_;

  std::atomic<uint64_t> durable_, appended_, log_bytes_{0};
  std::atomic<size_t> pending_bytes_{0};
  std::atomic<uint64_t> last_wait_us_{0}, last_sync_us_{0};
  std::atomic<uint64_t> patient_from_;  // first LSN of the open group that nobody waits for
  std::atomic<bool> failed_{false}, no_space_{false}, closed_{false};
};

}  // namespace sluice::log
