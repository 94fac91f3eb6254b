// Folding against the same node without it: nobody can tell the one from the other, but by counting
// records.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "base/prng.h"
#include "project/memory_sink.h"
#include "project/shard_book.h"
#include "project/tail.h"
#include "server/node_fixture.h"

namespace sluice::server {
namespace {

std::string ConfigOf(bool folds) {
  const std::string hot = folds ? "hot_key = \"fold\"\n" : "hot_key = \"off\"\n";
  return "[keyspace.default]\n" + hot + "[keyspace.carried]\nkey = \"carried:{n}\"\n" + hot +
         "[keyspace.lived]\nkey = \"lived:{n}\"\nttl = \"40ms\"\n" + hot +
         "[keyspace.summed]\nkey = \"summed:{n}\"\n" + hot;
}

// What random commands are made of: @ is a key, $ one that is only added to, # a number, ~ a value
// of some kilobytes.
const char* const kOnAny[] = {"INCR @",
                              "INCR @",
                              "DECR @",
                              "INCRBY @ #",
                              "DECRBY @ #",
                              "INCRBY @ 9223372036854775000",
                              "INCRBY @ -9223372036854775000",
                              "INCRBYFLOAT @ 0.25",
                              "SET @ #",
                              "SET @ #",
                              "SET @ word",
                              "SET @ # NX",
                              "SET @ # XX KEEPTTL",
                              "SET @ # GET",
                              "SET @ # PX 7",
                              "SET @ # PXAT 5",
                              "SETNX @ #",
                              "SETEX @ 1 #",
                              "GETSET @ #",
                              "GETDEL @",
                              "DEL @",
                              "DEL @ @",
                              "MSET @ # @ #",
                              "MSETNX @ # @ #",
                              "EXPIRE @ 1",
                              "PEXPIRE @ 9",
                              "PERSIST @",
                              "GETEX @ PX 11",
                              "HSET @ f #",
                              "HSET @ f # g # h #",
                              "HSET @ w ~",
                              "HSET @ x# # y# #",
                              "HMSET @ g #",
                              "HSETNX @ h #",
                              "HDEL @ f",
                              "HDEL @ f g h w",
                              "HINCRBY @ f #",
                              "HINCRBY @ f 1",
                              "HINCRBY @ g -#",
                              "HINCRBY @ x# 1",
                              "HINCRBY @ f 9223372036854775000",
                              "HINCRBYFLOAT @ g 1.5",
                              "GET @",
                              "PTTL @",
                              "HLEN @",
                              "HMGET @ f g h",
                              "STRLEN @"};
const char* const kPatches[] = {"APPEND @ a", "SETRANGE @ 3 xy"};
const char* const kSums[] = {"INCR $",
                             "INCRBY $ #",
                             "DECRBY $ #",
                             "DECR $",
                             "HINCRBY $h f 1",
                             "HINCRBY $h g #",
                             "HINCRBY $h # -#",
                             "GET $",
                             "INCRBY $ 9223372036854775000",
                             "INCRBY $ -9223372036854775000"};

std::string Encoded(const std::string& line) {
  std::vector<std::string> words(1);
  for (const char c : line) c == ' ' ? words.emplace_back() : words.back() += c;
  std::string bytes = fmt::format("*{}\r\n", words.size());
  for (const auto& word : words) bytes += fmt::format("${}\r\n{}\r\n", word.size(), word);
  return bytes;
}

// `patches`: with writes that no projection can be told.
std::string RandomCommand(Prng& prng, bool patches) {
  std::string line;
  if (prng.OneIn(5)) line = fmt::format("SLUICE ONCE t{} ", prng.Below(30));
  if (prng.OneIn(9)) line = fmt::format("SLUICE ONCE @p {} ", prng.Below(40) + 1);
  if (prng.OneIn(4)) {
    line += kSums[prng.Below(std::size(kSums))];
  } else if (patches && prng.OneIn(12)) {
    line += kPatches[prng.Below(std::size(kPatches))];
  } else if (patches && line.empty() && prng.OneIn(60)) {
    line = "FLUSHALL";
  } else {
    line += kOnAny[prng.Below(std::size(kOnAny))];
  }
  const uint64_t few = prng.OneIn(8) ? 50 : 2;
  for (size_t at; (at = line.find_first_of("@$#~")) != std::string::npos;) {
    static constexpr std::string_view kAny[] = {"carried:", "lived:", "other:"};
    const std::string n = std::to_string(prng.Below(2));
    line.replace(at, 1,
                 line[at] == '@'   ? std::string(kAny[prng.Below(3)]) + n
                 : line[at] == '$' ? "summed:" + n
                 : line[at] == '#' ? std::to_string(prng.Below(few))
                                   : std::string(1500, 'v'));
  }
  return Encoded(line);
}

// All that is to be seen of the keys; fields in no order.
std::string Look(NodeFixture& node) {
  const uint64_t id = node.Connect();
  std::string seen;
  for (const char* key : {"carried:0", "carried:1", "lived:0", "lived:1", "other:0", "other:1",
                          "summed:0", "summed:1", "summed:0h", "summed:1h"}) {
    for (const char* ask : {"TYPE ", "GET ", "PTTL ", "HLEN ", "HGETALL "}) {
      std::string reply = node.Ask(id, Encoded(std::string(ask) + key));
      std::vector<std::string> lines(1);
      for (const char c : reply) c == '\n' ? lines.emplace_back() : lines.back() += c;
      std::sort(lines.begin(), lines.end());
      seen += fmt::format("{}{}:{}\n", ask, key, fmt::join(lines, " "));
    }
  }
  return seen;
}

// What a projection of the keyspace makes of the log, in batches of any size.
project::MemorySink::Medium Projected(NodeFixture& node, std::string_view name, bool adds,
                                      Prng& prng) {
  const route::Router& router = *node.node().router;
  const auto keyspaces = router.keyspaces();
  const auto keyspace = std::find_if(keyspaces.begin(), keyspaces.end(),
                                     [&](const auto& one) { return one.name == name; });
  project::ShardBook book;
  book.Learn(router.map());
  const project::Source source{
      node.log(),
      node.store(),
      *keyspace,
      [&book, id = keyspace->id] { return book.Of(id); },
      [&](model::Lineage lineage) { return node.committer().next_seq(lineage); },
      [&] { return node.committer().appended(); },
      [](std::string_view, std::string*) { return false; }};
  const auto medium = std::make_shared<project::MemorySink::Medium>();
  project::MemorySink sink(medium, {.fate = {}, .poison = {}, .adds = adds});
  EXPECT_TRUE(sink.Open(1).has_value());
  project::Tail tail(source);
  EXPECT_TRUE(tail.Begin({}).ok());
  for (bool more = true; more;) {
    const auto filled = tail.Fill(1 + prng.Below(5), 1 << 20);
    EXPECT_TRUE(filled.has_value()) << filled.error().message;
    if (!filled.has_value()) break;
    more = *filled || !tail.empty();
    const Status written = tail.empty() ? Ok() : sink.Write(tail.Take());
    EXPECT_TRUE(written.ok());
  }
  return *medium;
}

// What the log says and, if no key was cleared, that each delta comes with the value it makes.
struct Logged {
  uint64_t records = 0, tokens = 0;
  std::map<std::string, uint64_t> writes;  // by key
  std::map<std::string, int64_t> numbers;  // by key and field
};
Logged ReadLog(NodeFixture& node, bool cleared) {
  Logged logged;
  auto reader = node.log().Read(model::Lsn(1));
  std::vector<model::RecordPart> parts;
  std::vector<model::Field> fields;
  model::Effect effect;
  for (;;) {
    const auto group = (*reader)->Next();
    if (!group.has_value() || *group == nullptr) return logged;
    for (const log::BatchView& batch : (*group)->batches) {
      Reader records(batch.bytes);
      while (!records.done() && model::ReadRecord(records, &parts)) {
        ++logged.records;
        for (const model::RecordPart& part : parts) {
          Reader effects(part.effects);
          while (!effects.done() && model::ReadEffect(effects, &effect, &fields)) {
            using model::EffectKind;
            const bool token =
                effect.kind == EffectKind::kOnce || effect.kind == EffectKind::kProducer;
            logged.tokens += token ? 1 : 0;
            if (token) continue;
            const std::string key(effect.key);
            logged.writes[key] += effect.writes;
            const bool adds =
                effect.kind == EffectKind::kAddInt || effect.kind == EffectKind::kAddField;
            if (!adds || !key.starts_with("summed:")) continue;
            int64_t& number = logged.numbers[key + " " + std::string(effect.value)];
            if (!cleared) {
              EXPECT_EQ(number + effect.delta, effect.number) << key;
            }
            number = effect.number;
          }
        }
      }
    }
  }
}

struct Pair {
  explicit Pair(NodeOptions options)
      : folds((options.config = ConfigOf(true), options)),
        plain((options.config = ConfigOf(false), options)) {}

