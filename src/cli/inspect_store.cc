#include "cli/inspect_store.h"

#include <fmt/format.h>

#include <array>
#include <map>
#include <utility>

#include "base/bytes.h"
#include "cli/listing.h"
#include "model/row.h"
#include "model/stored_key.h"
#include "route/topology_file.h"
#include "store/rocks_store.h"

namespace sluice::cli {
namespace {

constexpr int kDone = 0, kFailed = 1, kDamaged = 3;  // exit statuses
constexpr uint64_t kCacheBytes = 32 << 20;

using model::Kind;

std::string_view KindName(Kind kind) {
  switch (kind) {
    case Kind::kValue:
      return "values";
    case Kind::kField:
      return "fields";
    case Kind::kExpiry:
      return "expiries";
    case Kind::kOnce:
      return "once";
    case Kind::kProducer:
      return "producers";
    case Kind::kPosition:
    case Kind::kFormat:
      break;
  }
  return {};
}

std::string_view TypeName(model::RowType type) {
  switch (type) {
    case model::RowType::kString:
      return "strings";
    case model::RowType::kSmallHash:
      return "small hashes";
    case model::RowType::kLargeHash:
      break;
  }
  return "large hashes";
}

// How many rows of a kind there are.
struct Tally {
  uint64_t rows = 0, bytes = 0;
};

class Inspection {
 public:
  Inspection(const InspectStoreOptions& options, Listing& listing)
      : options_(options), listing_(listing) {}

  Status Run(const route::TopologyContent& topology, store::RocksStore& store) {
    for (const model::Keyspace& keyspace : topology.catalogue) keyspaces_[keyspace.id] = &keyspace;
    ListTables(store);
    SLUICE_TRY(ListPositions(topology, store));
    SLUICE_TRY(Walk(store));
    for (const auto& [name, tally] : tallies_) {
      listing_.Put({{"keyspace", name.first},
                    {"kind", name.second},
                    {"rows", tally.rows},
                    {"bytes", tally.bytes}});
    }
    return options_.verify ? store.Verify() : Ok();
  }

 private:
  void ListTables(const store::RocksStore& store) {
    std::map<int, std::pair<uint64_t, uint64_t>> levels;
    for (const store::Table& table : store.Tables()) {
      listing_.Put({{"table", table.name},
                    {"level", table.level},
                    {"bytes", table.bytes},
                    {"rows", table.rows},
                    {"deletions", table.deletions}});
      ++levels[table.level].first;
      levels[table.level].second += table.bytes;
    }
    for (const auto& [level, sums] : levels) {
      listing_.Put({{"level", level}, {"tables", sums.first}, {"bytes", sums.second}});
    }
  }

  Status ListPositions(const route::TopologyContent& topology, store::RocksStore& store) {
    SLUICE_ASSIGN(const auto positions, store.Positions());
    for (const store::Position& position : positions) {
      Listing::Line line = {{"position", fmt::format("{:016x}", position.lineage.value)}};
      if (topology.map != nullptr) {
        for (const model::Shard& shard : topology.map->shards()) {
          if (shard.lineage != position.lineage) continue;
          line["shard"] = shard.id.value;
          line["keyspace"] = NameOf(shard.keyspace);
        }
      }
      line["sequence"] = position.seq.value;
      line["lsn"] = position.lsn.value;
      listing_.Put(line);
    }
    return Ok();
  }

  Status Walk(store::RocksStore& store) {
    const auto cursor = store.NewCursor();
    for (cursor->Seek({}); cursor->Valid(); cursor->Next()) {
      const std::string_view stored = cursor->key(), row = cursor->row();
      if (stored.size() < 3) return Damaged(stored, "is no stored key");
      if (model::KeyspaceOf(stored) == model::kMetaKeyspace) continue;
      SLUICE_TRY(Take(stored, row));
    }
    return cursor->status();
  }

  Status Take(std::string_view stored, std::string_view row) {
    const model::KeyspaceId id = model::KeyspaceOf(stored);
    const Kind kind = model::KindOf(stored);
    const std::string_view name = KindName(kind);
    const auto keyspace = keyspaces_.find(id);
    if (name.empty()) return Damaged(stored, "is of an unknown kind");
    if (keyspace == keyspaces_.end()) return Damaged(stored, "is of a keyspace that is unknown");
    Count(id, name, stored, row);
    model::RowView value;
    if (kind == Kind::kValue) {
      if (!model::DecodeRow(row, &value)) return Damaged(stored, "has a row that is none");
      Count(id, TypeName(value.type), stored, row);
    }
    if (kind == Kind::kProducer) return Ok();
    model::StoredKeyParts parts;
    if (!model::SplitStoredKey(*keyspace->second, stored, &parts)) {
      return Damaged(stored, "is no key of its keyspace");
    }
    if (options_.keys && kind == Kind::kValue && parts.key.starts_with(*options_.keys)) {
      ShowKey(id, parts, value);
    }
    if (options_.key && parts.key == *options_.key) ShowRow(id, kind, parts, row);
    return Ok();
  }

