// A topology file, its checksum made right: refused, or one that can be served and is written the
// same.
#include <memory>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/fuzz_test.h"
#include "model/stored_key.h"
#include "route/router.h"
#include "route/topology_codec.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace sluice::route {
namespace {

std::string Framed(std::string_view body) {
  std::string bytes("SLUICETP");
  AppendLe(bytes, kTopologyFormat);
  AppendLe(bytes, uint64_t{body.size()});
  bytes += body;
  AppendLe(bytes, uint64_t{XXH3_64bits(bytes.data(), bytes.size())});
  return bytes;
}

// Every key that is placed lies in the shard it is placed in, and in a row that is split again.
void Serve(const TopologyContent& content) {
  const Router router(content.catalogue, std::make_shared<Policies>(std::vector<model::Policy>()),
                      content.map);
  std::string token, stored;
  for (const std::string_view key : {"", "a", "likes:7", "order:1:2", "event:eu:x", "{tag}:1"}) {
    const auto placed = router.Place(key, &token);
    if (!placed.has_value()) continue;
    const model::Shard& shard = content.map->shards()[placed->shard];
    SLUICE_CHECK(shard.keyspace == placed->keyspace->id);
    SLUICE_CHECK(shard.begin <= token && (shard.end.empty() || token < shard.end));
    model::ValueKey(stored, placed->keyspace->id, token, key);
    model::StoredKeyParts parts;
    SLUICE_CHECK(model::SplitStoredKey(*placed->keyspace, stored, &parts));
    SLUICE_CHECK(parts.token == token && parts.key == key);
  }
}

}  // namespace
}  // namespace sluice::route

SLUICE_FUZZ(route_topology) {
  using namespace sluice;
  using namespace sluice::route;
  SLUICE_CHECK(bytes.size() > 8 || !DecodeTopology(bytes).has_value());
  const auto content = DecodeTopology(Framed(bytes));
  if (!content.has_value()) {
    SLUICE_CHECK(content.error().code == Code::kCorrupt);
    return;
  }
  const std::string written = EncodeTopology(*content);
  const auto again = DecodeTopology(written);
  SLUICE_CHECK(again.has_value() && EncodeTopology(*again) == written);
  Serve(*content);
}
