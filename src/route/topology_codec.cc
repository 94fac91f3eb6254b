#include "route/topology_codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/bytes.h"
#include "base/check.h"
#include "config/key_template.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace sluice::route {
namespace {

constexpr std::string_view kMagic = "SLUICETP";
constexpr size_t kHeadSize = 8 + 4 + 8;  // magic, format, size of the body
constexpr size_t kCheckSize = 8;

uint64_t Checksum(std::string_view bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

void EncodeTemplate(std::string& to, const model::Template& key) {
  AppendVarint(to, key.segments.size());
  for (size_t i = 0; i < key.segments.size(); ++i) {
    AppendSized(to, key.literals[i]);
    AppendSized(to, key.segments[i]);
  }
  AppendSized(to, key.literals.back());
}

void EncodeKeyspace(std::string& to, const model::Keyspace& keyspace) {
  AppendLe(to, keyspace.id.value);
  AppendSized(to, keyspace.name);
  EncodeTemplate(to, keyspace.key);
  AppendVarint(to, keyspace.token.size());
  for (const model::TokenPart& part : keyspace.token) {
    AppendLe(to, static_cast<uint8_t>(part.kind));
    AppendVarint(to, part.segments.size());
    for (const uint16_t segment : part.segments) AppendVarint(to, segment);
  }
  AppendVarint(to, keyspace.regions.size());
  for (const model::Region& region : keyspace.regions) {
    AppendLe(to, region.number);
    AppendSized(to, region.name);
    AppendVarint(to, region.match.size());
    for (const std::string& value : region.match) AppendSized(to, value);
    AppendLe(to, region.shards);
    AppendSized(to, region.tag);
  }
  AppendSized(to, keyspace.unknown_region);
  AppendSized(to, keyspace.shard_spec);
}

void EncodeShard(std::string& to, const model::Shard& shard) {
  AppendLe(to, shard.id.value);
  AppendLe(to, shard.keyspace.value);
  AppendSized(to, shard.begin);
  AppendSized(to, shard.end);
  AppendLe(to, shard.lineage.value);
  AppendLe(to, shard.epoch.value);
  AppendSized(to, shard.owner);
  AppendSized(to, shard.region);
  AppendLe(to, shard.lane.value);
}

void EncodeRetired(std::string& to, const model::RetiredShard& shard) {
  AppendLe(to, shard.id.value);
  AppendLe(to, shard.keyspace.value);
  AppendSized(to, shard.begin);
  AppendSized(to, shard.end);
  AppendLe(to, shard.lineage.value);
  AppendLe(to, shard.epoch.value);
}

// How many elements follow. Each takes a byte at least, so a count never asks for more memory than
// the bytes that are there warrant.
size_t Count(Reader& reader, bool* sound) {
  const uint64_t count = reader.Varint();
  if (count <= reader.left()) return count;
  *sound = false;
  return 0;
}

model::Template DecodeTemplate(Reader& reader, bool* sound) {
  model::Template key;
  const size_t segments = Count(reader, sound);
  if (segments > config::kSegmentsMax) *sound = false;
  for (size_t i = 0; i < segments && *sound; ++i) {
    key.literals.emplace_back(reader.Sized());
    key.segments.emplace_back(reader.Sized());
    key.text += key.literals.back() + "{" + key.segments.back() + "}";
    // Matching relies on it: a literal in front of every segment.
    if (key.literals.back().empty()) *sound = false;
  }
  key.literals.emplace_back(reader.Sized());
  key.text += key.literals.back();
  return key;
}

model::TokenPart DecodePart(Reader& reader, size_t segments, bool* sound) {
  model::TokenPart part;
  const auto kind = reader.Le<uint8_t>();
  if (kind > static_cast<uint8_t>(model::TokenPartKind::kGeo)) *sound = false;
  part.kind = static_cast<model::TokenPartKind>(kind);
  const size_t count = Count(reader, sound);
  for (size_t i = 0; i < count && *sound; ++i) {
    const uint64_t segment = reader.Varint();
    if (segment >= segments) *sound = false;
    part.segments.push_back(static_cast<uint16_t>(segment));
  }
  const bool whole_key = part.kind == model::TokenPartKind::kHash && segments == 0;
  if (part.segments.empty() != whole_key || part.segments.size() > config::kSegmentsMax) {
    *sound = false;
  }
  return part;
}

model::Region DecodeRegion(Reader& reader, bool* sound) {
  model::Region region;
  region.number = reader.Le<uint16_t>();
  region.name = reader.Sized();
  const size_t values = Count(reader, sound);
  for (size_t i = 0; i < values && *sound; ++i) region.match.emplace_back(reader.Sized());
  region.shards = reader.Le<uint32_t>();
  region.tag = reader.Sized();
  return region;
}

model::Keyspace DecodeKeyspace(Reader& reader, bool* sound) {
  model::Keyspace keyspace;
  keyspace.id = model::KeyspaceId(reader.Le<uint16_t>());
  keyspace.name = reader.Sized();
  keyspace.key = DecodeTemplate(reader, sound);
  const size_t parts = Count(reader, sound);
  for (size_t i = 0; i < parts && *sound; ++i) {
    keyspace.token.push_back(DecodePart(reader, keyspace.key.segments.size(), sound));
  }
  const size_t regions = Count(reader, sound);
  for (size_t i = 0; i < regions && *sound; ++i) {
    keyspace.regions.push_back(DecodeRegion(reader, sound));
  }
  keyspace.unknown_region = reader.Sized();
  keyspace.shard_spec = reader.Sized();
  return keyspace;
}

model::Shard DecodeShard(Reader& reader, uint32_t format) {
  model::Shard shard;
  shard.id = model::ShardId(reader.Le<uint32_t>());
  shard.keyspace = model::KeyspaceId(reader.Le<uint16_t>());
  shard.begin = reader.Sized();
  shard.end = reader.Sized();
  shard.lineage = model::Lineage(reader.Le<uint64_t>());
  shard.epoch = model::Epoch(reader.Le<uint32_t>());
  shard.owner = reader.Sized();
  shard.region = reader.Sized();
  if (format > 1) shard.lane = model::LaneId(reader.Le<uint16_t>());
  return shard;
}

model::RetiredShard DecodeRetired(Reader& reader) {
  model::RetiredShard shard;
  shard.id = model::ShardId(reader.Le<uint32_t>());
  shard.keyspace = model::KeyspaceId(reader.Le<uint16_t>());
  shard.begin = reader.Sized();
  shard.end = reader.Sized();
  shard.lineage = model::Lineage(reader.Le<uint64_t>());
  shard.epoch = model::Epoch(reader.Le<uint32_t>());
  return shard;
}

// geo then one other, or one other alone; with regions exactly when geo comes first.
bool IsTokenShape(const model::Keyspace& keyspace) {
  const auto is_geo = [](const model::TokenPart& part) {
    return part.kind == model::TokenPartKind::kGeo;
  };
  const auto& parts = keyspace.token;
  if (parts.empty() || is_geo(parts.back())) return false;
  const bool geo = parts.size() == 2 && is_geo(parts[0]) && parts[0].segments.size() == 1;
  return (geo || parts.size() == 1) && geo == !keyspace.regions.empty();
}

bool AreRegionsSound(const model::Keyspace& keyspace) {
  std::set<uint16_t> numbers = {0};  // 0 is none
  std::set<std::string_view> names = {""}, values = {""};
  for (const model::Region& region : keyspace.regions) {
    if (!numbers.insert(region.number).second || !names.insert(region.name).second) return false;
    for (const std::string& value : region.match) {
      if (!values.insert(value).second) return false;
    }
  }
  return names.contains(keyspace.unknown_region);
}

// What Router and Reconcile rely on.
Status CheckSound(const TopologyContent& content) {
  std::set<model::KeyspaceId> keyspaces;
  std::set<std::string_view> names;
  for (const model::Keyspace& keyspace : content.catalogue) {
    const bool is_default = keyspace.id == model::KeyspaceId(0);
    const auto [first, last] = content.map->OfKeyspace(keyspace.id);
    if (is_default != keyspace.key.segments.empty() || !IsTokenShape(keyspace) ||
        !AreRegionsSound(keyspace) || keyspace.id.value >= content.next_keyspace_id ||
        !keyspaces.insert(keyspace.id).second || !names.insert(keyspace.name).second ||
        first == last) {
      return Fail(Code::kCorrupt,
                  fmt::format("keyspace {} does not make sense", keyspace.id.value));
    }
  }
  if (!keyspaces.contains(model::KeyspaceId(0)))
    return Fail(Code::kCorrupt, "has no default keyspace");
  std::set<model::ShardId> ids;
  std::set<model::Lineage> lineages;
  const auto is_sound = [&](const auto& shard) {
    return keyspaces.contains(shard.keyspace) && shard.id.value < content.next_shard_id &&
           ids.insert(shard.id).second && lineages.insert(shard.lineage).second;
  };
  for (const model::Shard& shard : content.map->shards()) {
    if (is_sound(shard)) continue;
    return Fail(Code::kCorrupt, fmt::format("shard {} does not make sense", shard.id.value));
  }
  for (const model::RetiredShard& shard : content.map->retired()) {
    if (is_sound(shard) && (shard.end.empty() || shard.begin < shard.end)) continue;
    return Fail(Code::kCorrupt, fmt::format("retired shard {} makes no sense", shard.id.value));
  }
  return Ok();
}

Result<std::shared_ptr<const model::ShardMap>> MakeMap(model::Epoch epoch,
                                                       std::vector<model::Shard> shards,
                                                       std::vector<model::RetiredShard> retired) {
  auto map = model::ShardMap::Make(epoch, std::move(shards), std::move(retired));
  if (!map) return Fail(Code::kCorrupt, map.error().message);
  return map;
}

Result<TopologyContent> DecodeBody(std::string_view body, uint32_t format) {
  Reader reader(body);
  bool sound = true;
  TopologyContent content;
  content.version = reader.Le<uint64_t>();
  content.node = reader.Le<uint64_t>();
  content.next_shard_id = reader.Le<uint32_t>();
  content.next_keyspace_id = reader.Le<uint16_t>();
  const model::Epoch epoch(reader.Le<uint32_t>());
  const size_t keyspaces = Count(reader, &sound);
  for (size_t i = 0; i < keyspaces && sound; ++i) {
    content.catalogue.push_back(DecodeKeyspace(reader, &sound));
  }
  const size_t count = Count(reader, &sound);
  std::vector<model::Shard> shards;
  for (size_t i = 0; i < count && sound && reader.ok(); ++i) {
    shards.push_back(DecodeShard(reader, format));
  }
  std::vector<model::RetiredShard> retired;
  if (format > 1) {
    content.lanes = reader.Le<uint16_t>();
    const size_t gone = Count(reader, &sound);
    for (size_t i = 0; i < gone && sound && reader.ok(); ++i) {
      retired.push_back(DecodeRetired(reader));
    }
  }
  if (!sound || !reader.ok() || !reader.done()) {
    return Fail(Code::kCorrupt, "its content does not decode");
  }
  SLUICE_ASSIGN(content.map, MakeMap(epoch, std::move(shards), std::move(retired)));
  SLUICE_TRY(CheckSound(content));
  return content;
}

}  // namespace

std::string EncodeTopology(const TopologyContent& content) {
  SLUICE_CHECK(content.map != nullptr);
  std::string body;
  AppendLe(body, content.version);
  AppendLe(body, content.node);
  AppendLe(body, content.next_shard_id);
  AppendLe(body, content.next_keyspace_id);
  AppendLe(body, content.map->epoch().value);
  AppendVarint(body, content.catalogue.size());
  for (const model::Keyspace& keyspace : content.catalogue) EncodeKeyspace(body, keyspace);
  AppendVarint(body, content.map->shards().size());
  for (const model::Shard& shard : content.map->shards()) EncodeShard(body, shard);
  AppendLe(body, content.lanes);
  AppendVarint(body, content.map->retired().size());
  for (const model::RetiredShard& shard : content.map->retired()) EncodeRetired(body, shard);

  std::string bytes(kMagic);
  AppendLe(bytes, kTopologyFormat);
  AppendLe(bytes, uint64_t{body.size()});
  bytes += body;
  AppendLe(bytes, Checksum(bytes));
  return bytes;
}

Result<TopologyContent> DecodeTopology(std::string_view bytes) {
  const size_t known = std::min(bytes.size(), kMagic.size());
  if (bytes.substr(0, known) != kMagic.substr(0, known)) {
    return Fail(Code::kCorrupt, "is not a topology file of Sluice");
  }
  Reader reader(bytes);
  reader.Bytes(kMagic.size());
  const auto format = reader.Le<uint32_t>();
  const auto size = reader.Le<uint64_t>();
  if (!reader.ok() || reader.left() < kCheckSize || size != reader.left() - kCheckSize) {
    return Fail(Code::kCorrupt, "is cut short, or its size field is damaged");
  }
  const std::string_view body = reader.Bytes(size);
  if (reader.Le<uint64_t>() != Checksum(bytes.substr(0, kHeadSize + size))) {
    return Fail(Code::kCorrupt, "fails its checksum");
  }
  // The frame around the body is that of every format, so damage is told from a newer version.
  if (format > kTopologyFormat) {
    return Fail(Code::kInvalid,
                fmt::format("has format {}, and this version of Sluice reads formats {} to {}; use "
                            "the version that wrote it, or a newer one",
                            format, kTopologyFormatOldest, kTopologyFormat));
  }
  if (format < kTopologyFormatOldest) return Fail(Code::kCorrupt, "has a format that never was");
  return DecodeBody(body, format);
}

}  // namespace sluice::route
