// Replay of logs whose checksums hold and whose records no shard of this node ever wrote.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "command/handler.h"
#include "log/group_buffer.h"
#include "model/effect.h"
#include "server/node_fixture.h"

namespace sluice::server {
namespace {

using model::Effect;
using model::EffectKind;

// What a start says of a log with that effect as the first record of the shard; "" if it serves.
std::string StartWith(const Effect& effect, size_t shard) {
  NodeFixture node;
  const model::Shard& owner = node.node().router->map().shards()[shard];
  std::string effects, record;
  model::AppendEffect(effects, effect);
  model::AppendRecord(record, owner.id, effects);
  log::GroupBuffer buffer;
  buffer.Clear();
  buffer.AddBatch(record, 1, model::LogTime::OfMs(1'700'000'000'000));
  const log::ShardSpan span = {owner.id, owner.epoch, owner.lineage, model::ShardSeq(1), 1};
  log::GroupToWrite group;
  group.first = model::Lsn(1);
  group.records = 1;
  group.time = model::LogTime::OfMs(1'700'000'000'000);
  group.shards = {&span, 1};
  group.batches = buffer.batches();
  SLUICE_CHECK(node.log().Append(group.first, node.log().term(), group).ok());
  const Status status = node.TryRestart();
  if (status.ok()) return "";
  EXPECT_EQ(status.error().code, Code::kCorrupt);
  return status.error().message;
}

// Goal:   an effect that no command makes is refused with its place, before it touches a row: one
//         that builds a value beyond its bound, or lies at a key that is too long, another shard's
//         or another keyspace's.
// Method: one sound effect of each kind that can be wrong, then the same spoiled in one way.
TEST(Replay, RefusesEffectsThatNoShardWrites) {
  std::string token;
  NodeFixture probe;
  const size_t home = probe.node().router->Place("k", &token)->shard;
  const size_t other = home == 0 ? 1 : 0;
  Effect patch;
  patch.kind = EffectKind::kPatch;
  patch.key = "k";
  patch.value = "xyz";
  patch.offset = command::kValueBytesMax - 3;
  EXPECT_EQ(StartWith(patch, home), "");
  for (const uint64_t offset : {command::kValueBytesMax - 2, UINT64_MAX - 2, UINT64_MAX}) {
    patch.offset = offset;
    EXPECT_THAT(StartWith(patch, home), testing::HasSubstr("offset")) << offset;
  }
  Effect put;
  put.key = "k";
  put.value = "v";
  EXPECT_EQ(StartWith(put, home), "");
  EXPECT_NE(StartWith(put, other), "");
  put.keyspace = model::KeyspaceId(1);
  EXPECT_NE(StartWith(put, home), "");
  put.keyspace = {};
  const std::string long_key(model::kKeyBytesMax + 1, 'k');
  put.key = long_key;
  for (size_t shard = 0; shard < 8; ++shard) EXPECT_NE(StartWith(put, shard), "");
  Effect clear;
  clear.kind = EffectKind::kClearShard;
  EXPECT_EQ(StartWith(clear, home), "");
  clear.keyspace = model::KeyspaceId(1);
  EXPECT_NE(StartWith(clear, home), "");
}

}  // namespace
}  // namespace sluice::server
