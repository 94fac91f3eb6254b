// What a command costs in things that are the same on every machine: syncs, bytes of log,
// allocations, locks, packets between lanes. Each bound stands a little above what was measured
// when it was set, which the comment behind it says; lower it with the code.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/allocations_test.h"
#include "server/counted_locks_test.h"
#include "server/node_fixture.h"

namespace sluice::server {
namespace {

constexpr size_t kKeys = 512;  // all of them are known before anything is counted
constexpr size_t kFewCommands = 64, kManyCommands = 512;  // of one turn
constexpr int kTurns = 200;

const std::string& Value() {
  static const std::string value(100, 'v');
  return value;
}

struct Kind {
  const char* name;
  std::string (*request)(uint64_t i);
};

std::string Key(uint64_t i) {
  return fmt::format("key:{:012}", i % kKeys);
}

const Kind kSet = {"SET", [](uint64_t i) { return Request({"SET", Key(i), Value()}); }};
const Kind kIncr = {"INCR", [](uint64_t i) { return Request({"INCR", "n" + Key(i)}); }};
const Kind kHset = {"HSET", [](uint64_t i) {
                      return Request({"HSET", "h" + Key(i), "field", Value()});
                    }};
const Kind kHotIncr = {"INCR of one key", [](uint64_t) { return Request({"INCR", "hot"}); }};
const Kind kHotHset = {"HSET of one key", [](uint64_t i) {
                         return Request({"HSET", "hots", "f" + std::to_string(i % 20), Value()});
                       }};
const Kind kGet = {"GET", [](uint64_t i) { return Request({"GET", Key(i)}); }};

// Commands over all the keys, of a different value where they have one.
std::string Requests(const Kind& kind, uint64_t first, size_t count) {
  std::string bytes;
  for (size_t i = 0; i < count; ++i) bytes += kind.request(first + i);
  return bytes;
}

struct Counts {
  uint64_t allocations = 0, locks = 0, groups = 0, log_bytes = 0;

