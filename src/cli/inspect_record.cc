#include "cli/inspect_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "base/bytes.h"
#include "cli/listing.h"
#include "log/recovery.h"
#include "log/segment_reader.h"
#include "model/effect.h"
#include "route/topology_file.h"

namespace sluice::cli {
namespace {

constexpr int kDone = 0, kFailed = 1, kDamaged = 3;  // exit statuses

std::string_view NameOf(model::EffectKind kind) {
  switch (kind) {
    case model::EffectKind::kPutValue:
      return "put value";
    case model::EffectKind::kAddInt:
      return "add int";
    case model::EffectKind::kPatch:
      return "patch";
    case model::EffectKind::kDelete:
      return "delete";
    case model::EffectKind::kExpireAt:
      return "expire at";
    case model::EffectKind::kPutFields:
      return "put fields";
    case model::EffectKind::kAddField:
      return "add field";
    case model::EffectKind::kDeleteFields:
      return "delete fields";
    case model::EffectKind::kOnce:
      return "once";
    case model::EffectKind::kProducer:
      return "producer";
    case model::EffectKind::kClearShard:
      break;
  }
  return "clear shard";
}

// What only this kind of effect says.
void Tell(const model::Effect& effect, Listing::Line& line) {
  switch (effect.kind) {
    case model::EffectKind::kPutValue:
      line["value"] = Shown(effect.value);
      break;
    case model::EffectKind::kAddInt:
      line["delta"] = effect.delta;
      line["value"] = effect.number;
      break;
    case model::EffectKind::kPatch:
      line["offset"] = effect.offset;
      line["bytes"] = Shown(effect.value);
      break;
    case model::EffectKind::kDelete:
      line["reason"] = effect.reason == model::DeleteReason::kExpired ? "expired" : "deleted";
      break;
    case model::EffectKind::kAddField:
      line["field"] = Shown(effect.value);
      line["delta"] = effect.delta;
      line["value"] = effect.number;
      break;
    case model::EffectKind::kOnce:
    case model::EffectKind::kProducer:
      line["user"] = Shown(effect.user);
      line[effect.kind == model::EffectKind::kOnce ? "token" : "producer"] = Shown(effect.token);
      if (effect.kind == model::EffectKind::kProducer) line["seq"] = effect.offset;
      line["digest"] = fmt::format("{:016x}", effect.digest);
      line["reply"] = Shown(effect.value);
      break;
    case model::EffectKind::kExpireAt:
    case model::EffectKind::kPutFields:
    case model::EffectKind::kDeleteFields:
    case model::EffectKind::kClearShard:
      break;
  }
}

bool OfHash(model::EffectKind kind) {
  return kind == model::EffectKind::kPutFields || kind == model::EffectKind::kAddField ||
         kind == model::EffectKind::kDeleteFields;
}

using Names = std::map<model::KeyspaceId, std::string>;

// False if the bytes are no effects.
bool ShowEffects(std::string_view bytes, const Names& names, Listing& listing) {
  Reader reader(bytes);
  std::vector<model::Field> fields;
  while (!reader.done()) {
    model::Effect effect;
    if (!model::ReadEffect(reader, &effect, &fields)) return false;
    const auto name = names.find(effect.keyspace);
    Listing::Line line = {{"effect", NameOf(effect.kind)}};
    line["keyspace"] = name == names.end() ? std::to_string(effect.keyspace.value) : name->second;
    if (effect.kind != model::EffectKind::kClearShard) line["key"] = Shown(effect.key);
    line["writes"] = effect.writes;
    Tell(effect, line);
    if (OfHash(effect.kind)) {
      line["generation"] = effect.generation.value;
      line["count"] = effect.count;
    }
    if (effect.expire_at_ms != 0 || effect.kind == model::EffectKind::kExpireAt) {
      line["expires_at_ms"] = effect.expire_at_ms;
    }
    listing.Put(line, 2);
    for (const model::Field& field : effect.fields) {
      Listing::Line shown = {{"field", Shown(field.name)}};
      if (effect.kind == model::EffectKind::kPutFields) shown["value"] = Shown(field.value);
      listing.Put(shown, 3);
    }
  }
  return true;
}

class Search {
 public:
  Search(model::Lsn lsn, const Names& names, Listing& listing)
      : lsn_(lsn), names_(names), listing_(listing) {}

