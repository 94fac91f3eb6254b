// The threads of a node against each other: lanes, the log's, the store's and the readers', with
// clients over real sockets. The store lies in memory: ThreadSanitizer cannot see into RocksDB.
#include "app/threads.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "auth/users.h"
#include "base/check.h"
#include "base/prng.h"
#include "config/config.h"
#include "env/linux/entropy.h"
#include "env/linux/file_system.h"
#include "ingest/recovery.h"
#include "resp/decoder.h"
#include "route/catalogue.h"
#include "route/map_change.h"
#include "server/caller_test.h"
#include "server/lane_server.h"
#include "server/node_fixture.h"
#include "store/memory_store.h"

namespace sluice::app {
namespace {

constexpr size_t kLanes = 3;
constexpr std::string_view kKeyspaces =
    "[keyspace.likes]\nkey = \"likes:{post_id}\"\nack = \"memory\"\n"
    "[keyspace.orders]\nkey = \"order:{day}:{id}\"\nshard = \"range(day)\"\n";

// Settings that take nothing.
class FixedSettings final : public server::Settings {
 public:
  explicit FixedSettings(const config::Config& config) : config_(config) {}
  config::Config Now() override { return config_; }
  Status Set(std::span<const config::NewValue>) override { return Fail(Code::kConflict, "fixed"); }

 private:
  const config::Config& config_;
};

// One life of a node over a directory and a medium, wired as app/serve.cc does. Everything is
// small, so that runs, cold reads, new segments and trims come all the time.
class ThreadedNode {
 public:
  ThreadedNode(const std::string& dir, std::shared_ptr<store::MemoryStore::Medium> medium)
      : config_(config::Load(kKeyspaces, "test.toml", {}).value()) {
    OpenTopology();
    OpenStoreAndLog(dir, std::move(medium));
    MakeLanes();
    Recover();
    Serve();
  }
  ~ThreadedNode() {
    front_.Stop();
    for (std::thread& lane : lane_threads_) lane.join();
    threads_->Stop();
  }

  const std::string& address() const { return address_; }
  std::string MetersText() const { return registry_.PrometheusText(); }
  uint64_t trimmed() const { return log_->first().value; }
  uint64_t runs() const { return runs_; }  // that reached the store
  // As a projection does whose sink has what is before `lsn`.
  void HoldLogFrom(uint64_t lsn) { held_ = lsn; }
  // Until the log's thread sleeps: it has nothing left to write, its last witness neither.
  void AwaitSilence() {
    std::unique_lock lock(mutex_);
    uint64_t seen;
    do {
      seen = looks_;
    } while (looked_.wait_for(lock, std::chrono::microseconds(10 * log::kWitnessDelayUs),
                              [&] { return looks_ != seen; }));
  }
  bool AwaitTrim() {
    std::unique_lock lock(mutex_);
    return looked_.wait_for(lock, std::chrono::seconds(20), [this] { return trimmed() > 1; });
  }