  void Connect() {
    id = folds.Connect();
    ASSERT_EQ(plain.Connect(), id);
  }
  template <class Fn>
  void Both(Fn&& fn) {
    fn(folds);
    fn(plain);
  }

  NodeFixture folds, plain;
  uint64_t id = 0;
};

void ExpectSameLogs(Pair& nodes, Prng& prng, bool patches, uint64_t* saved) {
  const Logged folds = ReadLog(nodes.folds, patches), plain = ReadLog(nodes.plain, patches);
  EXPECT_EQ(folds.writes, plain.writes);
  EXPECT_EQ(folds.tokens, plain.tokens);
  EXPECT_EQ(folds.numbers, plain.numbers);
  ASSERT_LE(folds.records, plain.records);
  *saved += plain.records - folds.records;
  if (patches) return;
  for (const char* name : {"carried", "lived", "summed"}) {
    EXPECT_EQ(Projected(nodes.folds, name, false, prng).rows,
              Projected(nodes.plain, name, false, prng).rows)
        << name;
  }
  EXPECT_EQ(Projected(nodes.folds, "summed", true, prng).rows,
            Projected(nodes.plain, "summed", false, prng).rows);
}

// Goal:   folding shows nowhere but in the number of records: the same replies, the same keys with
//         the same times to live, before and after a restart; the same rows in projections that are
//         told values and in those that are told deltas; each token remembered, each write counted.
// Method: random commands on few keys (counters, strings, hashes small and large, errors, tokens,
//         keys that expire, writes over several keys), cut into turns anywhere, against a node that
//         folds and one that does not. Broken on purpose: tools/mutations.toml, fold-*.
TEST(Folding, ShowsNowhereButInTheNumberOfRecords) {
  uint64_t saved = 0;
  const uint64_t seeds = std::getenv("SLUICE_LONG") != nullptr ? 3000 : 60;
  for (uint64_t seed = 0; seed < seeds && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Prng prng(seed);
    const bool patches = prng.OneIn(2);
    Pair nodes({.lanes = 1 + seed % 2, .cold = prng.OneIn(3)});
    nodes.Connect();
    for (int step = 0; step < 40; ++step) {
      std::string bytes;
      for (uint64_t n = prng.Below(40); n > 0; --n) bytes += RandomCommand(prng, patches);
      if (prng.OneIn(4)) {
        nodes.Both([&](NodeFixture& node) { node.Turn(0, nodes.id, bytes); });
      } else {
        ASSERT_EQ(nodes.folds.Ask(nodes.id, bytes), nodes.plain.Ask(nodes.id, bytes));
        if (prng.OneIn(4)) nodes.Both([](NodeFixture& node) { node.StoreBuffers(); });
      }
      const uint64_t pause_us = prng.OneIn(3) ? prng.Below(20'000) : 0;
      nodes.Both([&](NodeFixture& node) { node.clock().Advance(pause_us); });
      if (prng.OneIn(4)) nodes.Both([](NodeFixture& node) { node.Tick(); });
      if (prng.OneIn(12)) {
        nodes.Both([](NodeFixture& node) { node.Restart(); });
        nodes.Connect();
      }
    }
    nodes.Both([](NodeFixture& node) { node.Settle(), node.Sync(); });
    ExpectSameLogs(nodes, prng, patches, &saved);
    EXPECT_EQ(Look(nodes.folds), Look(nodes.plain));
    nodes.Both([](NodeFixture& node) { node.Restart(); });
    EXPECT_EQ(Look(nodes.folds), Look(nodes.plain)) << "after a restart";
  }
  EXPECT_GT(saved, seeds * 20);
}

}  // namespace
}  // namespace sluice::server
