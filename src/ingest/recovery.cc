#include "ingest/recovery.h"

#include <fmt/format.h>

#include <utility>

#include "command/handler.h"
#include "model/stored_key.h"

namespace sluice::ingest {

Recovery::Recovery(Node& node, log::Log& log)
    : node_(node), log_(log), together_(!node.router->map().retired().empty()) {
  const model::ShardMap& map = node.router->map();
  const auto add = [this](const auto& shard) {
    ShardState& state = shards_.emplace_back();
    state.id = shard.id;
    state.keyspace = shard.keyspace;
    state.begin = shard.begin;
    state.end = shard.end;
    state.lineage = shard.lineage;
    state.epoch = shard.epoch;
    index_[shard.id] = shards_.size() - 1;
  };
  for (const model::Shard& shard : map.shards()) add(shard);
  for (const model::RetiredShard& shard : map.retired()) add(shard);
}

Lane& Recovery::LaneOf(const ShardState& shard) const {
  if (together_) return *node_.lanes.front();
  const size_t index = node_.router->map().Find(shard.keyspace, shard.begin);
  return *node_.lanes[node_.owners[index].value];
}

Result<model::Lsn> Recovery::Witness(store::Store& store) {
  SLUICE_ASSIGN(const auto positions, store.Positions());
  model::Lsn greatest;
  for (const store::Position& position : positions) greatest = std::max(greatest, position.lsn);
  return greatest;
}

Status Recovery::Begin() {
  SLUICE_ASSIGN(const auto positions, node_.store.Positions());
  if (positions.empty() && log_.first() > model::Lsn(1)) {
    return Fail(Code::kCorrupt,
                "the store is empty, but the log begins at LSN " +
                    std::to_string(log_.first().value) +
                    ": the store's files are missing. Bring them back, or restore a backup");
  }
  std::unordered_map<model::Lineage, store::Position> by_lineage;
  for (const store::Position& position : positions) by_lineage[position.lineage] = position;
  model::Lsn from = log_.next();
  for (ShardState& shard : shards_) {
    const auto at = by_lineage.find(shard.lineage);
    // A shard without a position never had a record trimmed: a lane's first run carries them all.
    const bool known = at != by_lineage.end();
    shard.seq = known ? at->second.seq : model::ShardSeq();
    shard.stored_lsn = known ? at->second.lsn : model::Lsn();
    from = std::min(from, known ? at->second.lsn.Next() : log_.first());
    if (known && at->second.lsn.Next() < log_.first()) {
      return Fail(
          Code::kCorrupt,
          fmt::format("the log begins at LSN {}, but shard {} needs it from LSN {}: segments are "
                      "missing. Bring them back, or restore a backup",
                      log_.first().value, shard.id.value, at->second.lsn.value + 1));
    }
  }
  progress_.from = progress_.at = from;
  progress_.to = log_.next();
  SLUICE_ASSIGN(reader_, log_.Read(from));
  return Ok();
}

Result<bool> Recovery::Step() {
  SLUICE_ASSIGN(const log::GroupView* group, reader_->Next());
  if (group == nullptr) return true;
  SLUICE_TRY(Replay(*group));
  // A buffer that has its size can wait for the first turn: lanes store it while they serve.
  for (Lane* lane : node_.lanes) {
    if (lane->shards().HoldsLog(bytes_)) SLUICE_TRY(Flush(*lane));
  }
  return false;
}

Error Recovery::Damaged(const log::GroupView& group, const std::string& what) const {
  return Error{Code::kCorrupt,
               fmt::format("segment {:016x}, offset {}: {}", group.segment, group.offset, what)};
}

Status Recovery::BeginGroup(const log::GroupView& group) {
  for (const log::ShardSpan& span : group.shards) {
    const auto at = index_.find(span.shard);
    if (at == index_.end()) {
      return Fail(
          Damaged(group, fmt::format("shard {} is not in the shard map", span.shard.value)));
    }
    ShardState& state = shards_[at->second];
    if (span.lineage != state.lineage) {
      return Fail(
          Damaged(group, fmt::format("shard {} is another one in the shard map: the topology "
                                     "file is not this log's",
                                     span.shard.value)));
    }
    if (span.epoch > state.epoch) {
      return Fail(Damaged(
          group, fmt::format("shard {} is at epoch {} here, but at {} in the shard map: the map is "
                             "older than the log. Bring back the newest topology file",
                             span.shard.value, span.epoch.value, state.epoch.value)));
    }
    // A shard that moved while the group was filled has a second span there, of a later epoch.
    if (std::exchange(state.group, group.first) == group.first) continue;
    state.next = span.first_seq;
    if (span.first_seq > state.seq.Next()) {
      return Fail(
          Damaged(group, fmt::format("shard {} goes on with record {} after {}", span.shard.value,
                                     span.first_seq.value, state.seq.value)));
    }
  }
  return Ok();
}

Status Recovery::Replay(const log::GroupView& group) {
  SLUICE_TRY(BeginGroup(group));
  std::vector<model::RecordPart> parts;
  for (const log::BatchView& batch : group.batches) {
    Reader reader(batch.bytes);
    for (uint32_t i = 0; i < batch.records; ++i) {
      if (!model::ReadRecord(reader, &parts)) {
        return Fail(Damaged(group, "a record cannot be read; it may be of a newer version"));
      }
      SLUICE_TRY(ReplayRecord(group, parts, batch.time));
      progress_.at = model::Lsn(batch.first.value + i + 1);
      // A few bytes of log can make rows of any size.
      for (Lane* lane : node_.lanes) {
        if (lane->shards().Overfull()) SLUICE_TRY(Flush(*lane));
      }
    }
    bytes_ += batch.bytes.size();
  }
  ++progress_.groups;
  progress_.at = model::Lsn(group.first.value + group.records);
  return Ok();
}

Status Recovery::ReplayRecord(const log::GroupView& group,
                              const std::vector<model::RecordPart>& parts, model::LogTime time) {
  ++progress_.records;
  for (const model::RecordPart& part : parts) {
    const auto at = index_.find(part.shard);
    if (at == index_.end()) return Fail(Damaged(group, "a record names an unknown shard"));
    ShardState& state = shards_[at->second];
    const model::ShardSeq seq = state.next;
    state.next = seq.Next();
    if (seq <= state.seq) {
      ++progress_.skipped;
      continue;
    }
    state.seq = seq;
    ++progress_.applied;
    if (Status status = ReplayPart(part, state, time); !status.ok()) {
      // A row that the disk does not give just now is no damage of the log.
      return Fail(status.error().code, Damaged(group, status.error().message).message);
    }
  }
  return Ok();
}

Status Recovery::ReplayPart(const model::RecordPart& part, const ShardState& shard,
                            model::LogTime time) {
  Lane& lane = LaneOf(shard);
  Reader reader(part.effects);
  model::Effect effect;
  while (!reader.done()) {
    if (!model::ReadEffect(reader, &effect, &fields_)) {
      return Fail(Code::kCorrupt, "an effect cannot be read; it may be of a newer version");
    }
    SLUICE_TRY(PlaceEffect(effect, shard));
    const bool partial =
        effect.kind == model::EffectKind::kPatch || effect.kind == model::EffectKind::kClearShard;
    progress_.partial += partial ? 1 : 0;
    SLUICE_TRY(lane.shards().Replay(effect, {token_, shard.begin, shard.end}, time));
  }
  return Ok();
}

Status Recovery::PlaceEffect(const model::Effect& effect, const ShardState& shard) {
  using model::EffectKind;
  if (effect.keyspace != shard.keyspace) {
    return Fail(Code::kCorrupt, "an effect of another keyspace than its shard's");
  }
  if (effect.kind == EffectKind::kClearShard) return Ok();
  if (effect.key.size() > model::kKeyBytesMax) {
    return Fail(Code::kCorrupt, "an effect on a key that is too long");
  }
  const auto placed = node_.router->Place(effect.key, &token_);
  if (!placed.has_value()) return Fail(Code::kCorrupt, placed.error().message);
  const bool within = placed->keyspace->id == shard.keyspace && token_ >= shard.begin &&
                      (shard.end.empty() || token_ < shard.end);
  if (!within) return Fail(Code::kCorrupt, "an effect on a key of another shard");
  if (effect.kind == EffectKind::kPatch &&
      (effect.offset > command::kValueBytesMax ||
       effect.offset + effect.value.size() > command::kValueBytesMax)) {
    return Fail(Code::kCorrupt, "a patch at an offset beyond the largest value");
  }
  return Ok();
}

// The lane's buffer goes into the store, with where replay is.
Status Recovery::Flush(Lane& lane) {
  const model::Lsn last(progress_.at.value - 1);
  std::vector<store::Position> positions;
  for (const ShardState& shard : shards_) {
    if (&LaneOf(shard) == &lane) positions.push_back({shard.lineage, shard.seq, last});
  }
  const store::Run run = lane.shards().Freeze(std::move(positions), bytes_);
  SLUICE_TRY(node_.store.Apply(run));
  lane.shards().state().Flushed(run);
  for (ShardState& shard : shards_) {
    if (&LaneOf(shard) == &lane) shard.stored_lsn = last;
  }
  ++progress_.runs;
  return Ok();
}

Status Recovery::StoreAll() {
  for (Lane* lane : node_.lanes) SLUICE_TRY(Flush(*lane));
  return Ok();
}

std::unordered_map<model::Lineage, model::ShardSeq> Recovery::NextSeq() const {
  std::unordered_map<model::Lineage, model::ShardSeq> next;
  for (const ShardState& shard : shards_) next[shard.lineage] = shard.seq.Next();
  return next;
}

Status Recovery::Finish() {
  if (together_) SLUICE_TRY(Flush(*node_.lanes.front()));
  // One millisecond on: generations of the last turns may have run ahead of the log's time.
  model::LogTime floor = model::LogTime::OfMs(log_.time().ms() + 1);
  for (Lane* lane : node_.lanes) floor = std::max(floor, lane->shards().clock());
  for (Lane* lane : node_.lanes) {
    model::Lsn stored = log_.next();
    for (const ShardState& shard : shards_) {
      if (&LaneOf(shard) == lane) stored = std::min(stored, shard.stored_lsn);
    }
    lane->BeginServing(floor, stored);
  }
  const auto cursor = node_.store.NewCursor();
  for (const model::Keyspace& keyspace : node_.router->keyspaces()) {
    std::string prefix;
    model::KindPrefix(prefix, keyspace.id, model::Kind::kOnce, {});
    for (cursor->Seek(prefix); cursor->Valid() && cursor->key().starts_with(prefix);
         cursor->Next()) {
      model::StoredKeyParts key;
      model::OnceRow row;
      if (!model::SplitStoredKey(keyspace, cursor->key(), &key) ||
          !model::DecodeOnce(cursor->row(), &row)) {
        return Fail(Code::kCorrupt, "a once token's row cannot be read");
      }
      const size_t shard = node_.router->map().Find(keyspace.id, key.token);
      node_.lanes[node_.owners[shard].value]->shards().FoundOnce(cursor->key(), row.number,
                                                                 cursor->row().size());
    }
  }
  return cursor->status();
}

}  // namespace sluice::ingest