  Counts operator-(const Counts& other) const {
    return {allocations - other.allocations, locks - other.locks, groups - other.groups,
            log_bytes - other.log_bytes};
  }
};

Counts Now(NodeFixture& node) {
  const log::LogMeters& log = node.committer().meters();
  return {Allocations(), LocksTaken(), log.groups.value(), log.bytes.value()};
}

// What `turns` turns of `count` commands each take, from the bytes that come to the replies that
// leave, with a sync after each turn.
Counts Measure(NodeFixture& node, uint64_t connection, const Kind& kind, size_t count, int turns) {
  const std::string bytes = Requests(kind, 0, count);
  const Counts before = Now(node);
  for (int turn = 0; turn < turns; ++turn) {
    node.Turn(0, connection, bytes);
    node.Sync();
    node.Turn(0);
    EXPECT_FALSE(node.Take(connection).empty());
  }
  return Now(node) - before;
}

// Per command, and per turn whatever its commands: from turns with few and with many commands.
struct Cost {
  double command = 0, turn = 0;
};
Cost Split(uint64_t few, uint64_t many) {
  const double command = (static_cast<double>(many) - static_cast<double>(few)) /
                         (kManyCommands - kFewCommands) / kTurns;
  return {command, static_cast<double>(few) / kTurns - command * kFewCommands};
}

struct Measured {
  Cost allocations, locks;
  double log_bytes = 0;  // per command
};

Measured MeasureWarm(const Kind& kind) {
  NodeFixture node;
  const uint64_t connection = node.Connect();
  node.Ask(connection, Requests(kSet, 0, kKeys));
  Measure(node, connection, kind, kManyCommands, 20);
  const Counts few = Measure(node, connection, kind, kFewCommands, kTurns);
  const Counts many = Measure(node, connection, kind, kManyCommands, kTurns);
  return {Split(few.allocations, many.allocations), Split(few.locks, many.locks),
          static_cast<double>(many.log_bytes) / (kManyCommands * kTurns)};
}

// Goal:   a command on a known key allocates nothing and takes no lock on the whole road from its
//         bytes to its reply; a turn allocates and locks a few times, however many commands it has.
// Method: turns of 64 and of 512 commands, counted by replaced operators; the slope is the
//         command's part. The fixture's own log, in memory, counts as part of the turn.
TEST(Counts, CommandsNeitherAllocateNorLock) {
  for (const Kind& kind : {kSet, kIncr, kHset, kHotIncr, kHotHset, kGet}) {
    const Measured measured = MeasureWarm(kind);
    EXPECT_LE(measured.allocations.command, 0.01) << kind.name;  // GET 0.007, the others 0.000
    EXPECT_LE(measured.allocations.turn, 12) << kind.name;       // 10.1, GET 8.6
#if SLUICE_COUNTS_LOCKS
    EXPECT_LE(measured.locks.command, 0.001) << kind.name;  // 0
    EXPECT_LE(measured.locks.turn, 5) << kind.name;         // 5, log's thread included; GET 0
#endif
  }
}

// Goal:   new keys cost few allocations: rows lie in chunks, and tables grow by doubling.
// Method: 100,000 SETs of keys that were never seen, in turns of 500.
TEST(Counts, NewKeysAllocateSeldom) {
  constexpr uint64_t kNew = 100'000, kEach = 500;
  NodeFixture node;
  const uint64_t connection = node.Connect();
  uint64_t allocations = 0;
  for (uint64_t i = 0; i < kNew; i += kEach) {
    std::string bytes;
    for (uint64_t k = i; k < i + kEach; ++k) {
      bytes += Request({"SET", fmt::format("new:{:012}", k), Value()});
    }
    const uint64_t before = Allocations();
    node.Turn(0, connection, bytes);
    node.Sync();
    node.Turn(0);
    node.Take(connection);
    allocations += Allocations() - before;
  }
  EXPECT_LE(static_cast<double>(allocations) / kNew, 0.05);
}

// Goal:   short commands share a look at the clock.
// Method: a clock that moves with each look; turns of 64 and of 512 commands.
TEST(Counts, LooksAtTheClock) {
  for (const Kind& kind : {kSet, kIncr, kHset, kHotIncr, kGet}) {
    NodeFixture node;
    const uint64_t connection = node.Connect();
    node.clock().TickEachLook(1);
    const auto looks = [&](size_t count) {
      const uint64_t before = node.clock().MonotonicUs();
      node.Turn(0, connection, Requests(kind, 0, count));
      return node.clock().MonotonicUs() - before;
    };
    looks(kManyCommands);
    const uint64_t few = looks(kFewCommands), many = looks(kManyCommands);
    EXPECT_EQ(many - few, (kManyCommands - kFewCommands) / ingest::kAheadMax) << kind.name;
  }
}

// Goal:   bytes of log per write.
// Method: keys of 16 bytes (17 for INCR and HSET), values of 100, one field of 5.
TEST(Counts, LogBytesOfAWrite) {
  EXPECT_LE(MeasureWarm(kSet).log_bytes, 126);   // 125.0
  EXPECT_LE(MeasureWarm(kIncr).log_bytes, 29);   // 27.8
  EXPECT_LE(MeasureWarm(kHset).log_bytes, 145);  // 144.0
}

// Goal:   writes of one turn to one key are one record; writes to keys of their own are one each.
// Method: turns of 512 commands on one key, on two by turns, and on 512.
TEST(Counts, RecordsOfFoldedWrites) {
  const Kind two = {"INCR of two keys", [](uint64_t i) {
                      return Request({"INCR", i % 2 == 0 ? "even" : "odd"});
                    }};
  for (const auto& [kind, records] :
       {std::pair{kHotIncr, 1}, std::pair{kHotHset, 1}, std::pair{two, 2}, std::pair{kSet, 512}}) {
    NodeFixture node;
    const uint64_t connection = node.Connect();
    const uint64_t before = node.committer().appended().value;
    Measure(node, connection, kind, kManyCommands, 10);
    EXPECT_EQ(node.committer().appended().value - before, 10u * records) << kind.name;
  }
}

// Goal:   one sync pays for all that came while the one before it ran.
// Method: 1,000 writes in turns of several sizes, of which several come between two syncs.
TEST(Counts, SyncsOfAThousandWrites) {
  for (const auto& [writes, turns] : {std::pair{1, 1}, std::pair{50, 1}, std::pair{50, 4}}) {
    NodeFixture node;
    const uint64_t connection = node.Connect();
    uint64_t sent = 0;
    const uint64_t before = node.committer().meters().groups.value();
    while (sent < 1000) {
      for (int turn = 0; turn < turns; ++turn, sent += writes) {
        node.Turn(0, connection, Requests(kSet, sent, writes));
      }
      node.Sync();
      node.Take(connection);
    }
    const uint64_t groups = node.committer().meters().groups.value() - before;
    EXPECT_EQ(groups, 1000u / (writes * turns)) << writes << " a turn, " << turns << " turns";
  }
}

uint64_t Packets(NodeFixture& node) {
  return node.lane(0).meters().packets.value() + node.lane(1).meters().packets.value();
}

// Goal:   lanes meet once a turn: a pipeline costs one packet there and one back, whatever it has.
// Method: pipelines of several lengths on two lanes, whose keys both lanes own.
TEST(Counts, PacketsOfAPipeline) {
  for (const size_t commands : {16, 64, 512}) {
    NodeFixture node({.lanes = 2});
    const uint64_t connection = node.Connect();
    const std::string bytes = Requests(kSet, 0, commands);
    node.Ask(connection, bytes);
    const uint64_t before = Packets(node);
    for (int turn = 0; turn < kTurns; ++turn) {
      node.Turn(0, connection, bytes);
      node.Turn(1);
      node.Sync();
      node.Turn(0);
      EXPECT_FALSE(node.Take(connection).empty());
    }
    EXPECT_EQ(Packets(node) - before, 2u * kTurns) << commands;
  }
}

}  // namespace
}  // namespace sluice::server
