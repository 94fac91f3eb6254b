// Shards that change hands, seen by clients.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string>

#include "base/prng.h"
#include "resp/decoder.h"
#include "server/node_fixture.h"

namespace sluice::server {
namespace {

constexpr const char* kConfig = "[keyspace.likes]\nkey = \"likes:{post}\"\nshards = 2\n";

// A node whose shards can be changed between two commands.
class Changing {
 public:
  Changing() : node_({.lanes = 2, .config = kConfig}), connection_(node_.Connect()) {}

  static std::string Bytes(const std::vector<std::string>& words) {
    std::string bytes = fmt::format("*{}\r\n", words.size());
    for (const std::string& word : words) {
      bytes += fmt::format("${}\r\n{}\r\n", word.size(), word);
    }
    return bytes;
  }
  std::string Ask(const std::vector<std::string>& words) {
    return node_.Ask(connection_, Bytes(words));
  }
  const model::ShardMap& map() { return node_.node().router->map(); }
  // Orders a job and does it; false: it was refused, or failed.
  bool Do(const rebalance::JobOrder& order) {
    if (!node_.map_jobs().Start(order).has_value()) return false;
    for (int i = 0; i < 1000 && node_.map_jobs().under_way() > 0; ++i) {
      if (before_step_) before_step_();
      node_.map_jobs().Step();
      node_.Settle();
      node_.Sync();
      node_.RunJobs();
    }
    return Latest().state == rebalance::JobState::kDone;
  }
  rebalance::JobReport Latest() { return node_.map_jobs().List().front(); }
  void BeforeEachStep(std::function<void()> then) { before_step_ = std::move(then); }
  bool Split(size_t shard, std::string token) {
    rebalance::JobOrder order;
    order.kind = rebalance::JobKind::kSplit;
    order.shard = map().shards()[shard].id;
    order.at_token = std::move(token);
    return Do(order);
  }
  bool Merge(size_t shard) {
    rebalance::JobOrder order;
    order.kind = rebalance::JobKind::kMerge;
    order.shard = map().shards()[shard].id;
    order.with = map().shards()[shard + 1].id;
    return Do(order);
  }
  bool Move(size_t shard, uint16_t lane) { return Do(MoveOrder(shard, lane)); }
  bool StartMove(size_t shard, uint16_t lane) {
    return node_.map_jobs().Start(MoveOrder(shard, lane)).has_value();
  }
  // Until the job's next step is of that phase.
  void StepTo(rebalance::JobPhase phase) {
    for (int i = 0; i < 1000 && Latest().phase != phase; ++i) {
      node_.map_jobs().Step();
      node_.Settle();
      node_.Sync();
    }
  }
  // The token of a post.
  std::string TokenOf(const std::string& key) {
    std::string token;
    SLUICE_CHECK(node_.node().router->Place(key, &token).has_value());
    return token;
  }
  size_t ShardOf(const std::string& key) {
    std::string token;
    const auto placed = node_.node().router->Place(key, &token).value();
    return map().Find(placed.keyspace->id, token);
  }
  NodeFixture& node() { return node_; }
  void Reconnect() { connection_ = node_.Connect(); }

 private:
  rebalance::JobOrder MoveOrder(size_t shard, uint16_t lane) {
    rebalance::JobOrder order;
    order.kind = rebalance::JobKind::kMove;
    order.shard = map().shards()[shard].id;
    order.to = model::LaneId(lane);
    return order;
  }

