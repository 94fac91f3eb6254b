// What one turn, one buffer and one full disk may cost a lane, over real sessions.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/prng.h"
#include "log/committer.h"
#include "server/node_fixture.h"

namespace sluice::server {
namespace {

using testing::StartsWith;

constexpr size_t kMiB = 1 << 20;

size_t Count(std::string_view text, std::string_view what) {
  size_t count = 0;
  for (size_t at = text.find(what); at != text.npos; at = text.find(what, at + what.size()))
    ++count;
  return count;
}

std::string Integers(size_t n, size_t value) {
  std::string replies;
  for (size_t i = 0; i < n; ++i) replies += fmt::format(":{}\r\n", value);
  return replies;
}

// Goal:   rows far larger than the commands that make them take no more memory than buffers may:
//         whatever the road, the commands wait for their turn, and each gets its reply.
// Method: SETRANGE far behind the end of many keys in one read: keys that were never there, and
//         keys that must be fetched first; on one lane, and on three, where most come from another.
//         After each turn, look at all buffers of each lane.
TEST(LaneBounds, RowsOutOfNothingWaitForTheirTurn) {
  for (const size_t lanes : {1, 3}) {
    for (const bool cold : {false, true}) {
      SCOPED_TRACE(testing::Message() << lanes << " lanes, cold " << cold);
      NodeOptions options{.lanes = lanes, .cold = cold};
      options.limits.buffer_bytes = kMiB;
      NodeFixture node(options);
      const uint64_t id = node.Connect();
      constexpr size_t kKeys = 60;
      std::string sets, ranges;
      for (size_t i = 0; i < kKeys; ++i) {
        sets += Request({"SET", fmt::format("k{}", i), "value"});
        ranges += Request({"SETRANGE", fmt::format("k{}", i), std::to_string(kMiB - 1), "x"});
      }
      if (cold) {
        node.Ask(id, sets);
        node.StoreBuffers();
      }
      size_t most = 0;
      std::string replies;
      node.Turn(0, id, ranges);
      most = node.lane().shards().state().bytes();
      for (int turn = 0; turn < 1000 && replies.size() < Integers(kKeys, kMiB).size(); ++turn) {
        node.RunJobs();
        for (size_t lane = 0; lane < lanes; ++lane) {
          node.Turn(lane);
          most = std::max(most, node.lane(lane).shards().state().bytes());
        }
        node.Sync();
        replies += node.Take(id);
      }
      EXPECT_EQ(replies, Integers(kKeys, kMiB));
      EXPECT_LE(most, (shard::kBuffersGrowth + 2) * kMiB) << "the bound, one row, and some slack";
      EXPECT_EQ(node.Ask(id, Request({"STRLEN", "k59"})), Integers(1, kMiB));
    }
  }
}

// Goal:   the node comes back with a log of few bytes that makes large rows.
// Method: as above, with a buffer that holds it all, then a restart with a small one; in how many
//         runs the rows reach the store.
TEST(LaneBounds, RowsOutOfNothingAreReplayedWithinTheBound) {
  NodeOptions options;
  std::string ranges;
  for (size_t i = 0; i < 40; ++i) {
    ranges += Request({"SETRANGE", fmt::format("k{}", i), std::to_string(kMiB - 1), "x"});
  }
  // All lies in the log, as one turn's records.
  options.limits.buffer_bytes = 1024 * kMiB;
  NodeFixture node(options);
  const uint64_t id = node.Connect();
  EXPECT_EQ(node.Ask(id, ranges), Integers(40, kMiB));
  node.limits().buffer_bytes = kMiB;
  node.Restart();
  EXPECT_GE(node.lane().shards().meters().runs.value(), 10u) << "two or three rows each";
  EXPECT_EQ(node.Ask(node.Connect(), Request({"STRLEN", "k7"})), Integers(1, kMiB));
}

// Goal:   however many writes over several keys end in one turn, a turn's records stay far below
//         what the log takes at once.
// Method: connections of one lane whose MSETs reach over two lanes and come back together.
TEST(LaneBounds, WritesOverSeveralKeysShareTurns) {
  NodeOptions options{.lanes = 2};
  options.log.queue_bytes_max = size_t{1} << 30;
  NodeFixture node(options);
  const std::string value(8 * kMiB, 'v');
  constexpr size_t kConnections = 12;
  std::vector<uint64_t> ids;
  for (size_t i = 0; i < kConnections; ++i) {
    ids.push_back(node.Connect());
    node.Turn(0, ids.back(),
              Request({"MSET", fmt::format("a{}", i), value, fmt::format("b{}", i), "",
                       fmt::format("c{}", i), "", fmt::format("d{}", i), ""}));
  }
  uint64_t before = node.committer().appended_bytes(), most = 0;
  for (int turn = 0; turn < 20; ++turn) {
    node.Turn(1);
    node.Turn(0);
    const uint64_t now = node.committer().appended_bytes();
    most = std::max(most, now - std::exchange(before, now));
  }
  node.Sync();
  for (const uint64_t id : ids) EXPECT_EQ(node.Take(id), "+OK\r\n");
  EXPECT_LT(most, shard::kTurnBytesMax + 9 * kMiB);
}

// A node whose lanes were told of the full disk.
void FillDisk(NodeFixture& node, uint64_t writer) {
  node.log().full = true;
  node.Turn(0, writer, Request({"SET", "first", std::string(kMiB, 'x')}));
  node.Turn(1);
  node.clock().Advance(1'000'000);
  node.committer().Pump();
  ASSERT_TRUE(node.committer().no_space());
}

// Goal:   while the log's disk is full, even with its queue full, sockets are read, reads are
//         answered, and each kind of write is refused before it runs; then writes go on.
// Method: every road of a write: this lane's key, another's, several keys, with a token, parked
//         behind a read from disk. With room again: nothing of what was refused is there.
TEST(LaneBounds, ReadsGoOnWhileTheLogsDiskIsFull) {
  for (const bool cold : {false, true}) {
    NodeOptions options{.lanes = 2, .cold = cold};
    options.log.queue_bytes_max = kMiB / 2;
    options.limits.cache_bytes = 0;  // what reached the store is on disk only
    NodeFixture node(options);
    const uint64_t id = node.Connect(), writer = node.Connect();
    std::string sets, gets, values;
    for (int i = 0; i < 8; ++i) {
      sets += Request({"SET", fmt::format("k{}", i), "1"});
      gets += Request({"GET", fmt::format("k{}", i)});
      values += "$1\r\n1\r\n";
    }
    node.Ask(id, sets + Request({"SLUICE", "ONCE", "known", "INCR", "counter"}));
    node.StoreBuffers();
    // These wait for their rows when the disk fills up.
    if (cold) {
      for (int i = 0; i < 8; ++i) node.Turn(0, id, Request({"INCR", fmt::format("k{}", i)}));
    }
    FillDisk(node, writer);
    EXPECT_TRUE(node.committer().full());
    node.Settle();
    EXPECT_FALSE(node.lane(0).Crowded());
    EXPECT_FALSE(node.lane(1).Crowded());
    EXPECT_EQ(Count(node.Take(id), "-NOSPACE"), cold ? 8u : 0u);
    std::string writes;
    for (int i = 0; i < 8; ++i) writes += Request({"INCR", fmt::format("k{}", i)});
    writes += Request({"MSET", "k1", "2", "k2", "2", "k3", "2"}) + Request({"DEL", "k4", "k5"}) +
              Request({"SLUICE", "ONCE", "new", "SET", "k6", "2"}) +
              Request({"SLUICE", "ONCE", "new", "MSET", "k6", "2", "k7", "2"}) +
              Request({"FLUSHALL"});
    node.Turn(0, id, writes);
    node.Settle();
    std::string replies = node.Take(id);
    EXPECT_EQ(Count(replies, "-NOSPACE"), 13u) << replies;
    EXPECT_EQ(Count(replies, "\r\n"), 13u) << replies;
    node.Turn(0, id, gets + Request({"SLUICE", "ONCE", "known", "INCR", "counter"}));
    node.Settle();
    EXPECT_EQ(node.Take(id), values + ":1\r\n") << "a retry of what was applied is told so";
    const model::Lsn appended = node.committer().appended();
    node.Tick();
    EXPECT_EQ(node.committer().appended(), appended) << "a sweep writes nothing either";

    node.log().full = false;
    node.clock().Advance(1'000'000);
    node.Sync();
    node.Turn(0);
    EXPECT_EQ(node.Take(writer), "+OK\r\n");
    EXPECT_EQ(node.Ask(id, gets), values);
    EXPECT_EQ(node.Ask(id, Request({"INCR", "k1"})), ":2\r\n");
  }
}

// Goal:   when the store takes no run and the buffers are full, writes are refused with the reason,
//         reads go on; and when it takes runs again, so do writes.
// Method: for a full disk and a failing one: write until a refusal, look, let go, write.
TEST(LaneBounds, ReadsGoOnWhileTheStoreTakesNothing) {
  for (const Code why : {Code::kNoSpace, Code::kIo}) {
    const std::string_view word =
        why == Code::kNoSpace ? "-NOSPACE"
                              : "-OVERLOADED reason=store class=normal retry_ms=1000 applied=no";
    NodeOptions options{.lanes = 2};
    options.limits.buffer_bytes = kMiB;
    NodeFixture node(options);
    const uint64_t id = node.Connect();
    node.RefuseRuns(why);
    const std::string value(kMiB / 8, 'v');
    std::string reply;
    int written = 0;
    for (; written < 1000; ++written) {
      reply = node.Ask(id, Request({"SET", fmt::format("k{}", written), value}));
      if (reply != "+OK\r\n") break;
    }
    EXPECT_THAT(reply, StartsWith(word));
    EXPECT_GT(written, 16);
    EXPECT_LT(written, 100);
    std::string refused, gets;
    for (int i = 0; i < 100; ++i) {
      refused += Request({"SET", fmt::format("k{}", written), value});
      gets += Request({"STRLEN", fmt::format("k{}", i % written)});
    }
    EXPECT_EQ(Count(node.Ask(id, refused), word), 100u);
    EXPECT_EQ(node.Ask(id, gets), Integers(100, value.size()));
    for (size_t lane : {0, 1}) {
      node.Turn(lane);
      EXPECT_FALSE(node.lane(lane).Crowded());
    }
    node.RefuseRuns({});
    node.Settle();
    EXPECT_EQ(node.Ask(id, refused), [] {
      std::string all;
      for (int i = 0; i < 100; ++i) all += "+OK\r\n";
      return all;
    }());
  }
}

constexpr const char* kKeyspaces =
    "[keyspace.a]\nkey = \"a:{id}\"\n[keyspace.b]\nkey = \"b:{id}\"\n[keyspace.c]\nkey = "
    "\"c:{id}\"\n";

// Goal:   keys that ended while they lay in the store only are gone soon, however many, from every
//         keyspace alike; no turn writes more than a sweep's step; and none while disks are full.
// Method: many keys in three keyspaces, in the store, behind a sweep that was refused; then one
//         second of ticks, counting each turn's records.
TEST(LaneBounds, ABacklogOfEndedKeysIsWorkedOff) {
  for (const bool cold : {false, true}) {
    NodeOptions options{.lanes = 2, .config = kKeyspaces, .cold = cold};
    NodeFixture node(options);
    const uint64_t id = node.Connect();
    constexpr int kKeys = 12'000;
    for (int i = 0; i < kKeys; i += 1000) {
      std::string sets;
      for (int k = i; k < i + 1000; ++k) {
        sets += Request({"SET", fmt::format("{}:{}", "abc"[k % 3], k), "v", "PX", "5000"});
      }
      node.Ask(id, sets);
    }
    node.Ask(id,
             Request({"SET", "a:stays", "v", "PX", "500000"}) + Request({"SET", "b:stays", "v"}));
    node.StoreBuffers();
    node.clock().Advance(6'000'000);
    const auto expired = [&] {
      uint64_t all = 0;
      for (size_t lane : {0, 1}) all += node.lane(lane).shards().meters().expired.value();
      return all;
    };
    node.ResetMostRecords();
    for (int tick = 0; tick < 11; ++tick) node.Tick();
    EXPECT_EQ(expired(), uint64_t{kKeys});
    EXPECT_LE(node.most_records(), 2 * ingest::kSweepMax);
    EXPECT_EQ(node.Ask(id, Request({"DBSIZE"})), ":2\r\n");
    node.StoreBuffers();
    EXPECT_EQ(node.StoredRows(), 3u) << "two rows, one of the index";
  }
}

// Goal:   WAIT and WAITAOF answer when what they wait for is durable, or when their time is over;
//         what stands before them leaves first, what comes behind them still comes.
// Method: a keyspace whose writes are answered from memory, a disk that is full, then has room; no
//         timeout, one that passes, one that does not.
TEST(LaneBounds, WaitingForTheDiskHasAnEnd) {
  NodeFixture node({.config = "[keyspace.default]\nack = \"memory\"\n"});
  const uint64_t id = node.Connect(), writer = node.Connect();
  node.log().full = true;
  const auto tick = [&](uint64_t us) {
    node.clock().Advance(us);
    node.connections().Tick();
    node.Turn(0);
  };
  node.Turn(0, id,
            Request({"SET", "k", "v"}) + Request({"WAITAOF", "1", "0", "100"}) + Request({"PING"}));
  EXPECT_EQ(node.Take(id), "+OK\r\n");
  tick(50'000);
  EXPECT_EQ(node.Take(id), "");
  tick(60'000);
  EXPECT_EQ(node.Take(id), "*2\r\n:0\r\n:0\r\n+PONG\r\n");
  node.Turn(0, id, Request({"WAIT", "1", "100"}));
  tick(110'000);
  EXPECT_EQ(node.Take(id), ":0\r\n");
  node.Turn(0, writer, Request({"SET", "k", "w"}) + Request({"WAITAOF", "1", "0", "0"}));
  node.Turn(0, id, Request({"GET", "k"}) + Request({"WAITAOF", "1", "0", "5000"}));
  EXPECT_EQ(node.Take(id), "$1\r\nw\r\n");
  tick(1'000'000);
  EXPECT_EQ(node.Take(id), "");
  node.log().full = false;
  node.clock().Advance(1'000'000);
  node.Sync();
  EXPECT_EQ(node.Take(id), "*2\r\n:1\r\n:0\r\n");
  EXPECT_EQ(node.Take(writer), "+OK\r\n*2\r\n:1\r\n:0\r\n");
  node.Turn(0, id, Request({"WAITAOF", "1", "0", "1"}));
  EXPECT_EQ(node.Take(id), "*2\r\n:1\r\n:0\r\n") << "nothing to wait for";
}

// Goal:   who waits for the disk with a timeout does not wait for a group that takes its time.
// Method: a write that nobody waits for, alone and before a WAITAOF; whether the log closes its
//         group at once.
TEST(LaneBounds, WaitingWithATimeoutIsWaiting) {
  for (const bool waits : {false, true}) {
    NodeFixture node({.config = "[keyspace.default]\nack = \"memory\"\n"});
    const uint64_t id = node.Connect();
    node.Turn(0, id,
              Request({"SET", "k", "v"}) +
                  (waits ? Request({"WAITAOF", "1", "0", "1000"}) : std::string()));
    node.committer().Pump();
    EXPECT_EQ(node.committer().durable() == node.committer().appended(), waits);
    EXPECT_EQ(node.Take(id), waits ? "+OK\r\n*2\r\n:1\r\n:0\r\n" : "+OK\r\n");
  }
}

// Goal:   replies of other lanes that are larger than expected do not pass the bound of what is
//         kept for a client that does not read; it is told of each that was dropped.
// Method: small replies, so that much is sent ahead; then as many as may be under way at once, of
//         100 KiB each, and a write among them; nothing is read until all are there.
TEST(LaneBounds, RepliesFromOtherLanesStayWithinTheBound) {
  NodeFixture node({.lanes = 2});
  const uint64_t id = node.Connect();
  std::string key;
  for (int i = 0; key.empty(); ++i) {
    const std::string tried = fmt::format("k{}", i);
    const uint64_t before = node.lane(1).shards().meters().commands.value();
    node.Ask(id, Request({"SET", tried, std::string(100 << 10, 'v')}));
    if (node.lane(1).shards().meters().commands.value() > before) key = tried;
  }
  std::string small, large;
  for (size_t i = 0; i < kInFlightMax; ++i) small += Request({"STRLEN", key});
  for (size_t i = 0; i + 1 < kInFlightMax; ++i) large += Request({"GET", key});
  node.Ask(id, small);
  node.Turn(0, id, large + Request({"APPEND", key, ""}));
  size_t most = 0;
  for (int turn = 0; turn < 2'000; ++turn) {
    node.Turn(1);
    node.Turn(0);
    most = std::max(most, node.connections().Find(id)->replies().bytes());
  }
  EXPECT_LE(most, kOutputBytesMax);
  EXPECT_GT(most, kOutputBytesMax / 2) << "the bound was not tried";
  const std::string replies = node.Rest(id);
  const size_t dropped = Count(replies, "-OVERLOADED reason=unread_replies");
  EXPECT_GT(dropped, 0u);
  EXPECT_EQ(Count(replies, "$102400\r\n") + dropped, kInFlightMax - 1);
  EXPECT_EQ(Count(replies, ":102400\r\n"), 1u);
  EXPECT_TRUE(node.Open(id));
}

}  // namespace
}  // namespace sluice::server
