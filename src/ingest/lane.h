// Lane: one core's share of the node: some shards, some connections, and the road between them.
//
// A lane works in turns. In a turn it takes what came (packets of other lanes, tasks, its sockets'
// commands), runs it, and hands all records of the turn to the log at once:
//
//   BeginTurn()  take the time, then packets and tasks.
//   Submit()     a command of one of this lane's connections: runs here, or goes to the shard's
//                lane.
//   EndTurn()    hand over to the log; send packets; settle which LSN the turn's replies wait for.
//
// A turn is bounded (TurnFull): commands that come when it is full wait for the next one, in order.
//
// A command over several keys locks them lane by lane in one order (ingest/multi.h); what must wait
// for a key is parked with it (shard/parking.h).
//
// Owns:     its Shards, parking and outgoing packets. Borrows log, fabric, background.
// Threads:  its own. Everything from outside comes through Fabric::Post.
// Failure:  when the log fails, every reply that still waits becomes -INDOUBT (server) and the
//           process stops; no reply leaves early.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ingest/ahead.h"
#include "ingest/limits.h"
#include "ingest/meters.h"
#include "ingest/node.h"
#include "ingest/packet.h"
#include "ingest/scan_line.h"
#include "ingest/sweep.h"
#include "shard/parking.h"
#include "shard/shards.h"

namespace sluice::ingest {

// The lane's connections, as the lane sees them.
class Sessions {
 public:
  virtual ~Sessions() = default;
  // A reply that was not there when Submit returned. Never called from inside Submit.
  // `gate.this_turn` means the turn that is running.
  virtual void Deliver(const Origin& origin, std::string_view bytes, const shard::Gate& gate) = 0;
};

// What Submit found.
struct Submitted {
  bool done = false;  // the reply stands in `reply`; else Sessions::Deliver brings it
  shard::Gate gate;   // what must be durable before it leaves
  model::Ack ack = model::Ack::kMemory;  // the strictest of the keyspaces it touches
  // What limits that only observe say of it (LimitGate::observed); until the next Submit.
  std::string_view observed = {};
  model::Priority priority = model::Priority::kNormal;  // the least of the keyspaces
};

class Lane {
 public:
  Lane(model::LaneId id, Node& node, uint64_t seed);

  void Serve(Sessions* sessions) { sessions_ = sessions; }
  // Recovery is over: no time before `floor` is taken; the store holds all records up to `stored`.
  void BeginServing(model::LogTime floor, model::Lsn stored);

  // `now_us`: monotonic.
  void BeginTurn(uint64_t wall_ms, uint64_t now_us);
  // Requires: command.spec is of face kKey, kMulti or kGather and its arity holds. Views in
  // `command` are copied if they are needed after the call.
  // `foreseen`: what Foresee found out about this very command; null: it was not asked.
  Submitted Submit(const shard::Command& command, const Origin& origin, const Asker& asker,
                   std::string& reply, const Ahead* foreseen = nullptr);
  // The least of the keyspaces that the command touches. `foreseen`: what Foresee found, or null.
  model::Priority PriorityOf(const command::Spec& spec, command::Args args,
                             const Ahead* foreseen) const;
  // These commands will be submitted soon: works out where their keys lie, and has the memory
  // fetched.
  void Foresee(std::span<Ahead> commands);
  // Where the lane's sessions, one at a time, put what they parsed.
  Lookahead& lookahead() { return lookahead_; }
  // A reply waits until what `gate` names is durable: the log is not to take its time.
  void Await(const shard::Gate& gate);
  // Returns what replies of this turn wait for.
  model::Lsn EndTurn();
  // True when there is work that no socket will announce: take another turn soon.
  bool Busy() const {
    return !ready_.empty() || !later_.empty() || !in_.empty() ||
           (!deferred_.empty() && !TurnFull());
  }
  // No more commands in this turn: its records or the write buffer reached their bound.
  bool TurnFull() const {
    return shards_.BatchFull() || (shards_.Overfull() && !shards_.refuses_all());
  }
  // One of the refusals that the turn has room for: they cost, and give nothing.
  bool TakeRefusal() { return refusals_left_ > 0 && refusals_left_-- > 0; }
  // Sockets should rest: other lanes, the log or the store are behind. Not while that lasts until
  // somebody makes room on a disk: then writes are refused and reads go on.
  bool Crowded();
  // The same for work of the lane's own that can wait, refused writes included.
  bool Strained() const;
  // How near the write buffers are to taking no more, at the end of the last turn. Any thread.
  double buffers_pressure() const { return buffers_pressure_.load(std::memory_order_relaxed); }
  // Once in a while (kTickMs): expiry, positions of idle lanes, heat. `cpu_us`: that the lane's
  // thread has used up to now; 0 where that is not known.
  void Tick(uint64_t cpu_us);