  void Count(model::KeyspaceId id, std::string_view name, std::string_view stored,
             std::string_view row) {
    Tally& tally = tallies_[{NameOf(id), std::string(name)}];
    ++tally.rows;
    tally.bytes += stored.size() + row.size();
  }

  void ShowKey(model::KeyspaceId id, const model::StoredKeyParts& parts,
               const model::RowView& value) {
    Listing::Line line = {{"key", Shown(parts.key)}, {"keyspace", NameOf(id)}};
    line["type"] = value.is_hash() ? "hash" : "string";
    if (value.is_hash()) {
      line["fields"] = value.count;
      line["generation"] = value.generation.value;
    } else {
      line["bytes"] = value.body.size();
    }
    if (value.expire_at_ms != 0) line["expires_at_ms"] = value.expire_at_ms;
    listing_.Put(line);
  }

  void ShowRow(model::KeyspaceId id, Kind kind, const model::StoredKeyParts& parts,
               std::string_view row) {
    model::RowView value;
    model::OnceRow once;
    if (kind == Kind::kValue && model::DecodeRow(row, &value)) {
      ShowKey(id, parts, value);
      if (value.type == model::RowType::kString) listing_.Put({{"value", Shown(value.body)}}, 1);
      model::FieldWalk walk(value.type == model::RowType::kSmallHash ? value.body
                                                                     : std::string_view());
      while (walk.Next()) ShowField(walk.field, walk.value, value.generation.value);
    } else if (kind == Kind::kField && parts.rest.size() >= 8) {
      Reader generation(parts.rest.substr(0, 8));
      ShowField(parts.rest.substr(8), row, generation.Be64());
    } else if (kind == Kind::kExpiry) {
      listing_.Put({{"expiry", parts.expire_at_ms}}, 1);
    } else if (kind == Kind::kOnce && model::DecodeOnce(row, &once)) {
      Reader names(parts.rest);
      const std::string_view user = names.Sized();
      listing_.Put({{"once", Shown(names.rest())},
                    {"user", Shown(user)},
                    {"forgotten_at_ms", once.number},
                    {"reply", Shown(once.reply)}},
                   1);
    }
  }

  void ShowField(std::string_view field, std::string_view value, uint64_t generation) {
    listing_.Put({{"field", Shown(field)}, {"value", Shown(value)}, {"generation", generation}}, 1);
  }

  std::string NameOf(model::KeyspaceId id) const {
    const auto found = keyspaces_.find(id);
    return found == keyspaces_.end() ? fmt::format("{}", id.value) : found->second->name;
  }
  static Failure Damaged(std::string_view stored, std::string_view how) {
    return Fail(Code::kCorrupt, fmt::format("a row {}: its key is {}", how, Shown(stored)));
  }

  const InspectStoreOptions& options_;
  Listing& listing_;
  std::map<model::KeyspaceId, const model::Keyspace*> keyspaces_;
  std::map<std::pair<std::string, std::string>, Tally> tallies_;
};

Status Inspect(env::FileSystem& files, const std::string& dir, const InspectStoreOptions& options,
               Listing& listing) {
  SLUICE_ASSIGN(const route::TopologyContent topology, route::FileTopology(files, dir).Load());
  SLUICE_ASSIGN(const bool there, files.Exists(dir + "/store"));
  if (!there) return Fail(Code::kNotFound, dir + "/store: there is no store");
  store::RocksStore::Options store_options;
  store_options.block_cache_bytes = kCacheBytes;
  SLUICE_ASSIGN(const auto store, store::RocksStore::OpenToRead(dir + "/store", store_options));
  return Inspection(options, listing).Run(topology, *store);
}

}  // namespace

int InspectStore(env::FileSystem& files, const std::string& dir, const InspectStoreOptions& options,
                 std::ostream& out) {
  Listing listing(out, options.json);
  const Status status = Inspect(files, dir, options, listing);
  if (status.ok()) {
    if (options.verify) listing.Put({{"verified", "every checksum is right"}});
    return kDone;
  }
  const bool damaged =
      status.error().code == Code::kCorrupt || status.error().code == Code::kInvalid;
  listing.Put({{damaged ? "damaged" : "failed", status.error().message}});
  return damaged ? kDamaged : kFailed;
}

}  // namespace sluice::cli
