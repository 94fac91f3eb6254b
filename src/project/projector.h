// Projector carries one keyspace's writes to one sink: exactly those up to the sink's position, in
// order, collapsed, at the sink's own pace.
//
//   Step()    does what is due: open the sink, copy the state, gather a batch, write it.
//   Pause(), Resume(), Rebuild(), Replay(), Purge()
//             what an operator asks for; done by the next Steps.
//   report(), dead(), done()
//             where it is.
//
// A projection that is new first copies the state at a position, then tails the log from there. Of
// a copy that was cut short, the position stays and the rows are copied again: writes behind it
// that they have already are written once more, and end in the same rows.
//
// A sink that has rows of its own may have them read into the state before all that (seeder.h).
//
// A change that the sink refuses for what it is becomes a letter, and the rest goes on. There is
// one letter per key: later changes of the key are merged with it and tried together, so that a
// letter is always all that the sink lacks of its key.
//
// In the sink's position, lineage 0 counts the projector's own steps: odd while it copies.
//
// Owns:     its tail, batch and letters. Borrows source, sink and clock.
// Threads:  Step from one; it blocks as the sink does. All else from any.
// Failure:  what may pass is tried again, ever less often (kRetryLeastUs to kRetryMostUs). What
//           needs an operator makes it BROKEN, until Resume, or Rebuild where the log lacks what
//           the sink needs: only then it holds the log no longer.
// Bounds:   one batch (rows_max, kBatchBytesMax) is gathered and one on its way; kDeadMost letters
//           of kDeadBytesMax.
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "env/env.h"
#include "project/copier.h"
#include "project/meters.h"
#include "project/seeder.h"
#include "project/sink.h"
#include "project/tail.h"
#include "project/verifier.h"

namespace sluice::project {

inline constexpr size_t kBatchBytesMax = 4 << 20;
inline constexpr uint64_t kBatchRowsLeast = 16;      // however slow the sink is
inline constexpr uint64_t kLatencyGoalUs = 100'000;  // batches grow while a write takes less,
inline constexpr uint64_t kLatencyMostUs = 400'000;  // and shrink when it takes more
inline constexpr uint64_t kRatePieces = 10;          // batches a second, at a rate
inline constexpr uint64_t kRetryLeastUs = 100'000;
inline constexpr uint64_t kRetryMostUs = 2'000'000;
inline constexpr uint64_t kPollUs = 10'000;      // the log, while it has nothing new
inline constexpr uint64_t kLookUs = 2'000'000;   // a sink that is told nothing is looked at
inline constexpr uint64_t kIdleUs = 100'000;     // while nothing can be done
inline constexpr uint64_t kSeedPollUs = 1'000;   // the lanes, while they write rows,
inline constexpr uint64_t kSeedBusyUs = 50'000;  // or take none
inline constexpr uint64_t kRetryDeadMs = 1'000;  // until a key that was refused is tried again
inline constexpr size_t kDeadMost = 10'000;
inline constexpr size_t kDeadBytesMax = 64 << 20;
inline constexpr size_t kCopyAtOnceMax = 100'000;  // keys, of a projection whose rows get deltas

struct Pace {
  uint64_t rows_max = 10'000;  // of a batch
  uint64_t every_us = 50'000;  // a batch that is not full waits so long for more
  uint64_t rate = 0;           // rows a second; 0: as fast as it goes
};

enum class State : uint8_t { kWaiting, kCopying, kRunning, kPaused, kBroken, kSeeding };
std::string_view StateName(State state);  // "waiting for the sink", "BROKEN"

struct Report {
  State state = State::kWaiting;
  std::string why;                 // of kWaiting and kBroken; what the last error was otherwise
  std::optional<uint64_t> lag_ms;  // age of the oldest write that is not in the sink
  std::optional<uint64_t> lag_bytes;
  uint64_t rows = 0, batches = 0, errors = 0;  // since the start
  uint64_t rows_per_second = 0;                // in the last ten seconds, about
  uint64_t batch_rows = 0;                     // that batches may have now
  uint64_t copied = 0;                         // keys, of a copy under way
  uint64_t seeded = 0;                         // rows, of a seed under way
  uint64_t dead = 0;
  Position position;
  std::vector<std::string> notes;  // of the sink
};

class Projector {
 public:
  // `adds`: rows get deltas.
  Projector(std::string name, Source source, Sink& sink, env::Clock& clock, Pace pace, bool adds);

  // Returns when it wants to be called next, in monotonic microseconds.
  uint64_t Step();

  const std::string& name() const { return name_; }
  const Source& source() const { return source_; }
  void Pause() { paused_ = true; }
  void Resume();
  void Rebuild();
  // Letters with these ids, or all if there are none, are tried again, or forgotten. `then` runs on
  // the thread of Step, with how many letters are gone. kUnavailable: another such order waits.
  using Then = std::function<void(const Result<uint64_t>&)>;
  Status Replay(std::vector<uint64_t> ids, Then then);
  Status Purge(std::vector<uint64_t> ids, Then then);
  // Compares sink and state while the projection goes on. `then` runs as above. kUnavailable: a
  // comparison is under way.
  using ThenVerdict = std::function<void(const Result<Verdict>&)>;
  Status Verify(ThenVerdict then);
  // The node is about to stop: who waits for an order is told so, and none is taken from now on.
  void EndOrders() { orders_end_ = true; }
  // The log's bound was reached: the log is held no longer.
  void GiveUp(const std::string& why);

