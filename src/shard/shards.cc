#include "shard/shards.h"

#include "base/check.h"
#include "command/handler.h"
#include "model/stored_key.h"

namespace sluice::shard {
namespace {

// First replies are kept as RESP2; nulls are the only ones of writes that differ in RESP3.
void AppendKept(std::string_view kept, resp::Version version, std::string& reply) {
  if (kept.empty()) {
    reply.append("-ERR the write was applied before; its reply was too long to be kept\r\n");
  } else if (version == resp::Version::k3 && (kept == "$-1\r\n" || kept == "*-1\r\n")) {
    reply.append("_\r\n");
  } else {
    reply.append(kept);
  }
}

constexpr uint64_t kHeldMs = 100;  // until a sweep looks at a key again that was held

constexpr admit::Refusal kOnceFull = {.text = {}, .reason = "once_bytes", .retry_ms = 1000};

}  // namespace

std::string ReadError(const Error& error) {
  if (error.code == Code::kInvalid) return error.message;  // nothing failed: it is too much to read
  const bool damaged = error.code == Code::kCorrupt;
  return (damaged ? "DAMAGED " : "ERR reading from disk failed: ") + error.message +
         "; nothing was applied";
}

Shards::Shards(store::Store& store, std::shared_ptr<const model::ShardMap> map, Limits limits,
               uint64_t seed)
    : map_(std::move(map)),
      limits_(std::move(limits)),
      state_(store, limits_.cache_bytes, limits_.pieces),
      applier_(state_, expiries_, once_queue_),
      batch_(map_->shards().size()),
      heat_(map_->shards().size(), seed),
      view_(state_, applier_, batch_, clock_, seed) {}

void Shards::BeginTurn(uint64_t wall_ms, uint64_t now_us) {
  heat_.BeginTurn(now_us);
  now_us_ = now_us;
  clock_ = clock_.After(wall_ms);
  turn_time_ = clock_;
  now_ms_ = turn_time_.ms();
}

At Shards::AtOf(size_t shard, std::string_view token, model::Turn turn, uint64_t now_ms) const {
  const model::Shard& owner = map_->shards()[shard];
  return {token, owner.begin, owner.end, turn, now_ms};
}

Outcome Shards::Run(const Command& command, const KeyPlace& place, Fetch* fetch,
                    std::string& reply) {
  view_.Begin(place, turns_.current(), now_ms_, fetch);
  if (command.once.kind != Once::Kind::kNone) {
    Gate gate;
    switch (FindOnce(command, place, fetch, reply, &gate)) {
      case Seen::kYes:
        return {true, gate};
      case Seen::kCold:
        return {};
      case Seen::kNo:
        break;
    }
  }
  if (!command.once.refused.empty()) {
    resp::Reply(reply, command.version).Error(command.once.refused);
    return {true, {}};
  }
  if (const admit::Refusal* const refusal = WhyNot(command.spec->flags)) {
    resp::Reply(reply, command.version).Error(refusal->TextFor(command.ClassIn(place.policy)));
    return {true, {}};
  }
  if (place.policy.seeding && (command.spec->flags & command::kWrite) &&
      !(command.spec->flags & command::kSeeds)) {
    resp::Reply(reply, command.version).Error(kSeeding.TextFor(command.ClassIn(place.policy)));
    return {true, {}};
  }
  if (place.policy.increments_only && (command.spec->flags & command::kWrite) &&
      !(command.spec->flags & command::kIncrements)) {
    resp::Reply(reply, command.version).Error(command::kIncrementsOnly);
    return {true, {}};
  }
  return RunHandler(command, place, reply);
}

Outcome Shards::RunHandler(const Command& command, const KeyPlace& place, std::string& reply) {
  const size_t begin = reply.size();
  const bool once = command.once.kind != Once::Kind::kNone;
  resp::Reply writer(reply, once ? resp::Version::k2 : command.version);
  const bool folds = place.policy.folds && (command.spec->flags & command::kFolds) != 0;
  if (folds) view_.MayFold();
  command::Call call{command.args, view_, writer};
  const command::Outcome outcome = command.spec->handler(call);
  if (outcome == command::Outcome::kCold && !view_.error()) {
    meters_.cold_reads.Add();
    return {};
  }
  meters_.commands.Add();
  if (view_.error()) {
    reply.resize(begin);
    writer.Error(ReadError(*view_.error()));
    return {true, turns_.GateOf(view_.wait())};
  }
  if ((command.spec->flags & command::kWrite) == 0) {
    heat_.Read(place.shard);
    if (view_.met()) CountRead(*view_.met());
  }
  if (once && reply[begin] != '-') {  // refusals are not remembered
    view_.Emit(OnceEffect(command.once, place, std::string_view(reply).substr(begin)));
    if (command.version == resp::Version::k3) {
      const std::string kept = reply.substr(begin);
      reply.resize(begin);
      AppendKept(kept, command.version, reply);
    }
  }
  if (view_.folded()) {
    meters_.folded.Add();
  } else if (view_.effects().empty()) {
    return {true, turns_.GateOf(view_.wait())};
  } else if (folds) {
    batch_.AddOpen(place.shard, map_->shards()[place.shard].id, view_.effects(), view_.key_hash());
  } else {
    batch_.Add(place.shard, map_->shards()[place.shard].id, view_.effects());
  }
  if (place.policy.ack != model::Ack::kMemory) batch_.Await();
  meters_.writes.Add();
  size_t bytes = 0;
  for (const std::string_view arg : command.args) bytes += arg.size();
  heat_.Write(place.keyspace, place.shard, place.token, place.key, bytes);
  return {true, turns_.GateOf(view_.wait())};
}

Result<Outcome> Shards::Look(const KeyPlace& place, bool with_value, Fetch* fetch, Fact* fact) {
  view_.Begin(place, turns_.current(), now_ms_, fetch);
  model::RowView row;
  const command::View::Have have = view_.FindRow(place.key, &row);
  if (view_.error()) return Fail(*view_.error());
  if (have == command::View::Have::kCold) return Outcome{};
  if (have == command::View::Have::kYes) {
    fact->type = row.is_hash() ? command::KeyFact::Type::kHash : command::KeyFact::Type::kString;
    if (with_value && !row.is_hash()) fact->value.assign(row.body);
  }
  return Outcome{true, turns_.GateOf(view_.wait())};
}

// Whether the row at key_ is there, with at least that number.
Shards::Seen Shards::FindOnceRow(uint64_t least, model::OnceRow* row) {
  std::string_view bytes;
  const command::View::Have have = view_.FindOther(key_, &bytes);
  if (have == command::View::Have::kCold) return Seen::kCold;
  const bool kept =
      have == command::View::Have::kYes && model::DecodeOnce(bytes, row) && row->number >= least;
  return kept ? Seen::kYes : Seen::kNo;
}

// A number that was used before the shard was split or merged lies where the shard began then. What
// a neighbour wrote there since may have taken its place: then it is not known, as of any number
// that is too old.
Shards::Seen Shards::FindProducer(const Once& once, const KeyPlace& place, model::OnceRow* row) {
  const auto slot = static_cast<uint16_t>(once.seq % model::kProducerSlots);
  bool cold = false;
  const auto look = [&](std::string_view begin) {
    model::ProducerKey(key_, place.keyspace, begin, once.user, once.token, slot);
    const Seen seen = FindOnceRow(once.seq, row);
    cold = cold || seen == Seen::kCold;
    return seen == Seen::kYes;
  };
  if (look(place.shard_begin)) return Seen::kYes;
  for (const std::string& begin : place.former_begins) {
    if (look(begin)) return Seen::kYes;
  }
  return cold ? Seen::kCold : Seen::kNo;
}

Shards::Seen Shards::FindOnce(const Command& command, const KeyPlace& place, Fetch* fetch,
                              std::string& reply, Gate* gate) {
  const Once& once = command.once;
  view_.Begin(place, turns_.current(), now_ms_, fetch);
  const bool by_token = once.kind == Once::Kind::kToken;
  model::OnceRow row;
  Seen seen = Seen::kNo;
  if (by_token) {
    model::OnceKey(key_, place.keyspace, place.token, place.key, once.user, once.token);
    seen = FindOnceRow(now_ms_ + 1, &row);
  } else {
    seen = FindProducer(once, place, &row);
  }
  if (seen == Seen::kCold) return Seen::kCold;
  resp::Reply writer(reply, command.version);
  *gate = turns_.GateOf(view_.wait());
  if (view_.error()) {
    writer.Error(ReadError(*view_.error()));
    return Seen::kYes;
  }
  if (seen == Seen::kNo) {
    if (!by_token || once_bytes() < limits_.once_bytes) return Seen::kNo;
    meters_.once_refused.Add();
    writer.Error(kOnceFull.TextFor(command.ClassIn(place.policy)));
    return Seen::kYes;
  }
  meters_.once_replays.Add();
  for (const admit::Charge& charge : once.charged) admit::Refund(charge, admit::TicksOf(now_us_));
  if (!by_token && row.number > once.seq) {
    writer.Error(
        "ERR sequence number is older than the last 1024 of this producer; "
        "whether it was applied is no longer known");
  } else if (row.digest != once.digest) {
    writer.Error(by_token ? "TOKENMISMATCH this token was used with other arguments"
                          : "TOKENMISMATCH this sequence number was used with other arguments");
  } else {
    AppendKept(row.reply, command.version, reply);
  }
  return Seen::kYes;
}

model::Effect Shards::OnceEffect(const Once& once, const KeyPlace& place,
                                 std::string_view reply) const {
  model::Effect effect;
  effect.kind =
      once.kind == Once::Kind::kToken ? model::EffectKind::kOnce : model::EffectKind::kProducer;
  effect.keyspace = place.keyspace;
  effect.key = place.key;
  effect.user = once.user;
  effect.token = once.token;
  effect.offset = once.seq;
  effect.digest = once.digest;
  effect.expire_at_ms = now_ms_ + limits_.once_window_ms;
  if (reply.size() <= model::kOnceReplyBytesMax) effect.value = reply;
  return effect;
}

void Shards::Write(std::span<const Change> changes, const std::function<bool(size_t)>& owns) {
  std::vector<size_t> shards;
  std::vector<std::string> encoded;
  for (const Change& change : changes) {
    const auto part = std::find(shards.begin(), shards.end(), change.shard);
    const size_t i = part - shards.begin();
    if (part == shards.end()) {
      shards.push_back(change.shard);
      encoded.emplace_back();
    }
    model::AppendEffect(encoded[i], change.effect);
    if (!owns(change.shard)) continue;
    At at = AtOf(change.shard, change.token, turns_.current(), now_ms_);
    if (change.effect.kind == model::EffectKind::kClearShard) {
      batch_.EndAll();
    } else {
      model::ValueKey(key_, change.effect.keyspace, change.token, change.effect.key);
      at.value_key = key_;
      batch_.End(at.value_key.hash);
      CountWrite(change);
    }
    const Status applied = applier_.Apply(change.effect, at);
    SLUICE_CHECK_MSG(applied.ok(), "a write over several keys builds on no row");
  }
  std::vector<model::RecordPart> parts;
  for (size_t i = 0; i < shards.size(); ++i) {
    parts.push_back({map_->shards()[shards[i]].id, encoded[i]});
  }
  batch_.Add(shards, parts);
  batch_.Await();
  meters_.writes.Add();
}

void Shards::ApplyForeign(std::span<const Change> changes, model::Lsn lsn, model::LogTime time) {
  clock_ = std::max(clock_, time);
  turns_.CoverForeign(lsn);
  for (const Change& change : changes) {
    const Status applied =
        applier_.Apply(change.effect, AtOf(change.shard, change.token, turns_.current(), now_ms_));
    SLUICE_CHECK_MSG(applied.ok(), "a write over several keys builds on no row");
    if (change.effect.kind != model::EffectKind::kClearShard) CountWrite(change);
  }
}

void Shards::CountWrite(const Change& change) {
  const model::Effect& effect = change.effect;
  heat_.Write(effect.keyspace, change.shard, change.token, effect.key,
              effect.key.size() + effect.value.size());
}

model::Lsn Shards::EndTurn(model::Lsn last) {
  if (!batch_.empty()) {
    meters_.records.Add(batch_.records());
    meters_.log_bytes.Add(batch_.bytes().size());
  }
  batch_.Clear();
  heat_.EndTurn(last);
  return turns_.End(last);
}

void Shards::Expire(const KeyPlace& place) {
  view_.Begin(place, turns_.current(), now_ms_, nullptr);
  model::Effect effect;
  effect.kind = model::EffectKind::kDelete;
  effect.reason = model::DeleteReason::kExpired;
  effect.key = place.key;
  view_.Emit(effect);
  batch_.Add(place.shard, map_->shards()[place.shard].id, view_.effects());
  meters_.expired.Add();
}

bool Shards::Sweep(size_t max, const Held& held, const Locate& locate, const PassedOn& passed_on) {
  const std::vector<std::string> keys = expiries_.PopDue(now_ms_, max);
  for (const std::string& stored : keys) {
    const KeyPlace place = locate(stored);
    if (held(place.keyspace, place.key)) {
      expiries_.Add(now_ms_ + kHeldMs, stored);
      continue;
    }
    // A row that lives on was written anew since.
    const auto found = state_.FindBuffered(stored);
    model::RowView row;
    if (found && found->answer == store::Answer::kFound && model::DecodeRow(found->row, &row) &&
        row.expire_at_ms != 0 && row.expire_at_ms <= now_ms_) {
      Expire(place);
    }
  }
  // Forgetting needs no record: log time alone says that the token no longer counts. Nor a look at
  // the row, which may be on disk: every row of a token was put into the queue with its time.
  const std::vector<std::string> tokens = once_queue_.PopDue(now_ms_, max);
  for (const std::string& stored : tokens) {
    if (passed_on(stored)) continue;
    state_.active().Delete(stored, turns_.current());
  }
  return keys.size() == max || tokens.size() == max;
}

void Shards::SweepStored(const KeyPlace& place, std::string_view index_key,
                         std::string_view stored) {
  std::string value_key;
  model::ValueKey(value_key, place.keyspace, place.token, place.key);
  // The buffers know better than the store; what they do not know is as the store had it.
  const auto found = state_.FindBuffered(value_key);
  const std::string_view bytes = found ? found->row : stored;
  model::RowView row;
  if (!bytes.empty() && model::DecodeRow(bytes, &row) && row.expire_at_ms != 0 &&
      row.expire_at_ms <= now_ms_) {
    Expire(place);
  }
  state_.active().Delete(index_key, turns_.current());
}

store::Run Shards::Freeze(std::vector<store::Position> positions, uint64_t log_bytes) {
  meters_.runs.Add();
  buffer_began_ = log_bytes;
  expiries_.Clear();  // the store's index will know of these keys
  return state_.Freeze(std::move(positions));
}

void Shards::FoundOnce(std::string_view stored_key, uint64_t ends_ms, size_t row_bytes) {
  if (!once_queue_.Contains(stored_key)) once_queue_.Add(ends_ms, stored_key, row_bytes);
}

Status Shards::Replay(const model::Effect& effect, const Where& where, model::LogTime time) {
  clock_ = std::max(clock_, time);
  if (effect.generation.value > clock_.value) clock_.value = effect.generation.value;
  return applier_.Apply(
      effect, {where.token, where.shard_begin, where.shard_end, model::Turn(), time.ms()});
}

void Shards::Adopt(std::shared_ptr<const model::ShardMap> map,
                   std::span<const heat::Former> former) {
  SLUICE_CHECK(batch_.empty() && former.size() == map->shards().size());
  map_ = std::move(map);
  batch_.Resize(former.size());
  heat_.Adopt(former);
}

void Shards::Borrow(const store::State::Buffers& buffers, model::Lsn lsn) {
  turns_.CoverForeign(lsn);
  state_.Borrow(buffers, turns_.current());
  turns_.End(model::Lsn());
}

}  // namespace sluice::shard