  model::LaneId id() const { return id_; }
  shard::Shards& shards() { return shards_; }
  const shard::Shards& shards() const { return shards_; }
  const route::Router& router() const { return *node_.router; }
  Node& node() { return node_; }
  // After the last turn: everything that is not in the store yet, once no other run is on its way
  // and no key is held for another lane's record.
  std::optional<store::Run> FreezeAll();
  // Records up to here are in the store, or not of this lane: the log below may be forgotten.
  model::Lsn stored_lsn() const { return model::Lsn(stored_lsn_.load(std::memory_order_acquire)); }
  Meters& meters() { return meters_; }

  // --- For the flows of this room (multi, gather, scan), which run on lanes as tasks. ---

  // Runs the task on that lane: now if it is this one, else with the next packet.
  void Call(model::LaneId lane, Task task);
  // Runs at the end of this turn with the LSN that its replies wait for; packets leave after it. It
  // may Call and Later, but neither write nor Finish with a gate on `this_turn`: that turn is over.
  void AfterTurn(std::function<void(Lane&, model::Lsn)> then);
  // Runs at the beginning of the next turn.
  void Later(Task task) { later_.push_back(std::move(task)); }
  // Brings a reply to its connection, wherever that is.
  void Finish(const Origin& origin, std::string_view bytes, const shard::Gate& gate);
  // Whether this lane owns the key's shard. Requires: the key has a place.
  bool Has(std::string_view key);
  // Runs a command that no connection sent, on a key of this lane. `then` gets its reply, in this
  // turn or in a later one; what it says may not be durable yet.
  using Answered = std::function<void(std::string_view reply)>;
  void RunOwn(const shard::Command& command, Answered then);
  // Freezes the buffer at the end of the turn, or as soon as it can; `then` runs once the store has
  // it.
  void StoreSoon(Task then) { store_soon_.push_back(std::move(then)); }
  // Runs `work` off the lanes, then `then` here.
  void Offload(std::function<void(store::Store&)> work, Task then);

  shard::Parking& parking() { return parking_; }
  ScanLine& scans() { return scans_; }
  LimitGate& limit_gate() { return limit_gate_; }
  // Whose value key it is. The views last until the next call or the end of `value_key`.
  shard::KeyPlace Locate(std::string_view value_key);
  uint64_t flushes() const { return flushes_; }  // runs that reached the store
  shard::KeyPlace PlaceOf(const route::Placed& placed, std::string_view token,
                          std::string_view key) const;
  bool Owns(size_t shard) const { return node_.owners[shard] == id_; }
  model::LaneId OwnerOf(size_t shard) const { return node_.owners[shard]; }
  // --- For a map that changes, between turns of all lanes (reshape.h). ---

  // Nothing is under way here that knows the map.
  bool Quiet() const;
  // What a shard that leaves takes along can be lent to its new lane now.
  bool CanLend() const;
  // Freezes the buffer, and lends it and those on their way to the store to these lanes.
  void Lend(const std::vector<model::LaneId>& to);

  // A write over several lanes left for the lane that logs it: until its part of the record is
  // applied here, no position may pass it.
  void HoldPositions() { ++position_holds_; }
  void ReleasePositions() { --position_holds_; }
  // The buffer waits to be frozen until nothing holds positions: who comes now, and holds no key
  // here, waits behind it (AfterFreeze), so that the wait ends.
  bool FreezeWaits() const { return position_holds_ > 0 && wants_freeze_; }
  void AfterFreeze(Task task) { after_freeze_.push_back(std::move(task)); }
  // The turn clears all shards of this lane (FLUSHALL): fetches under way are stale after it.
  void NoteClear();
  // Whether a FLUSHALL here lies behind that record: then it has ended what the record wrote.
  bool ClearedBehind(model::Lsn lsn) const { return lsn < cleared_at_; }