  Report report() const;
  std::vector<DeadLetter> dead() const;
  // All records up to here are in the sink, or in what is copied, or not of this keyspace. 0: not
  // known.
  model::Lsn done() const { return model::Lsn(done_.load()); }
  // Whether the sink shows what was written up to there. While the state is copied, it does not.
  bool Has(model::Lsn lsn) const { return done() >= lsn && !copying_; }
  // What the log must keep: all behind it.
  model::Lsn needs() const { return lost_ || seeding_ ? model::Lsn(UINT64_MAX) : done(); }
  // What log.keep is measured against: how far behind it is; of a copy, or of a place that is not
  // known yet, how much was written since that began.
  model::Lsn behind() const {
    return lost_ || seeding_ ? needs() : std::max(done(), model::Lsn(began_.load()));
  }
  const Meters& meters() const { return meters_; }

 private:
  static constexpr uint64_t kSteps = 0;  // the lineage that counts steps
  struct Order {
    bool replay = false;
    std::vector<uint64_t> ids;
    Then then;
  };
  // A batch on its way, and what is true once it is there.
  struct Pending {
    Batch batch;
    model::Lsn lsn;
    uint64_t first_ms = 0;
    std::optional<Order> order;
    uint64_t letters = 0;  // that the order took up
  };

  uint64_t Work(uint64_t now_us);
  uint64_t OpenSink(uint64_t now_us);
  Status GoOn(const Position& position);
  Status Seed();
  void EndSeed();
  Status BeginCopy(bool anew);
  Status Copy();
  Status LeaveOutEqual(std::vector<Change>& changes);
  Status CopyAtOnce(Batch batch);
  uint64_t Gather(uint64_t now_us);
  uint64_t Look(uint64_t now_us);
  uint64_t Deliver(uint64_t now_us);
  void Delivered(uint64_t now_us, uint64_t took_us);
  Status SetAside();
  void MergeLetters();
  bool TakeOrder();
  std::string_view Hindrance() const;
  void RefuseOrder(std::string_view why);
  void VerifySome();
  void EndVerify(const Result<Verdict>& verdict);
  void Finish(std::optional<Order>& order, const Result<uint64_t>& result);
  void KeepLetters(const Batch& batch);
  void Adapt(uint64_t rows, uint64_t took_us);
  void StampStep(Batch& batch, bool copying);
  Status CheckIsOurs(const Position& position) const;
  uint64_t Retry(uint64_t now_us, const Error& error);
  void Break(const std::string& why, bool lost);
  uint64_t BreakOrRetry(uint64_t now_us, const Error& error);
  void TakeOrders();
  void DropBatch();
  void Publish(uint64_t now_us);
  void FillLag(Report& report) const;
  Position WholePosition() const;

  const std::string name_;
  const Source source_;
  Sink& sink_;
  env::Clock& clock_;
  const Pace pace_;
  const bool adds_;
  Tail tail_;

  // The thread's own.
  bool open_ = false;
  std::map<uint64_t, model::ShardSeq> at_;  // the sink's position, by lineage
  std::unique_ptr<Copier> copier_;          // while the state is copied
  std::unique_ptr<Seeder> seeder_;          // until the sink has a position
  bool let_go_ = false;                     // nothing is seeded, and clients may write
  std::optional<Pending> pending_;
  uint64_t goal_;  // rows of a batch
  uint64_t gathers_since_us_ = 0;
  uint64_t write_from_us_ = 0;  // not before: `rate`
  uint64_t look_at_us_ = 0;
  uint64_t retry_us_ = 0, retry_at_us_ = 0;
  std::unordered_map<std::string, DeadLetter> dead_;  // by key
  size_t dead_bytes_ = 0;
  uint64_t next_dead_ = 1;
  std::string why_;
  uint64_t window_began_us_ = 0, window_rows_ = 0, rows_per_second_ = 0;
  Meters meters_;

  bool broken_ = false;
  bool anew_ = false;  // the copy to come is a rebuild

  std::unique_ptr<Verifier> verifier_;
  bool verify_now_ = false;  // else the projection's own work comes first

  std::atomic<bool> paused_{false}, resume_{false}, rebuild_{false}, orders_end_{false};
  std::atomic<bool> lost_{false};     // the log lacks what the sink needs
  std::atomic<bool> seeding_{false};  // it needs nothing of the log
  std::atomic<bool> copying_{false};  // the sink lacks rows of the state
  std::atomic<uint64_t> done_{0}, began_{0};
  mutable std::mutex mutex_;  // guards what follows
  std::optional<Order> order_;
  ThenVerdict verify_;  // set: somebody waits for a verdict
  std::string give_up_;
  Report report_;
  std::vector<DeadLetter> letters_;
};

}  // namespace sluice::project
