#include "ingest/lane.h"

#include "base/check.h"
#include "ingest/gather.h"
#include "ingest/multi.h"
#include "model/stored_key.h"

namespace sluice::ingest {

namespace {

constexpr size_t kReplyBytesMax = 4 << 20;  // to other lanes in one turn, and one reply more

// Commands whose rows are read from disk together. More would share the cost further, but wait
// longer, and leave the other threads that read idle.
constexpr size_t kFetchesTogether = 32;

}  // namespace

// A command that waits: it owns what its views point to.
struct Lane::Parked {
  std::vector<std::string> bytes;
  std::vector<std::string_view> args;
  std::string user, once_token, once_refused, token;
  std::vector<admit::Charge> once_charged;
  shard::Command command;
  shard::KeyPlace place;
  Origin origin;
  shard::Fetch fetch;
  uint64_t clears = 0;   // Lane::clears_ when the fetch began
  uint64_t flushes = 0;  // Lane::flushes_ then
  const heat::Waits waits;

  Parked(Lane& lane, const shard::Command& from, const shard::KeyPlace& at, const Origin& to)
      : user(from.once.user),
        once_token(from.once.token),
        once_refused(from.once.refused),
        token(at.token),
        once_charged(from.once.charged.begin(), from.once.charged.end()),
        command(from),
        place(at),
        origin(to),
        waits(lane.shards_.heat().queue(at.shard), SizeOf(from)) {
    bytes.reserve(from.args.size());
    for (const std::string_view arg : from.args) args.emplace_back(bytes.emplace_back(arg));
    command.args = args;
    command.once.user = user;
    command.once.token = once_token;
    command.once.refused = once_refused;
    command.once.charged = once_charged;
    place.token = token;
    place.value_key = {};
    place.key = args[static_cast<size_t>(command.spec->first_key)];
  }

 private:
  static uint64_t SizeOf(const shard::Command& command) {
    uint64_t bytes = 0;
    for (const std::string_view arg : command.args) bytes += arg.size();
    return bytes;
  }
};

// Takes a packet's items as they come.
class Lane::Inbox final : public Packet::Handler {
 public:
  explicit Inbox(Lane& lane) : lane_(lane) {}
  void OnCommand(const shard::Command& command, const Origin& origin) override {
    lane_.OnRemoteCommand(command, origin);
  }
  void OnReply(const Origin& origin, std::string_view bytes, model::Lsn gate) override {
    lane_.sessions_->Deliver(origin, bytes, {gate, false});
  }
  void OnTask(const Task& task) override { task(lane_); }
  bool Full() const override { return lane_.replying_bytes_ >= kReplyBytesMax; }