  // kNotFound: the log does not hold it.
  Status Run(env::FileSystem& files, const std::string& dir) {
    SLUICE_ASSIGN(const log::Directory directory, log::ListLog(files, dir));
    for (size_t i = directory.segments.size(); i-- > 0;) {
      SLUICE_ASSIGN(log::OpenSegment segment,
                    log::OpenSegmentFile(files, dir, directory.segments[i]));
      if (segment.header.start.next <= lsn_) return In(dir, segment);
    }
    return Fail(Code::kNotFound,
                fmt::format("{}: LSN {} is not there (any more)", dir, lsn_.value));
  }

 private:
  Status In(const std::string& dir, const log::OpenSegment& segment) {
    log::SegmentReader reader(segment.file, segment.header);
    const std::string file = dir + "/" + log::SegmentName(segment.header.number);
    for (;;) {
      SLUICE_ASSIGN(const auto found, reader.Next(segment.header.bytes));
      if (found == log::SegmentReader::Found::kGroup) {
        if (lsn_ < reader.header().after().next) return Show(file, reader);
        continue;
      }
      if (found == log::SegmentReader::Found::kNoHeader) {
        return Fail(Code::kNotFound, fmt::format("{}: the log ends before LSN {}, with LSN {}", dir,
                                                 lsn_.value, reader.place().next.value - 1));
      }
      return Fail(Code::kCorrupt, fmt::format("{} at {}: the group there is torn or damaged", file,
                                              reader.offset()));
    }
  }

  Status Show(const std::string& file, const log::SegmentReader& reader) {
    const log::GroupView& group = reader.group();
    std::map<model::ShardId, uint64_t> before;  // records of each shard before it, in the group
    std::vector<model::RecordPart> parts;
    model::Lsn at = group.first;
    for (const log::BatchView& batch : group.batches) {
      Reader records(batch.bytes);
      for (uint32_t i = 0; i < batch.records; ++i, at = at.Next()) {
        const size_t left = records.left();
        if (!model::ReadRecord(records, &parts)) {
          return Fail(Code::kCorrupt,
                      fmt::format("{} at {}: LSN {} is no record", file, group.offset, at.value));
        }
        if (at != lsn_) {
          for (const model::RecordPart& part : parts) ++before[part.shard];
          continue;
        }
        listing_.Put({{"record", at.value},
                      {"file", file},
                      {"group", group.offset},
                      {"term", group.term.value},
                      {"log_time_ms", batch.time.ms()},
                      {"bytes", left - records.left()}});
        return ShowParts(file, group, parts, before);
      }
    }
    return Fail(Code::kCorrupt,
                fmt::format("{} at {}: the group lacks a record", file, group.offset));
  }

  Status ShowParts(const std::string& file, const log::GroupView& group,
                   const std::vector<model::RecordPart>& parts,
                   const std::map<model::ShardId, uint64_t>& before) {
    for (const model::RecordPart& part : parts) {
      Listing::Line line = {{"shard", part.shard.value}};
      for (const log::ShardSpan& span : group.shards) {
        if (span.shard != part.shard) continue;
        const auto earlier = before.find(part.shard);
        line["epoch"] = span.epoch.value;
        line["lineage"] = fmt::format("{:016x}", span.lineage.value);
        line["sequence"] = span.first_seq.value + (earlier == before.end() ? 0 : earlier->second);
      }
      listing_.Put(line, 1);
      if (!ShowEffects(part.effects, names_, listing_)) {
        return Fail(Code::kCorrupt, fmt::format("{} at {}: LSN {} holds what is no effect", file,
                                                group.offset, lsn_.value));
      }
    }
    return Ok();
  }

  const model::Lsn lsn_;
  const Names& names_;
  Listing& listing_;
};

Status Inspect(env::FileSystem& files, const std::string& dir, model::Lsn lsn, Listing& listing) {
  SLUICE_ASSIGN(const route::TopologyContent topology, route::FileTopology(files, dir).Load());
  Names names;
  for (const model::Keyspace& keyspace : topology.catalogue) names[keyspace.id] = keyspace.name;
  return Search(lsn, names, listing).Run(files, dir + "/log");
}

}  // namespace

int InspectRecord(env::FileSystem& files, const std::string& dir, model::Lsn lsn, bool json,
                  std::ostream& out) {
  Listing listing(out, json);
  const Status status = Inspect(files, dir, lsn, listing);
  if (status.ok()) return kDone;
  const bool damaged =
      status.error().code == Code::kCorrupt || status.error().code == Code::kInvalid;
  listing.Put({{damaged ? "damaged" : "failed", status.error().message}});
  return damaged ? kDamaged : kFailed;
}

}  // namespace sluice::cli
