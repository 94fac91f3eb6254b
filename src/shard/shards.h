// Shards: everything that one lane owns of the state. It runs commands on their keys, collects
// their records for the log, and keeps the write buffer in front of the store.
//
//   BeginTurn()  takes the time that the turn's commands will see.
//   Run()        one command on one key: reply, records, and the turn the reply waits for.
//   EndTurn()    hands the turn's records to the log and learns their LSN.
//   Freeze()     the write buffer becomes a run for the store.
//
// Owns:     the lane's state, turn batch and clock. Borrows the store and the log's committer.
// Threads:  none; the lane's own (recovery: before the lanes run).
// Failure:  a command whose row cannot be read replies an error and changes nothing.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "admit/bucket.h"
#include "admit/refusal.h"
#include "command/command.h"
#include "heat/lane_heat.h"
#include "model/shard_map.h"
#include "shard/applier.h"
#include "shard/batch.h"
#include "shard/fetch.h"
#include "shard/key_view.h"
#include "shard/meters.h"
#include "shard/turns.h"
#include "store/expiry_queue.h"
#include "store/state.h"

namespace sluice::shard {

// Records that one turn collects. Past it, commands wait for the next turn: what one command adds
// more stays far below what the log takes at once (log::kBatchBytesMax).
inline constexpr size_t kTurnBytesMax = 64 << 20;
// A write buffer that could not be frozen in time takes commands until it is so many times its
// size, and never more than half of what it could hold (store/buffer.h).
inline constexpr size_t kBufferGrowth = 2;
inline constexpr size_t kBufferBytesMost = size_t{4} << 30;
// The same for all buffers of the lane, those on their way to the store included.
inline constexpr size_t kBuffersGrowth = 4;

// Of clients' writes while their keyspace is seeded.
inline constexpr admit::Refusal kSeeding = {.text = {}, .reason = "seed", .retry_ms = 1000};

// How a write is recognised when it comes again.
struct Once {
  enum class Kind : uint8_t { kNone, kToken, kProducer } kind = Kind::kNone;
  std::string_view user;
  std::string_view token;         // or the producer's name
  uint64_t seq = 0;               // kProducer
  uint64_t digest = 0;            // of the command's arguments
  std::string_view refused = {};  // the error that answers it if it does not come again; or empty
  std::span<const admit::Charge> charged = {};  // given back if it does
};

struct Command {
  const command::Spec* spec = nullptr;
  command::Args args;
  resp::Version version = resp::Version::k2;
  Once once;
  model::Priority priority = model::Priority::kCritical;  // of its connection

  // What it is served as: the lower of the connection's priority and the keyspace's.
  model::Priority ClassIn(const model::Policy& policy) const {
    return std::max(priority, policy.priority);
  }
};

struct Limits {
  size_t cache_bytes = 32 << 20;          // rows kept from what the store holds
  size_t buffer_bytes = 64 << 20;         // the write buffer is frozen at this size,
  uint64_t log_bytes = 192 << 20;         // or when the log grew by this much since it was new
  uint64_t once_window_ms = 10 * 60'000;  // how long a once token is remembered
  uint64_t once_bytes = 64 << 20;         // per lane: at this, a new token is refused
  std::shared_ptr<store::Pieces> pieces;  // what buffers are made of; null: of the heap
};

struct Outcome {
  bool done = false;  // false: rows are missing; see TakeMissing
  Gate gate;          // the reply's
};

// One shard's part of a write over several keys.
struct Change {
  size_t shard = 0;
  std::string_view token;
  model::Effect effect;
};

// The text of the error reply to a command whose row cannot be read. It changed nothing.
std::string ReadError(const Error& error);

class Shards {
 public:
  // `map` may be replaced by Adopt. `seed` feeds the commands that choose at random.
  Shards(store::Store& store, std::shared_ptr<const model::ShardMap> map, Limits limits,
         uint64_t seed);