 private:
  Lane& lane_;
};

Lane::Lane(model::LaneId id, Node& node, uint64_t seed)
    : id_(id), node_(node), shards_(node.store, node.router->map_ptr(), node.limits, seed) {
  for (size_t i = 0; i < node.fabric.lanes(); ++i) out_.push_back(std::make_unique<Packet>());
}

void Lane::BeginTurn(uint64_t wall_ms, uint64_t now_us) {
  if (node_.halt != nullptr) node_.halt->Pass();
  shards_.BeginTurn(wall_ms, now_us);
  shards_.Durable(node_.committer->durable());
  shards_.RefuseWrites(WhyNoWrites());
  refusals_left_ = kRefusalsPerTurn;
  RunDeferred();
  // What is left of the last turn goes first; senders see how much waits behind it.
  const bool behind = !in_.empty();
  if (!behind) node_.fabric.Receive(id_, &in_);
  Inbox inbox(*this);
  replying_bytes_ = 0;
  while (!in_.empty() && in_.front().second->Deliver(inbox)) {
    node_.fabric.Recycle(in_.front().first, id_, std::move(in_.front().second));
    in_.pop_front();
  }
  if (behind && in_.empty()) node_.fabric.Receive(id_, &in_);  // for the next turn
  tasks_ = std::move(later_);
  later_.clear();
  for (const Task& task : tasks_) task(*this);
  tasks_.clear();
  node_.fabric.TakePosted(id_, &tasks_);
  for (const Task& task : tasks_) task(*this);
  tasks_.clear();
}

shard::KeyPlace Lane::PlaceOf(const route::Placed& placed, std::string_view token,
                              std::string_view key) const {
  const model::Shard& shard = node_.router->map().shards()[placed.shard];
  return {placed.keyspace->id,
          placed.policy,
          token,
          key,
          placed.shard,
          shard.begin,
          shard.end,
          {},
          node_.router->map().FormerBegins(placed.shard)};
}

Submitted Lane::Submit(const shard::Command& command, const Origin& origin, const Asker& asker,
                       std::string& reply, const Ahead* foreseen) {
  switch (command.spec->face) {
    case command::Face::kKey:
      return SubmitKey(command, origin, asker, reply, foreseen);
    case command::Face::kMulti:
      meters_.multi.Add();
      return SubmitMulti(*this, command, origin, asker, reply);
    default:
      return SubmitGather(*this, command, origin, reply);
  }
}

Submitted Lane::SubmitKey(const shard::Command& command, const Origin& origin, const Asker& asker,
                          std::string& reply, const Ahead* foreseen) {
  const std::string_view key = command.args[static_cast<size_t>(command.spec->first_key)];
  const Placement* placed = foreseen == nullptr ? nullptr : foreseen->placed;
  if (placed == nullptr || placed->router != node_.router.get()) {
    if (key.size() > model::kKeyBytesMax) {
      resp::Reply(reply, command.version).Error("ERR key is longer than 60000 bytes");
      return {true, {}, model::Ack::kMemory};
    }
    if (const Status found = Place(key, &seen_); !found.ok()) {
      resp::Reply(reply, command.version).Error(found.error().message);
      return {true, {}, model::Ack::kMemory};
    }
    placed = &seen_;
  }
  const model::Keyspace& keyspace = *placed->keyspace;
  const model::Policy policy = node_.router->policy(keyspace.id);
  if (keyspace.id == model::KeyspaceId()) meters_.unmatched.Add();
  if (!policy.limited || (command.spec->flags & command::kWrite) == 0) {
    return RunPlaced(command, origin, reply, policy, *placed);
  }
  limit_gate_.Add(keyspace, key);
  shard::Command limited = command;
  const bool once = command.once.kind != shard::Once::Kind::kNone;
  if (!limit_gate_.Pass(*node_.write_limits, asker, once)) {
    limited.once.refused = limit_gate_.refusal();
    if (!once) {
      resp::Reply(reply, command.version).Error(limit_gate_.refusal());
      return {true, {}, model::Ack::kMemory};
    }
  }
  limited.once.charged = limit_gate_.charges();
  Submitted submitted = RunPlaced(limited, origin, reply, policy, *placed);
  submitted.observed = limit_gate_.observed();
  return submitted;
}

Submitted Lane::RunPlaced(const shard::Command& command, const Origin& origin, std::string& reply,
                          const model::Policy& policy, const Placement& at) {
  const std::string_view key = command.args[static_cast<size_t>(command.spec->first_key)];
  Submitted submitted{false, {}, policy.ack};
  submitted.priority = policy.priority;
  const model::LaneId owner = node_.owners[at.shard];
  if (owner != id_) {
    meters_.remote.Add();
    out_[owner.value]->AddCommand(command, origin);
    return submitted;
  }
  shard::KeyPlace place = PlaceOf({at.keyspace, policy, at.shard}, at.token, key);
  place.value_key = at.value_key;
  const shard::Outcome outcome = RunOrPark(command, place, origin, reply);
  submitted.done = outcome.done;
  submitted.gate = outcome.gate;
  return submitted;
}

model::Priority Lane::PriorityOf(const command::Spec& spec, command::Args args,
                                 const Ahead* foreseen) const {
  const Placement* placed = foreseen == nullptr ? nullptr : foreseen->placed;
  if (placed != nullptr && placed->router == node_.router.get()) {
    return node_.router->policy(placed->keyspace->id).priority;
  }
  model::Priority least = model::Priority::kCritical;
  std::string token;
  command::ForEachKey(spec, args, [&](std::string_view key) {
    const auto found = node_.router->Place(key, &token);
    if (found.has_value()) least = std::max(least, found->policy.priority);
    return true;
  });
  return least;
}

// Requires: the key is no longer than kKeyBytesMax.
Status Lane::Place(std::string_view key, Placement* placement) const {
  placement->router = nullptr;
  SLUICE_ASSIGN(const route::Placed placed, node_.router->Place(key, &placement->token));
  placement->router = node_.router.get();
  placement->keyspace = placed.keyspace;
  placement->shard = placed.shard;
  model::ValueKey(placement->value_key_bytes, placed.keyspace->id, placement->token, key);
  placement->value_key = placement->value_key_bytes;
  return Ok();
}

void Lane::Foresee(std::span<Ahead> commands) {
  std::string_view key;
  const Placement* placed = nullptr;  // of it
  for (Ahead& ahead : commands) {
    ahead.placed = nullptr;
    if (ahead.spec == nullptr || ahead.spec->face != command::Face::kKey) continue;
    const auto at = static_cast<size_t>(ahead.spec->first_key);
    if (at >= ahead.args.size() || ahead.args[at].size() > model::kKeyBytesMax) continue;
    if (placed == nullptr || ahead.args[at] != key) {
      key = ahead.args[at];
      placed = Place(key, &ahead.own).ok() ? &ahead.own : nullptr;
      if (placed == nullptr) continue;  // said when it runs
      if (Owns(placed->shard)) shards_.state().PrefetchSlot(placed->value_key.hash);
    }
    ahead.placed = placed;
  }
  for (const Ahead& ahead : commands) {
    if (ahead.placed != &ahead.own || !Owns(ahead.own.shard)) continue;
    shards_.state().PrefetchEntry(ahead.own.value_key.hash);
  }
}

shard::Outcome Lane::RunOrPark(const shard::Command& command, const shard::KeyPlace& place,
                               const Origin& origin, std::string& reply) {
  if (parking_.Held(place.keyspace, place.key)) {
    auto parked = std::make_shared<Parked>(*this, command, place, origin);
    parking_.Wait(place.keyspace, place.key, [this, parked] {
      parking_.Hold(parked->place.keyspace, parked->place.key);
      RunOrDefer(parked);
    });
    return {};
  }
  const shard::Outcome outcome = shards_.Run(command, place, nullptr, reply);
  if (!outcome.done) {
    auto parked = std::make_shared<Parked>(*this, command, place, origin);
    parking_.Hold(place.keyspace, place.key);
    FetchFor(parked);
  }
  return outcome;
}

void Lane::RunOrPark(const Parked& deferred) {
  std::string reply;
  const shard::Outcome outcome =
      RunOrPark(deferred.command, deferred.place, deferred.origin, reply);
  if (outcome.done) Finish(deferred.origin, reply, outcome.gate);
}

void Lane::RunOrDefer(const std::shared_ptr<Parked>& parked) {
  if (TurnFull()) {
    deferred_.push_back([parked](Lane& lane) { lane.RunParked(parked); });
  } else {
    RunParked(parked);
  }
}

void Lane::RunParked(const std::shared_ptr<Parked>& parked) {
  if (parked->clears != clears_) parked->fetch = shard::Fetch();
  std::string reply;
  shard::Gate gate;
  if (parked->fetch.error) {
    resp::Reply(reply, parked->command.version).Error(shard::ReadError(*parked->fetch.error));
  } else {
    const shard::Outcome outcome =
        shards_.Run(parked->command, parked->place, &parked->fetch, reply);
    if (!outcome.done) return FetchFor(parked);
    gate = outcome.gate;
    KeepFetched(*parked);
  }
  Finish(parked->origin, reply, gate);
  parking_.Release(parked->place.keyspace, parked->place.key);
}

void Lane::FetchFor(const std::shared_ptr<Parked>& parked) {
  shard::Fetch missing = shards_.TakeMissing();
  if (parked->clears != clears_) parked->fetch = shard::Fetch();
  parked->clears = clears_;
  parked->fetch.wanted = std::move(missing.wanted);
  if (!missing.prefix.empty()) {
    parked->fetch.prefix = std::move(missing.prefix);
    parked->fetch.snapshot = std::move(missing.snapshot);
  }
  parked->flushes = flushes_;
  // A range may take long; nothing waits behind it.
  const bool alone = !parked->fetch.prefix.empty();
  if (alone) SendFetches();
  fetching_.push_back(parked);
  if (alone || fetching_.size() == kFetchesTogether) SendFetches();
}

void Lane::SendFetches() {
  if (fetching_.empty()) return;
  const auto sent = std::make_shared<std::vector<std::shared_ptr<Parked>>>();
  sent->swap(fetching_);
  Offload(
      [sent](store::Store& store) {
        std::vector<shard::Fetch*> fetches;
        for (const auto& parked : *sent) fetches.push_back(&parked->fetch);
        shard::Fetch::RunAll(fetches, store);
      },
      [sent](Lane& lane) {
        for (const auto& parked : *sent) lane.RunOrDefer(parked);
      });
}

// What a read brought from disk may be asked for again.
void Lane::KeepFetched(const Parked& parked) {
  if ((parked.command.spec->flags & command::kWrite) || parked.flushes != flushes_) return;
  for (const shard::Fetch::Row& row : parked.fetch.rows) {
    shards_.state().Keep(row.key,
                         row.exists ? std::optional<std::string_view>(row.bytes) : std::nullopt);
  }
}

// In the order they came. A buffer that is overfull will be frozen whatever waits in here: what
// holds positions of this lane waits at most for lanes behind it.
void Lane::RunDeferred() {
  while (!deferred_.empty() && !TurnFull()) {
    const Task task = std::move(deferred_.front());
    deferred_.pop_front();
    task(*this);
  }
}

void Lane::OnRemoteCommand(const shard::Command& command, const Origin& origin) {
  const std::string_view key = command.args[static_cast<size_t>(command.spec->first_key)];
  const Status placed = Place(key, &seen_);
  SLUICE_CHECK(placed.ok());  // the sender placed it by the same router
  const model::Policy policy = node_.router->policy(seen_.keyspace->id);
  shard::KeyPlace place = PlaceOf({seen_.keyspace, policy, seen_.shard}, seen_.token, key);
  place.value_key = seen_.value_key;
  if (TurnFull() || !deferred_.empty()) {
    deferred_.push_back([parked = std::make_shared<Parked>(*this, command, place, origin)](
                            Lane& lane) { lane.RunOrPark(*parked); });
    return;
  }
  remote_reply_.clear();
  const shard::Outcome outcome = RunOrPark(command, place, origin, remote_reply_);
  if (outcome.done) Finish(origin, remote_reply_, outcome.gate);
}

void Lane::Finish(const Origin& origin, std::string_view bytes, const shard::Gate& gate) {
  if (origin.connection == kOwnConnection) {
    own_.extract(origin.slot).mapped()(bytes);
  } else if (origin.lane == id_) {
    ready_.push_back({origin, std::string(bytes), gate});
  } else {
    out_[origin.lane.value]->AddReply(origin, bytes, gate);
    replying_bytes_ += bytes.size();
  }
}

void Lane::Call(model::LaneId lane, Task task) {
  if (lane == id_) {
    task(*this);
  } else {
    out_[lane.value]->AddTask(std::move(task));
  }
}

void Lane::NoteClear() {
  ++clears_;
  cleared_at_ = model::Lsn(~uint64_t{0});  // this turn's records lie behind all there are
  AfterTurn([](Lane& lane, model::Lsn lsn) { lane.cleared_at_ = lsn; });
}

void Lane::AfterTurn(std::function<void(Lane&, model::Lsn)> then) {
  after_turn_.push_back(std::move(then));
}

void Lane::Offload(std::function<void(store::Store&)> work, Task then) {
  node_.background.Offload(id_, std::move(work), std::move(then));
}

void Lane::Await(const shard::Gate& gate) {
  if (gate.this_turn) shards_.AwaitTurn();
  awaited_ = std::max(awaited_, gate.lsn);
}

void Lane::HandOver() {
  model::Lsn last;
  const shard::TurnBatch& batch = shards_.SealBatch();
  meters_.turns.Add();
  if (!batch.empty()) {
    meters_.turn_records.Record(batch.records());
    spans_.clear();
    for (const size_t i : batch.touched()) {
      const model::Shard& shard = node_.router->map().shards()[i];
      spans_.push_back({shard.id, shard.epoch, shard.lineage, {}, batch.count(i)});
    }
    const auto placed = node_.committer->Append(
        {batch.bytes(), batch.records(), shards_.turn_time(), spans_, batch.awaited()});
    // A failed log ends the process; until then nothing that depends on this turn may be revealed.
    last = placed.has_value() ? placed->last : model::Lsn(~uint64_t{0});
    if (placed.has_value()) log_bytes_ = placed->log_bytes;
  }
  node_.committer->Hurry(awaited_);
  const model::Lsn gate = shards_.EndTurn(last);
  turn_gate_ = gate;
  const auto after = std::move(after_turn_);
  after_turn_.clear();
  for (const auto& then : after) then(*this, gate);
  SLUICE_CHECK_MSG(shards_.batch().empty(), "what runs after a turn writes nothing");
}

void Lane::FlushPackets() {
  for (uint16_t to = 0; to < out_.size(); ++to) {
    if (out_[to]->empty()) continue;
    meters_.packets.Add();
    out_[to]->Seal(turn_gate_);
    out_[to] = node_.fabric.Send(id_, model::LaneId(to), std::move(out_[to]));
  }
}

void Lane::DeliverReady() {
  // Before the hand-over: `this_turn` still means the turn that is running.
  for (size_t i = 0; i < ready_.size(); ++i) {
    sessions_->Deliver(ready_[i].origin, ready_[i].bytes, ready_[i].gate);
  }
  ready_.clear();
}

model::Lsn Lane::EndTurn() {
  SendFetches();
  DeliverReady();
  HandOver();
  FlushPackets();
  MaybeFreeze();
  PublishFull();
  buffers_pressure_.store(BuffersPressure(), std::memory_order_relaxed);
  return turn_gate_;
}

void Lane::BeginServing(model::LogTime floor, model::Lsn stored) {
  shards_.BeginServing(floor);
  stored_lsn_.store(stored.value, std::memory_order_release);
}

void Lane::Tick(uint64_t cpu_us) {
  if (shards_.heat().Tick(cpu_us)) TellHeat();
  log_bytes_ = node_.committer->appended_bytes();
  sweeper_.Tick();
  if (node_.disk_low) Tidy();
  shard::Meters& meters = shards_.meters();
  meters.buffer_bytes.Set(static_cast<int64_t>(shards_.state().bytes()));
  meters.once_bytes.Set(static_cast<int64_t>(shards_.once_bytes()));
  meters.parked.Set(static_cast<int64_t>(parking_.size()));
}

void Lane::TellHeat() {
  heat::LaneHeat& heat = shards_.heat();
  const auto& shards = node_.router->map().shards();
  HeatReport report{id_, node_.committer->appended(), {}, {}, heat.TakeSamples()};
  for (size_t i = 0; i < shards.size(); ++i) {
    if (!Owns(i)) continue;
    (*node_.loads)[i] = heat.windows(i).second().writes;
    report.shards.push_back({shards[i].id, heat.Of(i)});
  }
  for (heat::HotKey& key : heat.Hottest(kHotKeysTold)) {
    const model::ShardId shard = shards[key.shard].id;
    report.keys.push_back({shard, std::move(key)});
  }
  node_.heat_reports.Put(std::move(report));
}

shard::KeyPlace Lane::Locate(std::string_view value_key) {
  const model::Keyspace& keyspace = node_.router->keyspace(model::KeyspaceOf(value_key));
  model::StoredKeyParts parts;
  SLUICE_CHECK(model::SplitStoredKey(keyspace, value_key, &parts));
  const size_t shard = node_.router->map().Find(keyspace.id, parts.token);
  return PlaceOf({&keyspace, node_.router->policy(keyspace.id), shard}, parts.token, parts.key);
}

}  // namespace sluice::ingest
