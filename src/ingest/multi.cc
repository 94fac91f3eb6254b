#include "ingest/multi.h"

#include <algorithm>

#include "base/check.h"
#include "command/handler.h"
#include "command/reply_bound.h"
#include "model/stored_key.h"

namespace sluice::ingest {
namespace {

struct Key {
  std::string token, bytes;
  const model::Keyspace* keyspace = nullptr;
  model::Policy policy;
  size_t shard = 0;
  model::LaneId lane;
  bool first = false;  // of those with the same bytes: the one that is held and looked at
  size_t same = 0;     // index of that first one
  shard::Shards::Fact fact;
};

// One command on its way through the lanes.
struct Flow {
  std::vector<std::string> bytes;
  std::vector<std::string_view> args;
  std::string user, once_token, once_refused;
  std::vector<admit::Charge> once_charged;
  shard::Command command;
  Origin origin;
  std::vector<Key> keys;           // in the command's order
  std::vector<size_t> hold_order;  // indexes of first ones, by lane, keyspace and bytes
  size_t held = 0;                 // of hold_order
  shard::Gate gate;                // what the facts wait for; this_turn: of the lane it is on
  shard::Fetch fetch;              // for the key that is looked at
  size_t value_bytes = 0;          // of the facts
  bool looks = false;              // at what its keys are
  bool answered = false;           // by a once token, or an error: nothing is written
  admit::Refusal refusal;          // why a lane that it came through takes no writes
  std::string answer;
  std::string reply;  // what a once token remembers lies here until the last lane has applied it
  std::vector<command::KeyChange> changes;
  std::vector<shard::Change> writes;
};
using FlowPtr = std::shared_ptr<Flow>;

bool Needs(const Flow& flow, uint32_t flag) {
  return (flow.command.spec->flags & flag) != 0;
}
bool Writes(const Flow& flow) {
  return Needs(flow, command::kWrite);
}
// A blind write looks as well where overwriting is refused.
bool NeedsFacts(const Flow& flow) {
  if (Needs(flow, command::kNeedsFacts | command::kNeedsValues)) return true;
  return Writes(flow) && std::any_of(flow.keys.begin(), flow.keys.end(),
                                     [](const Key& key) { return key.policy.append_only; });
}
bool HasOnce(const Flow& flow) {
  return flow.command.once.kind != shard::Once::Kind::kNone;
}

shard::KeyPlace PlaceOf(const Lane& lane, const Key& key) {
  return lane.PlaceOf({key.keyspace, key.policy, key.shard}, key.token, key.bytes);
}

// The command's keys with their places; empty and an error reply when one has none.
std::vector<Key> KeysOf(Lane& lane, const shard::Command& command, std::string& reply) {
  const command::Spec& spec = *command.spec;
  const size_t n = command.args.size();
  const size_t last = spec.last_key < 0 ? n + spec.last_key : size_t(spec.last_key);
  std::vector<Key> keys;
  for (size_t i = size_t(spec.first_key); i <= last && i < n; i += size_t(spec.key_step)) {
    Key& key = keys.emplace_back();
    key.bytes = command.args[i];
    resp::Reply writer(reply, command.version);
    if (key.bytes.size() > model::kKeyBytesMax) {
      writer.Error("ERR key is longer than 60000 bytes");
      return {};
    }
    const auto placed = lane.router().Place(key.bytes, &key.token);
    if (!placed.has_value()) {
      writer.Error(placed.error().message);
      return {};
    }
    if (placed->policy.increments_only && (spec.flags & command::kWrite)) {
      writer.Error(command::kIncrementsOnly);
      return {};
    }
    key.keyspace = placed->keyspace;
    key.policy = placed->policy;
    key.shard = placed->shard;
    key.lane = lane.OwnerOf(placed->shard);
  }
  return keys;
}

void OrderHolds(Flow& flow) {
  std::vector<size_t> order(flow.keys.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  const auto place = [&](size_t i) {
    const Key& key = flow.keys[i];
    return std::tuple(key.lane, key.keyspace->id, std::string_view(key.bytes));
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return place(a) < place(b); });
  for (size_t i = 0; i < order.size(); ++i) {
    Key& key = flow.keys[order[i]];
    key.first = i == 0 || place(order[i - 1]) != place(order[i]);
    key.same = key.first ? order[i] : flow.keys[order[i - 1]].same;
    if (key.first) flow.hold_order.push_back(order[i]);
  }
}

// Runs the command's own code over the facts. The reply is appended to `reply`.
void Decide(Lane& lane, Flow& flow, std::string& reply) {
  std::vector<command::KeyFact> facts;
  std::vector<const model::Policy*> policies;
  for (const Key& key : flow.keys) {
    const shard::Shards::Fact& fact = flow.keys[key.same].fact;
    facts.push_back({fact.type, fact.value});
    policies.push_back(&key.policy);
    if (flow.looks && !Writes(flow)) {
      lane.shards().CountRead(fact.type != command::KeyFact::Type::kNone);
    }
  }
  const resp::Version version = HasOnce(flow) ? resp::Version::k2 : flow.command.version;
  resp::Reply writer(reply, version);
  command::MultiCall call{flow.command.args,      facts, policies, flow.changes,
                          lane.shards().now_ms(), writer};
  flow.command.spec->multi(call);
}

void AnswerError(Flow& flow, std::string_view error) {
  flow.answered = true;
  flow.answer.clear();
  resp::Reply(flow.answer, flow.command.version).Error(error);
}

// Turns the decided changes into writes, with the once token behind the first key's.
void MakeWrites(Flow& flow, const shard::Shards& shards, const shard::KeyPlace& first,
                std::string_view reply) {
  for (command::KeyChange& change : flow.changes) {
    const Key& key = flow.keys[change.key];
    change.effect.keyspace = key.keyspace->id;
    change.effect.key = key.bytes;
    flow.writes.push_back({key.shard, key.token, change.effect});
  }
  if (HasOnce(flow) && !reply.starts_with('-')) {
    flow.writes.push_back({flow.keys[0].shard, flow.keys[0].token,
                           shards.OnceEffect(flow.command.once, first, reply)});
  }
}

// The lane that logs the record applies its own part in the same turn.
bool HoldsPositions(const Flow& flow, const Lane& lane) {
  return Writes(flow) && lane.id() != flow.origin.lane;
}

void LetGo(Lane& lane, const FlowPtr& flow) {
  if (HoldsPositions(*flow, lane)) lane.ReleasePositions();
  for (const size_t i : flow->hold_order) {
    const Key& key = flow->keys[i];
    if (key.lane == lane.id()) lane.parking().Release(key.keyspace->id, key.bytes);
  }
}

// Another lane's part of the record at `lsn`.
void ApplyPart(Lane& lane, const Flow& flow, model::Lsn lsn, model::LogTime time) {
  std::vector<shard::Change> mine;
  const bool cleared = lane.ClearedBehind(lsn);
  for (const shard::Change& change : flow.writes) {
    const bool survives = change.effect.kind == model::EffectKind::kOnce ||
                          change.effect.kind == model::EffectKind::kProducer;
    if (lane.Owns(change.shard) && (survives || !cleared)) mine.push_back(change);
  }
  lane.shards().ApplyForeign(mine, lsn, time);
}

std::vector<model::LaneId> LanesOf(const Flow& flow) {
  std::vector<model::LaneId> lanes;
  for (const size_t i : flow.hold_order) {
    if (lanes.empty() || lanes.back() != flow.keys[i].lane) lanes.push_back(flow.keys[i].lane);
  }
  return lanes;
}

// Of the lowest class that it is of.
std::string RefusalOf(const Flow& flow) {
  model::Priority lowest = model::Priority::kCritical;
  for (const Key& key : flow.keys) lowest = std::max(lowest, flow.command.ClassIn(key.policy));
  return flow.refusal.TextFor(lowest);
}

void NoteRefusal(const Lane& lane, Flow& flow) {
  if (!flow.refusal.none()) return;
  const admit::Refusal* const refusal = lane.shards().WhyNot(flow.command.spec->flags);
  if (refusal != nullptr) flow.refusal = *refusal;
}

// As the keyspaces were when the command came: looked at once, however many keys there are.
void NoteSeeding(Flow& flow) {
  if (!flow.refusal.none() || !Writes(flow)) return;
  const bool seeding = std::any_of(flow.keys.begin(), flow.keys.end(),
                                   [](const Key& key) { return key.policy.seeding; });
  if (seeding) flow.refusal = shard::kSeeding;
}

// Home again, with every key held and looked at.
void Conclude(Lane& lane, const FlowPtr& flow) {
  if (Writes(*flow) && lane.shards().BatchFull()) {
    // What it saw of this turn is durable no later than what it writes in the next.
    lane.Later([flow](Lane& again) { Conclude(again, flow); });
    return;
  }
  std::string& reply = flow->reply;
  shard::Gate gate = flow->gate;
  NoteRefusal(lane, *flow);
  if (flow->answered) {
    reply = flow->answer;
  } else if (!flow->refusal.none()) {
    resp::Reply(reply, flow->command.version).Error(RefusalOf(*flow));
  } else {
    Decide(lane, *flow, reply);
    MakeWrites(*flow, lane.shards(), PlaceOf(lane, flow->keys[0]), reply);
  }
  if (flow->writes.empty()) {
    lane.Finish(flow->origin, reply, gate);
    for (const model::LaneId to : LanesOf(*flow)) {
      lane.Call(to, [flow](Lane& there) { LetGo(there, flow); });
    }
    return;
  }
  lane.shards().Write(flow->writes, [&](size_t shard) { return lane.Owns(shard); });
  const model::LogTime time = lane.shards().turn_time();
  gate.this_turn = true;
  lane.Finish(flow->origin, reply, gate);
  LetGo(lane, flow);
  lane.AfterTurn([flow, time](Lane& home, model::Lsn lsn) {
    for (const model::LaneId to : LanesOf(*flow)) {
      if (to == home.id()) continue;
      home.Call(to, [flow, time, lsn](Lane& there) {
        ApplyPart(there, *flow, lsn, time);
        LetGo(there, flow);
      });
    }
  });
}

void HoldRest(Lane& lane, const FlowPtr& flow);

// Notes what the key that was just held is. False when its row must be read first; then the flow
// goes on when it is there.
bool LookAtHeld(Lane& lane, const FlowPtr& flow) {
  const size_t index = flow->hold_order[flow->held];
  Key& key = flow->keys[index];
  const shard::KeyPlace place = PlaceOf(lane, key);
  bool cold = false;
  shard::Gate gate;
  NoteRefusal(lane, *flow);
  if (HasOnce(*flow) && flow->keys[0].same == index && !flow->answered) {
    const auto seen =
        lane.shards().FindOnce(flow->command, place, &flow->fetch, flow->answer, &gate);
    cold = seen == shard::Shards::Seen::kCold;
    flow->answered = seen == shard::Shards::Seen::kYes;
    if (seen == shard::Shards::Seen::kNo && !flow->once_refused.empty()) {
      AnswerError(*flow, flow->once_refused);
    }
  }
  if (!cold && flow->looks && !flow->answered) {
    const auto looked =
        lane.shards().Look(place, Needs(*flow, command::kNeedsValues), &flow->fetch, &key.fact);
    if (!looked.has_value()) {
      AnswerError(*flow, shard::ReadError(looked.error()));
    } else {
      cold = !looked->done;
      gate.Cover(looked->gate);
      flow->value_bytes += key.fact.value.size();
      if (flow->value_bytes > command::kReplyBytesMax) AnswerError(*flow, command::kReplyTooLong);
    }
  }
  if (!cold) {
    flow->gate.Cover(gate);
    flow->fetch.rows.clear();
    ++flow->held;
    return true;
  }
  flow->fetch.wanted = lane.shards().TakeMissing().wanted;
  lane.Offload(
      [flow](store::Store& store) {
        shard::Fetch* const fetch = &flow->fetch;
        shard::Fetch::RunAll({&fetch, 1}, store);
      },
      [flow](Lane& back) {
        if (flow->fetch.error) {
          AnswerError(*flow, shard::ReadError(*flow->fetch.error));
          flow->fetch.error.reset();
          ++flow->held;
        } else if (!LookAtHeld(back, flow)) {
          return;
        }
        HoldRest(back, flow);
      });
  return false;
}

// The flow leaves this lane. What it saw of the running turn gets its LSN first.
void Leave(Lane& lane, const FlowPtr& flow, model::LaneId to, void (*next)(Lane&, const FlowPtr&)) {
  const bool has_keys =
      flow->held > 0 && flow->keys[flow->hold_order[flow->held - 1]].lane == lane.id();
  if (to != lane.id() && has_keys && HoldsPositions(*flow, lane)) lane.HoldPositions();
  if (to == lane.id() || !flow->gate.this_turn) {
    lane.Call(to, [flow, next](Lane& there) { next(there, flow); });
    return;
  }
  lane.AfterTurn([flow, to, next](Lane& here, model::Lsn lsn) {
    flow->gate = {std::max(flow->gate.lsn, lsn), false};
    here.Call(to, [flow, next](Lane& there) { next(there, flow); });
  });
}

// Holds key after key, as far as it can without waiting.
void HoldRest(Lane& lane, const FlowPtr& flow) {
  while (flow->held < flow->hold_order.size()) {
    const Key& key = flow->keys[flow->hold_order[flow->held]];
    if (key.lane != lane.id()) {
      Leave(lane, flow, key.lane, HoldRest);
      return;
    }
    const bool first_here =
        flow->held == 0 || flow->keys[flow->hold_order[flow->held - 1]].lane != lane.id();
    if (first_here && HoldsPositions(*flow, lane) && lane.FreezeWaits()) {
      lane.AfterFreeze([flow](Lane& there) { HoldRest(there, flow); });
      return;
    }
    if (lane.parking().Held(key.keyspace->id, key.bytes)) {
      lane.parking().Wait(key.keyspace->id, key.bytes, [&lane, flow, &key] {
        lane.parking().Hold(key.keyspace->id, key.bytes);
        if (LookAtHeld(lane, flow)) HoldRest(lane, flow);
      });
      return;
    }
    lane.parking().Hold(key.keyspace->id, key.bytes);
    if (!LookAtHeld(lane, flow)) return;
  }
  Leave(lane, flow, flow->origin.lane, Conclude);
}

// False: the lane's gate says why not.
bool PassLimits(Lane& lane, const Flow& flow, const Asker& asker) {
  for (const Key& key : flow.keys) {
    if (key.policy.limited && Writes(flow)) lane.limit_gate().Add(*key.keyspace, key.bytes);
  }
  return lane.limit_gate().Pass(*lane.node().write_limits, asker, HasOnce(flow));
}

// All keys are here, free and in memory: run in place. False if not; then nothing has happened.
bool RunInPlace(Lane& lane, Flow& flow, std::string& reply, shard::Gate* gate) {
  if (lane.parking().any() || HasOnce(flow)) return false;
  for (const Key& key : flow.keys) {
    if (key.lane != lane.id()) return false;
  }
  for (const size_t i : flow.hold_order) {
    if (!flow.looks) break;
    Key& key = flow.keys[i];
    const auto looked = lane.shards().Look(PlaceOf(lane, key), Needs(flow, command::kNeedsValues),
                                           nullptr, &key.fact);
    if (!looked.has_value() || !looked->done) {
      lane.shards().TakeMissing();
      return false;
    }
    gate->Cover(looked->gate);
    flow.value_bytes += key.fact.value.size();
    if (flow.value_bytes > command::kReplyBytesMax) {
      AnswerError(flow, command::kReplyTooLong);
      reply += flow.answer;
      return true;
    }
  }
  Decide(lane, flow, reply);
  if (flow.changes.empty()) return true;
  MakeWrites(flow, lane.shards(), {}, reply);
  lane.shards().Write(flow.writes, [](size_t) { return true; });
  gate->this_turn = true;
  return true;
}

}  // namespace

Submitted SubmitMulti(Lane& lane, const shard::Command& command, const Origin& origin,
                      const Asker& asker, std::string& reply) {
  Submitted submitted;
  auto flow = std::make_shared<Flow>();
  flow->keys = KeysOf(lane, command, reply);
  if (flow->keys.empty()) return {true, {}, model::Ack::kMemory};
  submitted.priority = model::Priority::kCritical;
  for (const Key& key : flow->keys) {
    submitted.ack = std::max(submitted.ack, key.policy.ack);
    submitted.priority = std::max(submitted.priority, key.policy.priority);
  }
  flow->command = command;
  flow->origin = origin;
  if (!PassLimits(lane, *flow, asker)) {
    if (!HasOnce(*flow)) {
      resp::Reply(reply, command.version).Error(lane.limit_gate().refusal());
      return {true, {}, submitted.ack};
    }
    flow->once_refused = lane.limit_gate().refusal();
  }
  submitted.observed = lane.limit_gate().observed();
  NoteRefusal(lane, *flow);
  NoteSeeding(*flow);
  if (!flow->refusal.none() && !HasOnce(*flow)) {
    resp::Reply(reply, command.version).Error(RefusalOf(*flow));
    submitted.done = true;
    return submitted;
  }
  flow->looks = NeedsFacts(*flow);
  OrderHolds(*flow);
  if (RunInPlace(lane, *flow, reply, &submitted.gate)) {
    submitted.done = true;
    return submitted;
  }
  flow->bytes.reserve(command.args.size());
  for (const std::string_view arg : command.args) {
    flow->args.emplace_back(flow->bytes.emplace_back(arg));
  }
  flow->user = command.once.user;
  flow->once_token = command.once.token;
  flow->command.args = flow->args;
  flow->command.once.user = flow->user;
  flow->command.once.token = flow->once_token;
  flow->once_charged.assign(lane.limit_gate().charges().begin(), lane.limit_gate().charges().end());
  flow->command.once.charged = flow->once_charged;
  for (Key& key : flow->keys) key.fact = {};
  flow->value_bytes = 0;
  HoldRest(lane, flow);
  submitted.gate = {};
  return submitted;
}

}  // namespace sluice::ingest