  // `now_us`: monotonic.
  void BeginTurn(uint64_t wall_ms, uint64_t now_us);
  // From now on writes are refused for this before they run; none: no more. A write that is known
  // by its token still gets its first reply.
  void RefuseWrites(const admit::Refusal& refusal) { refusal_ = refusal; }
  // Why a command with these flags is not taken now; nullptr: it is.
  const admit::Refusal* WhyNot(uint32_t flags) const {
    const bool spared = refusal_.only_growth && (flags & command::kDeletes);
    return refusal_.none() || !(flags & command::kWrite) || spared ? nullptr : &refusal_;
  }
  // No write is taken at all.
  bool refuses_all() const { return !refusal_.none() && !refusal_.only_growth; }
  // The turn's records reached kTurnBytesMax.
  bool BatchFull() const { return batch_.size() >= kTurnBytesMax; }
  // The write buffer has outgrown its size, or all buffers theirs: by large rows, or because they
  // wait for the store.
  bool Overfull() const {
    const size_t active = state_.active().bytes();
    return active >= std::min(limits_.buffer_bytes * kBufferGrowth, kBufferBytesMost) ||
           active + state_.frozen_bytes() >= limits_.buffer_bytes * kBuffersGrowth;
  }
  uint64_t now_ms() const { return now_ms_; }

  // Runs the command. When done, its reply is appended to `reply` and its effects are in the state
  // and the turn's batch, all or none. `fetch` holds rows read for it before, or is null.
  Outcome Run(const Command& command, const KeyPlace& place, Fetch* fetch, std::string& reply);
  Fetch TakeMissing() { return view_.TakeMissing(); }

  // How long once tokens are remembered that are new from now on.
  void RememberOnceFor(uint64_t window_ms) { limits_.once_window_ms = window_ms; }

  // What a command over several keys asks of one of them. `value` is a copy.
  struct Fact {
    command::KeyFact::Type type = command::KeyFact::Type::kNone;
    std::string value;
  };
  // A command that only reads met this key, or did not. Run counts its own.
  void CountRead(bool met) { (met ? meters_.hits : meters_.misses).Add(); }
  // done = false: cold, as in Run.
  Result<Outcome> Look(const KeyPlace& place, bool with_value, Fetch* fetch, Fact* fact);
  // The first reply to a once token, if this is not its first time; kNone when it is.
  enum class Seen : uint8_t { kNo, kYes, kCold };
  Seen FindOnce(const Command& command, const KeyPlace& place, Fetch* fetch, std::string& reply,
                Gate* gate);
  // The effect that remembers `reply` for a once token.
  model::Effect OnceEffect(const Once& once, const KeyPlace& place, std::string_view reply) const;

  // Adds one record of several shards to the turn. Each of `changes` may belong to any shard of the
  // node; those of this lane's shards (`owns`) are applied, the others are for their lanes
  // (ApplyForeign).
  void Write(std::span<const Change> changes, const std::function<bool(size_t shard)>& owns);
  // Applies another lane's record, which lies at `lsn`, to this lane's shards.
  void ApplyForeign(std::span<const Change> changes, model::Lsn lsn, model::LogTime time);
  model::LogTime turn_time() const { return turn_time_; }

  // A reply waits for this turn's records, whatever their keyspaces' ack.
  void AwaitTurn() { batch_.Await(); }
  // The turn's records.
  const TurnBatch& batch() const { return batch_; }
  // The same as the log gets them. Requires: EndTurn follows.
  const TurnBatch& SealBatch() {
    batch_.Seal();
    return batch_;
  }
  // `last`: the LSN of the batch's last record (0: the batch was empty). Returns the turn's gate.
  model::Lsn EndTurn(model::Lsn last);
  void Durable(model::Lsn lsn) {
    turns_.Durable(lsn);
    heat_.Durable(lsn);
  }
  const Turns& turns() const { return turns_; }