 private:
  static constexpr uint64_t kOwnConnection = ~uint64_t{0};  // of what no connection sent
  class Inbox;
  struct Ready {
    Origin origin;
    std::string bytes;
    shard::Gate gate;
  };
  struct Parked;  // a command that owns its bytes

  Submitted SubmitKey(const shard::Command& command, const Origin& origin, const Asker& asker,
                      std::string& reply, const Ahead* foreseen);
  Submitted RunPlaced(const shard::Command& command, const Origin& origin, std::string& reply,
                      const model::Policy& policy, const Placement& at);
  Status Place(std::string_view key, Placement* placement) const;
  // Runs a command on a key of this lane; parks it when it must wait.
  shard::Outcome RunOrPark(const shard::Command& command, const shard::KeyPlace& place,
                           const Origin& origin, std::string& reply);
  void RunOrPark(const Parked& deferred);
  // The command holds its key: runs now or, when the turn is full, in a later one.
  void RunOrDefer(const std::shared_ptr<Parked>& parked);
  void RunParked(const std::shared_ptr<Parked>& parked);
  void FetchFor(const std::shared_ptr<Parked>& parked);
  void SendFetches();
  void KeepFetched(const Parked& parked);
  void OnRemoteCommand(const shard::Command& command, const Origin& origin);
  void RunDeferred();
  void HandOver();
  void FlushPackets();
  void DeliverReady();
  void Tidy();
  void TellHeat();
  void MaybeFreeze();
  void FreezeNow();
  void EndLoans(const std::shared_ptr<const store::Buffer>& buffer);
  bool StoreBehind() const;
  double BuffersPressure() const;
  admit::Refusal WhyNoWrites() const;
  void PublishFull();
  store::Run Freeze(model::Lsn last);

  const model::LaneId id_;
  Node& node_;
  Sessions* sessions_ = nullptr;
  shard::Shards shards_;
  shard::Parking parking_;
  ScanLine scans_;
  LimitGate limit_gate_;
  std::vector<std::unique_ptr<Packet>> out_;                          // by lane
  std::deque<std::pair<model::LaneId, std::unique_ptr<Packet>>> in_;  // the first may be half read
  std::vector<Task> tasks_, later_;
  std::vector<std::shared_ptr<Parked>> fetching_;  // leave together, at the end of the turn at last
  std::deque<Task> deferred_;                      // commands for which the turn had no room
  bool full_ = false;                              // counted in Node::lanes_full
  std::vector<std::function<void(Lane&, model::Lsn)>> after_turn_;
  std::vector<Ready> ready_;
  std::vector<log::ShardSpan> spans_;
  std::string remote_reply_;
  Lookahead lookahead_;
  Placement seen_;             // of a command that was not foreseen
  size_t replying_bytes_ = 0;  // replies to other lanes in this turn
  model::Lsn awaited_;         // replies wait for all up to it
  model::Lsn turn_gate_;       // what replies of the turn that ended last wait for
  uint64_t log_bytes_ = 0;
  uint64_t clears_ = 0;
  uint64_t flushes_ = 0;  // runs that reached the store
  // Buffers of this lane that others look into.
  struct Loan {
    std::shared_ptr<const store::Buffer> buffer;
    model::LaneId to;
  };
  std::vector<Loan> loans_;
  int position_holds_ = 0;
  size_t refusals_left_ = 0;
  bool wants_freeze_ = false;                   // at the end of the last turn
  uint64_t low_ticks_ = 0;                      // while the disk was low
  bool tidies_ = false;                         // what is buffered is to be frozen for that
  std::vector<Task> after_freeze_;              // begin once the buffer is frozen
  std::vector<Task> store_soon_;                // begin once it is stored
  std::unordered_map<uint64_t, Answered> own_;  // commands of RunOwn, by slot
  uint64_t own_slot_ = 0;
  model::Lsn cleared_at_;  // of the last FLUSHALL's record, or a later one of its turn
  Meters meters_;
  Sweeper sweeper_{*this};
  std::atomic<uint64_t> stored_lsn_{0};
  std::atomic<double> buffers_pressure_{0};
};

inline constexpr uint64_t kTickMs = 100;
inline constexpr size_t kRefusalsPerTurn = 64;  // for want of units; who comes then waits on

}  // namespace sluice::ingest
