// A log whose records hold anything: replayed or refused, and what was replayed can be read. The
// log's own checksums hold; this is what a defect, or another version, may have written.
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/fuzz_test.h"
#include "log/group_buffer.h"
#include "resp/decoder.h"
#include "server/node_fixture.h"

namespace sluice::server {
namespace {

// Adds the next group: one batch of records, over one shard. `counts`: records so far, by shard.
void Append(NodeFixture& node, Reader& reader, std::vector<uint64_t>& counts) {
  const std::vector<model::Shard>& shards = node.node().router->map().shards();
  counts.resize(shards.size());
  const size_t index = reader.Le<uint8_t>() % shards.size();
  const uint8_t shape = reader.Le<uint8_t>();
  const uint32_t records = shape % 4;
  log::GroupBuffer buffer;
  buffer.Clear();
  log::GroupToWrite group;
  group.first = node.log().next();
  group.records = records;
  group.time = model::LogTime::OfMs(1'700'000'000'000 + group.first.value);
  log::ShardSpan span = {shards[index].id, shards[index].epoch, shards[index].lineage,
                         model::ShardSeq(counts[index] + 1), records};
  if (shape == 255) span.first_seq = span.first_seq.Next();
  counts[index] += records;
  group.shards = {&span, 1};
  buffer.AddBatch(TakePiece(reader, 200), records, group.time);
  group.batches = buffer.batches();
  SLUICE_CHECK(node.log().Append(group.first, node.log().term(), group).ok());
}

void ReadAll(NodeFixture& node) {
  const uint64_t id = node.Connect();
  const std::string keys = node.Ask(id, Request({"KEYS", "*"}));
  resp::Decoder decoder;
  resp::Value found;
  size_t consumed = 0;
  SLUICE_CHECK(decoder.Next(keys, &consumed, &found) == resp::Decoder::Got::kReply);
  for (const resp::Value& key : found.items) {
    for (const std::string_view command : {"GET", "STRLEN", "HGETALL", "HLEN", "PTTL", "TYPE"}) {
      SLUICE_CHECK(!node.Ask(id, Request({command, key.text})).empty());
    }
    SLUICE_CHECK(!node.Ask(id, Request({"HSET", key.text, "f", "v"})).empty());
    SLUICE_CHECK(!node.Ask(id, Request({"APPEND", key.text, "v"})).empty());
  }
}

}  // namespace
}  // namespace sluice::server

SLUICE_FUZZ(server_replay) {
  using namespace sluice;
  using namespace sluice::server;
  NodeFixture node;
  Reader reader(bytes);
  std::vector<uint64_t> counts;
  while (!reader.done()) Append(node, reader, counts);
  if (const Status status = node.TryRestart(); !status.ok()) {
    SLUICE_CHECK(status.error().code == Code::kCorrupt);
    return;
  }
  ReadAll(node);
}