  // Removes what has expired by now: keys of the write buffer and once tokens, at most `max` of
  // each. Keys that are `held` are left for later; `locate` finds the place of a value key;
  // `passed_on` says of a once token's key that its shard is another lane's now, which was told.
  // True when more may be due.
  using Held = std::function<bool(model::KeyspaceId, std::string_view key)>;
  using Locate = std::function<KeyPlace(std::string_view value_key)>;
  using PassedOn = std::function<bool(std::string_view once_key)>;
  bool Sweep(size_t max, const Held& held, const Locate& locate, const PassedOn& passed_on);
  // The same for a key that the store's index names. `stored` is its row there; empty: none.
  // Requires: no run has reached the store since that was read.
  void SweepStored(const KeyPlace& place, std::string_view index_key, std::string_view stored);

  // `log_bytes`: bytes that all lanes appended to the log since it was opened.
  bool WantsFreeze(uint64_t log_bytes) const {
    return state_.active().bytes() >= limits_.buffer_bytes || HoldsLog(log_bytes);
  }
  // The write buffer keeps as much of the log from being trimmed as it may.
  bool HoldsLog(uint64_t log_bytes) const { return log_bytes - buffer_began_ >= limits_.log_bytes; }
  // How much of what makes it want that is there: 1 is all.
  double BufferFill(uint64_t log_bytes) const {
    const auto bytes = static_cast<double>(state_.active().bytes());
    const auto log = static_cast<double>(log_bytes - buffer_began_);
    return std::max(bytes / static_cast<double>(limits_.buffer_bytes),
                    log / static_cast<double>(limits_.log_bytes));
  }
  store::Run Freeze(std::vector<store::Position> positions, uint64_t log_bytes);

  // Replay is over: no time before `floor` will be taken, and the log's bytes count from zero.
  void BeginServing(model::LogTime floor) {
    clock_ = std::max(clock_, floor);
    buffer_began_ = 0;
  }
  model::LogTime clock() const { return clock_; }
  // Replay of one effect at recovery, of a shard that began and ended there; its turn is 0.
  struct Where {
    std::string_view token, shard_begin, shard_end;
  };
  Status Replay(const model::Effect& effect, const Where& where, model::LogTime time);

  // The map is another one from now on; `former`: by its shards. Requires: no turn is running, and
  // nothing waits here that names a shard.
  void Adopt(std::shared_ptr<const model::ShardMap> map, std::span<const heat::Former> former);
  // Rows that come from another lane, whose records lie at `lsn` at the latest (store::State).
  void Borrow(const store::State::Buffers& buffers, model::Lsn lsn);

  // After replay: a once token that the store holds. What was replayed of it is newer.
  void FoundOnce(std::string_view stored_key, uint64_t ends_ms, size_t row_bytes);

  uint64_t Random() { return view_.Random(); }
  store::State& state() { return state_; }
  const store::State& state() const { return state_; }
  // Of all once tokens that are remembered.
  uint64_t once_bytes() const { return once_queue_.stored_bytes(); }
  heat::LaneHeat& heat() { return heat_; }
  Meters& meters() { return meters_; }
  const model::ShardMap& map() const { return *map_; }

 private:
  At AtOf(size_t shard, std::string_view token, model::Turn turn, uint64_t now_ms) const;
  void CountWrite(const Change& change);
  void Expire(const KeyPlace& place);
  Seen FindOnceRow(uint64_t least, model::OnceRow* row);
  Seen FindProducer(const Once& once, const KeyPlace& place, model::OnceRow* row);
  Outcome RunHandler(const Command& command, const KeyPlace& place, std::string& reply);

  std::shared_ptr<const model::ShardMap> map_;
  Limits limits_;
  store::State state_;
  store::ExpiryQueue expiries_, once_queue_;
  Applier applier_;
  model::LogTime clock_, turn_time_;
  uint64_t now_ms_ = 0;
  uint64_t now_us_ = 0;  // monotonic
  TurnBatch batch_;
  heat::LaneHeat heat_;
  KeyView view_;
  Turns turns_;
  std::string key_;
  admit::Refusal refusal_;
  uint64_t buffer_began_ = 0;  // log bytes when the active buffer was new
  Meters meters_;
};

}  // namespace sluice::shard