  // What a SIGHUP may change.
  void ChangeAll(uint64_t round) {
    std::vector<model::Policy> policies(router_->keyspaces().size());
    for (model::Policy& policy : policies) policy.ttl_ms = 1'000'000 + round;
    policies_->Change(policies);
    committer_->LimitGroups((64 << 10) + round, round % 200, round % 3 * 500);
    users_.Replace(config_.users);
    for (const auto& lane : lanes_) {
      fabric_->Post(lane->id(), [round](ingest::Lane& there) {
        there.shards().RememberOnceFor(600'000 + round);
      });
    }
  }

 private:
  env::Env env() { return {clock_, files_, entropy_}; }
  void OpenTopology() {
    // The same identities in each life, as a topology file would keep.
    auto change = route::Reconcile({}, config_.keyspaces, "node", [this] { return ++drawn_; });
    policies_ = std::make_shared<route::Policies>(change->policies);
    const route::TopologyContent placed = route::PlaceOnLanes(change->content, kLanes);
    router_ = std::make_shared<const route::Router>(placed.catalogue, policies_, placed.map);
  }
  void OpenStoreAndLog(const std::string& dir, std::shared_ptr<store::MemoryStore::Medium> medium) {
    store::MemoryStore::Options options;
    options.cold = [](std::string_view key) { return key.back() % 2 == 0; };
    options.fate = [this](const store::Run&) {
      ++runs_;
      return store::MemoryStore::Fate::kApplied;
    };
    store_ = store::MemoryStore::Open(std::move(medium), options).value();
    log::FileLogOptions log_options;
    log_options.segment_bytes = log::kSegmentBytesLeast;
    log_ = std::move(
        log::FileLog::Open(env(), dir, log_options, ingest::Recovery::Witness(*store_).value())
            .value()
            .log);
  }
  void MakeLanes() {
    fabric_ = std::make_unique<ingest::Fabric>(kLanes, [this](model::LaneId lane) {
      if (lane.value < front_.servers.size()) front_.servers[lane.value]->Wake();
    });
    threads_ = std::make_unique<Threads>(*store_, *fabric_);
    shard::Limits limits;
    limits.buffer_bytes = 32 << 10;
    limits.cache_bytes = 16 << 10;
    limits.log_bytes = 128 << 10;
    node_ = std::make_unique<ingest::Node>(*store_, *fabric_, *threads_, router_, limits);
    for (size_t i = 0; i < kLanes; ++i) {
      lanes_.push_back(
          std::make_unique<ingest::Lane>(model::LaneId(static_cast<uint16_t>(i)), *node_, i));
      node_->lanes.push_back(lanes_.back().get());
    }
  }
  void Recover() {
    ingest::Recovery recovery(*node_, *log_);
    SLUICE_CHECK(recovery.Begin().ok());
    while (!recovery.Step().value()) continue;
    SLUICE_CHECK(recovery.Finish().ok());
    SLUICE_CHECK(log_->Seal(log_->term().Next()).ok());
    committer_ =
        std::make_unique<log::Committer>(*log_, clock_, log::CommitterLimits{}, recovery.NextSeq());
    node_->committer = committer_.get();
  }
  void Serve() {
    context_ = std::make_unique<server::Context>(*node_, clock_, users_);
    context_->settings = &settings_;
    auto listener = env::Listener::Open("127.0.0.1:0", 128).value();
    address_ = listener->address();
    for (const auto& lane : lanes_) {
      servers_.push_back(
          server::LaneServer::Open(*context_, front_, *lane, std::move(listener)).value());
      context_->connections.push_back(&servers_.back()->connections());
      registry_.Add(lane->meters(), {{"lane", std::to_string(lane->id().value)}});
    }
    for (const auto& server : servers_) front_.servers.push_back(server.get());
    registry_.Add(committer_->meters());
    threads_->AddMeters(registry_);
    const auto trim = [this] {
      {
        const std::lock_guard lock(mutex_);
        ++looks_;
      }
      looked_.notify_all();
      model::Lsn stored(held_.load());
      for (const auto& lane : lanes_) stored = std::min(stored, lane->stored_lsn());
      return stored;
    };
    threads_->StartLog(*log_, *committer_, trim, [this] {
      for (const auto& server : servers_) server->Wake();
    });
    for (const auto& server : servers_) lane_threads_.emplace_back([&server] { server->Run(); });
  }

  env::LinuxClock clock_;
  env::LinuxEntropy entropy_;
  env::LinuxFileSystem files_;
  const config::Config config_;
  FixedSettings settings_{config_};
  auth::LiveUsers users_{config_.users};
  uint64_t drawn_ = 0;
  std::shared_ptr<route::Policies> policies_;
  std::shared_ptr<const route::Router> router_;
  std::atomic<uint64_t> runs_{0};
  std::atomic<uint64_t> held_{UINT64_MAX};
  std::mutex mutex_;
  std::condition_variable looked_;
  uint64_t looks_ = 0;  // of the log's thread at how far it may trim
  std::unique_ptr<store::MemoryStore> store_;
  std::unique_ptr<log::FileLog> log_;
  server::Front front_;
  std::unique_ptr<ingest::Fabric> fabric_;
  std::unique_ptr<Threads> threads_;
  std::unique_ptr<ingest::Node> node_;
  std::vector<std::unique_ptr<ingest::Lane>> lanes_;
  std::unique_ptr<log::Committer> committer_;
  std::unique_ptr<server::Context> context_;
  std::vector<std::unique_ptr<server::LaneServer>> servers_;
  std::vector<std::thread> lane_threads_;
  meter::Registry registry_;
  std::string address_;
};

// A client that knows the answers: keys of its own on all lanes, and a counter that all share.
void CallAndCheck(const std::string& address, size_t client, size_t rounds) {
  server::Caller caller(address);
  Prng prng(client);
  std::map<std::string, std::string> known;
  std::string pipeline, expected;
  const auto ask = [&](std::initializer_list<std::string_view> args, const std::string& reply) {
    pipeline += server::Request(args);
    expected += reply;
  };
  const auto bulk = [](const std::string& text) {
    return fmt::format("${}\r\n{}\r\n", text.size(), text);
  };
  for (size_t round = 0; round < rounds; ++round) {
    pipeline.clear();
    expected.clear();
    for (int i = 0; i < 20; ++i) {
      constexpr const char* kPrefixes[] = {"c", "likes:c", "order:7:c"};
      const std::string key =
          fmt::format("{}{}x{}", kPrefixes[prng.Below(3)], client, prng.Below(200));
      const std::string other = fmt::format("m{}x{}", client, prng.Below(200));
      const std::string value(1 + prng.Below(300), static_cast<char>('a' + round % 26));
      ask({"SET", key, value}, "+OK\r\n");
      known[key] = value;
      ask({"MSET", other, value, key, value}, "+OK\r\n");
      known[other] = value;
      const auto looked_at = std::next(known.begin(), prng.Below(known.size()));
      ask({"GET", looked_at->first}, bulk(looked_at->second));
      ask({"MGET", looked_at->first, key}, "*2\r\n" + bulk(looked_at->second) + bulk(known[key]));
      ask({"SLUICE", "ONCE", fmt::format("{}-{}-{}", client, round, i), "APPEND", key, "!"},
          fmt::format(":{}\r\n", value.size() + 1));
      known[key] += '!';
    }
    const std::string got = caller.Ask(pipeline, expected.size());
    ASSERT_TRUE(got == expected) << "client " << client << " round " << round;
    caller.Send(server::Request({"INCR", "shared"}));
    ASSERT_EQ(caller.Receive(1), ":");
    while (caller.Receive(1) != "\n") continue;
  }
}

// A client that looks at everything; what it is told is another test's.
void CallAll(const std::string& address, const std::atomic<bool>& stop) {
  server::Caller caller(address);
  resp::Decoder decoder;
  while (!stop) {
    for (const auto& request :
         {server::Request({"SCAN", "0", "COUNT", "100"}), server::Request({"KEYS", "c1x1*"}),
          server::Request({"DBSIZE"}), server::Request({"RANDOMKEY"}),
          server::Request({"INFO", "everything"}), server::Request({"CLIENT", "LIST"}),
          server::Request({"SLUICE", "SHARDS"}), server::Request({"CONFIG", "GET", "*"}),
          server::Request({"CONFIG", "SET", "slowlog-max-len", "7"}),
          server::Request({"SLUICE", "RANGE", "orders", "FROM", "-", "TO", "+"}),
          server::Request({"SET", "brief", "v", "PX", "1"}), server::Request({"GET", "brief"}),
          server::Request({"CONFIG", "RESETSTAT"}), server::Request({"SLOWLOG", "GET"})}) {
      caller.Send(request);
      resp::Value reply;
      size_t consumed = 0;
      std::string pending;
      do {
        const std::string byte = caller.Receive(1);
        ASSERT_FALSE(byte.empty()) << request;
        pending = pending.substr(consumed) + byte;
      } while (decoder.Next(pending, &consumed, &reply) != resp::Decoder::Got::kReply);
      ASSERT_FALSE(reply.is_error()) << request << reply.text;
    }
  }
}

// Goal:   with all threads at work every client gets its own replies, nothing that was answered is
//         missing after a restart, and ThreadSanitizer has nothing to say.
// Method: clients with pipelines over all lanes that know each answer; one that looks at all there
//         is; settings that change; meters that are read. Small buffers and segments, half of the
//         store cold. Then a second life over the same files.
TEST(Threads, WorkTogether) {
  constexpr size_t kClients = 4, kRounds = 40;
  std::string dir = (std::filesystem::temp_directory_path() / "sluice_app_XXXXXX").string();
  ASSERT_NE(::mkdtemp(dir.data()), nullptr);
  const auto medium = std::make_shared<store::MemoryStore::Medium>();
  {
    ThreadedNode node(dir, medium);
    std::atomic<bool> stop{false};
    std::vector<std::thread> clients;
    for (size_t i = 0; i < kClients; ++i) {
      clients.emplace_back([&node, i] { CallAndCheck(node.address(), i, kRounds); });
    }
    std::thread looks([&] { CallAll(node.address(), stop); });
    std::thread changes([&] {
      for (uint64_t round = 0; !stop; ++round) {
        node.ChangeAll(round);
        EXPECT_THAT(node.MetersText(), testing::HasSubstr("sluice_log_"));
      }
    });
    for (std::thread& client : clients) client.join();
    stop = true;
    looks.join();
    changes.join();
    EXPECT_GT(node.runs(), 3 * kLanes);
    EXPECT_GT(node.trimmed(), 1u);
  }
  ThreadedNode node(dir, medium);
  server::Caller caller(node.address());
  const std::string total = std::to_string(kClients * kRounds);
  const std::string expected = fmt::format("${}\r\n{}\r\n", total.size(), total);
  EXPECT_EQ(caller.Ask(server::Request({"GET", "shared"}), expected.size()), expected);
  std::filesystem::remove_all(dir);
}

// Goal:   what may be forgotten of the log goes also where nobody writes any more.
// Method: a projection holds all of it, clients write and end; then it lets go.
TEST(Threads, TrimTheLogOfAnIdleNode) {
  std::string dir = (std::filesystem::temp_directory_path() / "sluice_app_XXXXXX").string();
  ASSERT_NE(::mkdtemp(dir.data()), nullptr);
  {
    ThreadedNode node(dir, std::make_shared<store::MemoryStore::Medium>());
    node.HoldLogFrom(0);
    CallAndCheck(node.address(), 0, 40);
    node.AwaitSilence();
    EXPECT_EQ(node.trimmed(), 1u);
    node.HoldLogFrom(UINT64_MAX);
    EXPECT_TRUE(node.AwaitTrim());
  }
  std::filesystem::remove_all(dir);
}

}  // namespace
}  // namespace sluice::app