  NodeFixture node_;
  uint64_t connection_;
  std::function<void()> before_step_;
};

// Does one of the changes that there are, at random.
void ChangeSomething(Changing& node, Prng& prng, size_t* done) {
  const size_t shards = node.map().shards().size();
  const size_t i = prng.Below(shards);
  bool changed = false;
  switch (prng.Below(3)) {
    case 0:
      changed =
          shards < 30 && node.Split(i, node.TokenOf(fmt::format("likes:{}", prng.Below(200))));
      break;
    case 1:
      changed = i + 1 < shards && node.Merge(i);
      break;
    default:
      changed = node.Move(i, static_cast<uint16_t>(prng.Below(2)));
  }
  *done += changed ? 1 : 0;
}

// Goal:   a producer's number that was used is known whatever was split, merged or moved since, and
//         one that was not is new; the same for a token; also after a crash.
// Method: numbered and tokened increments of random keys with changes between them; each is sent
//         again later, and answered as at first.
TEST(OnceOverShards, NumbersAndTokensAreKnownWhereverTheirKeysGo) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    Prng prng(seed);
    Changing node;
    std::map<std::vector<std::string>, std::string> first;
    std::map<std::string, uint64_t> counts;
    size_t changes = 0;
    for (uint64_t n = 1; n <= 300; ++n) {
      if (prng.OneIn(4)) ChangeSomething(node, prng, &changes);
      if (n % 100 == 0) {
        node.node().Sync();
        node.node().Restart();
        node.Reconnect();
      }
      const std::string key = fmt::format("likes:{}", prng.Below(200));
      std::vector<std::string> words = {"SLUICE", "ONCE"};
      if (prng.OneIn(2)) {
        words.insert(words.end(), {"@loader", std::to_string(n)});
      } else {
        words.push_back(fmt::format("token-{}", n));
      }
      words.insert(words.end(), {"INCRBY", key, "1"});
      const std::string reply = node.Ask(words);
      ASSERT_EQ(reply, fmt::format(":{}\r\n", ++counts[key])) << seed << " " << n;
      first[words] = reply;
      const auto again = std::next(first.begin(), static_cast<ptrdiff_t>(prng.Below(first.size())));
      ASSERT_EQ(node.Ask(again->first), again->second)
          << again->first[2] << " seed " << seed << " at " << n;
    }
    EXPECT_GT(changes, 20u);
    for (const auto& [key, count] : counts) {
      EXPECT_EQ(node.Ask({"GET", key}),
                fmt::format("${}\r\n{}\r\n", std::to_string(count).size(), count));
    }
  }
}

// Goal:   a SCAN that goes on while shards change shows every key that was there all the time.
// Method: keys, then a walk with a change between any two calls.
TEST(ScanOverShards, ShowsWhatWasThereAllTheTime) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    Prng prng(seed);
    Changing node;
    for (int i = 0; i < 500; ++i) node.Ask({"SET", fmt::format("likes:{}", i), "x"});
    std::string cursor = "0";
    std::map<std::string, int> seen;
    size_t changes = 0;
    do {
      const std::string reply = node.Ask({"SCAN", cursor, "COUNT", "40"});
      size_t used = 0;
      resp::Value value;
      ASSERT_EQ(resp::Decoder().Next(reply, &used, &value), resp::Decoder::Got::kReply);
      cursor = value.items[0].text;
      for (const resp::Value& key : value.items[1].items) ++seen[key.text];
      ChangeSomething(node, prng, &changes);
    } while (cursor != "0");
    EXPECT_EQ(seen.size(), 500u) << seed;
    EXPECT_GT(changes, 3u);
  }
}

