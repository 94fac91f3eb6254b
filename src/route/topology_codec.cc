#include "route/topology_codec.h"

#include <fmt/format.h>

#include <algorithm>

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
  const bool geo = !keyspace.token.empty() && keyspace.token[0].kind == model::TokenPartKind::kGeo;
  if (keyspace.token.empty() || geo == keyspace.regions.empty()) *sound = false;
  return keyspace;
}

model::Shard DecodeShard(Reader& reader) {
  model::Shard shard;
  shard.id = model::ShardId(reader.Le<uint32_t>());
  shard.keyspace = model::KeyspaceId(reader.Le<uint16_t>());
  shard.begin = reader.Sized();
  shard.end = reader.Sized();
  shard.lineage = model::Lineage(reader.Le<uint64_t>());
  shard.epoch = model::Epoch(reader.Le<uint32_t>());
  shard.owner = reader.Sized();
  shard.region = reader.Sized();
  return shard;
}

Result<TopologyContent> DecodeBody(std::string_view body) {
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
  for (size_t i = 0; i < count && sound && reader.ok(); ++i) shards.push_back(DecodeShard(reader));
  if (!sound || !reader.ok() || !reader.done()) {
    return Fail(Code::kCorrupt, "its content does not decode");
  }
  auto map = model::ShardMap::Make(epoch, std::move(shards));
  if (!map) return Fail(Code::kCorrupt, map.error().message);
  content.map = *std::move(map);
  for (const model::Keyspace& keyspace : content.catalogue) {
    const auto [first, last] = content.map->OfKeyspace(keyspace.id);
    if (first == last) {
      return Fail(Code::kCorrupt, fmt::format("keyspace {} has no shards", keyspace.name));
    }
  }
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
    return Fail(Code::kInvalid, "is not a topology file of Sluice");
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
  if (format != kTopologyFormat) {
    return Fail(Code::kInvalid,
                fmt::format("has format {}, and this version of Sluice reads format {}; use the "
                            "version that wrote it, or a newer one",
                            format, kTopologyFormat));
  }
  return DecodeBody(body);
}

}  // namespace sluice::route