// Goal:   what a shard brings to its new lane is shown there at once, and no reply that shows it
//         leaves before its record is durable.
// Method: a write of each kind of row right before the cutover, read on the new lane while the
//         log stands still; keys and connections of either lane.
TEST(LentRows, AreShownOnceTheirRecordsAreDurable) {
  struct Case {
    std::vector<std::string> before, write, read;
    std::string shown;
  };
  const std::string many(3'000, 'm');  // more than a small hash holds
  const std::vector<Case> cases = {
      {{}, {"SET", "K", "new"}, {"GET", "K"}, "$3\r\nnew\r\n"},
      {{"SET", "K", "old"}, {"SET", "K", "new"}, {"MGET", "K"}, "*1\r\n$3\r\nnew\r\n"},
      {{"SET", "K", "old"}, {"DEL", "K"}, {"GET", "K"}, "$-1\r\n"},
      {{}, {"HSET", "K", "f", "new"}, {"HGET", "K", "f"}, "$3\r\nnew\r\n"},
      {{"HSET", "K", "g", many}, {"HSET", "K", "f", "new"}, {"HGET", "K", "f"}, "$3\r\nnew\r\n"},
      {{"HSET", "K", "g", many}, {"HDEL", "K", "g"}, {"HLEN", "K"}, ":0\r\n"},
      {{"HSET", "K", "g", many}, {"HSET", "K", "g", "2"}, {"HVALS", "K"}, "*1\r\n$1\r\n2\r\n"}};
  for (size_t n = 0; n < 4 * cases.size(); ++n) {
    const Case& each = cases[n / 4];
    const size_t lane = n % 2;  // of the reader
    const std::string key = fmt::format("likes:{}", n);
    const auto words = [&key](std::vector<std::string> from) {
      std::replace(from.begin(), from.end(), std::string("K"), key);
      return Changing::Bytes(from);
    };
    Changing node;
    NodeFixture& fixture = node.node();
    const uint64_t writer = fixture.Connect(0), reader = fixture.Connect(lane);
    if (!each.before.empty()) fixture.Ask(writer, words(each.before));
    const auto turns = [&fixture] {
      for (int i = 0; i < 4; ++i) fixture.Turn(0), fixture.Turn(1);
    };
    const size_t at = node.ShardOf(key);
    ASSERT_TRUE(node.StartMove(at, 1 - node.map().shards()[at].lane.value));
    node.StepTo(rebalance::JobPhase::kCommit);
    fixture.Turn(0, writer, words(each.write));
    turns();
    for (int i = 0; i < 10 && node.Latest().phase != rebalance::JobPhase::kSettle; ++i) {
      fixture.map_jobs().Step();
    }
    ASSERT_EQ(node.Latest().phase, rebalance::JobPhase::kSettle);
    fixture.Turn(lane, reader, words(each.read));
    turns();
    EXPECT_EQ(fixture.Take(reader, lane), "") << n << ": before its record is durable";
    EXPECT_EQ(fixture.Rest(reader, lane), each.shown) << n;
  }
}

// Goal:   a job says what was compared at its end, and one whose map is not what the topology holds
//         by then has failed, and says so.
// Method: a job of each kind; then one whose topology is replaced behind its commit.
TEST(ReshapeVerified, ByWhatTheTopologyHoldsAndTheLanesHave) {
  Changing node;
  const auto verification = [&node](bool done, auto change) {
    EXPECT_EQ(change(), done);
    return node.Latest().verification;
  };
  const size_t at = node.ShardOf("likes:7");
  const auto split = [&] { return node.Split(at, node.TokenOf("likes:7")); };
  const auto move = [&] { return node.Move(at, node.map().shards()[at].lane.value == 0 ? 1 : 0); };
  const auto merge = [&] { return node.Merge(at); };
  using ::testing::HasSubstr;
  EXPECT_THAT(verification(true, split), HasSubstr("2 lanes have the same"));
  EXPECT_THAT(verification(true, move), HasSubstr("2 lanes have the same"));
  EXPECT_THAT(verification(true, merge), HasSubstr("2 lanes have the same"));

  route::Topology& topology = node.node().topology();
  node.BeforeEachStep([&] {
    if (node.Latest().phase != rebalance::JobPhase::kCutover) return;
    const route::TopologyContent held = topology.Load().value();
    ASSERT_TRUE(topology.CompareAndSwap(held.version, held).ok());
  });
  EXPECT_THAT(verification(false, split), HasSubstr("failed: the topology holds version"));
  EXPECT_THAT(node.Latest().error, HasSubstr("it has happened"));
}

}  // namespace
}  // namespace sluice::server
