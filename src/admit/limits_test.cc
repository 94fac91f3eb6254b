#include "admit/limits.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <thread>

#include "admit/kit_test.h"
#include "base/prng.h"

namespace sluice::admit {
namespace {

constexpr model::KeyspaceId kLikes(1), kOrders(2), kPlain(3);
constexpr uint64_t kStartUs = 1'000'000;

model::Rate PerSecond(uint64_t writes, uint64_t burst) {
  return {writes, 1, burst};
}

std::vector<model::WriteLimits> TwoKeyspaces() {
  std::vector<model::WriteLimits> limits(4);
  limits[kLikes.value] = {
      .all = PerSecond(1'000, 100), .client = PerSecond(100, 20), .segment = PerSecond(50, 10)};
  limits[kOrders.value].all = PerSecond(10, 5);
  return limits;
}

// Goal:   each limit holds for whom it says: all, one client, one value of the segment; and the
//         refusal names the narrowest of those that refuse.
// Method: one client on one value, on many, many clients on one value and on many, at one time.
TEST(Limits, HoldForWhomTheySay) {
  const auto admitted = [](uint64_t clients, uint64_t values, Limit expected) {
    Limits limits(TwoKeyspaces(), 1);
    uint64_t passed = 0;
    std::optional<Denial> last;
    for (uint64_t i = 0; i < 10'000; ++i) {
      const std::string client = fmt::format("user:{}", i % clients);
      const std::string value = std::to_string((i / clients) % values);
      const Write write{kLikes, value};
      const Verdict verdict = limits.Admit({&write, 1}, client, kStartUs);
      EXPECT_FALSE(verdict.observed.has_value());
      passed += verdict.refused ? 0 : 1;
      if (verdict.refused) last = verdict.refused;
    }
    EXPECT_TRUE(last.has_value() && last->limit == expected) << clients << " " << values;
    return passed;
  };
  EXPECT_EQ(admitted(1, 1, Limit::kSegment), 10u);
  EXPECT_EQ(admitted(1, 1'000, Limit::kClient), 20u);
  EXPECT_EQ(admitted(1'000, 1, Limit::kSegment), 10u);
  EXPECT_EQ(admitted(1'000, 10, Limit::kSegment), 100u);
  EXPECT_EQ(admitted(1'000, 9, Limit::kSegment), 90u);
  EXPECT_EQ(admitted(3, 1'000, Limit::kClient), 60u);
  Limits limits(TwoKeyspaces(), 1);
  for (const model::KeyspaceId free : {model::KeyspaceId(0), kPlain, model::KeyspaceId(700)}) {
    const Write write{free, {}};
    for (int i = 0; i < 1'000; ++i) {
      ASSERT_FALSE(limits.Admit({&write, 1}, "user:a", kStartUs).refused.has_value());
    }
    EXPECT_FALSE(limits.SegmentOf(free).has_value());
  }
  EXPECT_EQ(limits.SegmentOf(kLikes), 0u);
}

// Goal:   a command over several keys and keyspaces passes all limits or takes from none, and what
//         cannot pass any burst is told so at once. A keyspace that observes neither refuses nor
//         takes where it would have refused.
// Method: commands of drawn keys against a model that looks first and takes afterwards, over a time
//         in which buckets fill and empty; in every other round one keyspace observes.
TEST(Limits, AllOrNothing) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Prng prng(seed);
    const bool observes = seed % 2 == 0;
    std::vector<model::WriteLimits> all = TwoKeyspaces();
    all[kLikes.value].observe = observes;
    Limits limits(all, seed);
    std::map<std::string, double> tokens;  // by bucket; the model's
    std::map<std::string, model::Rate> rates;
    uint64_t now_us = kStartUs, passed = 0, refused = 0, never = 0;
    for (int i = 0; i < 3'000; ++i) {
      const uint64_t step_us = prng.Below(40'000);
      now_us += step_us;
      for (auto& [bucket, left] : tokens) {
        const model::Rate& rate = rates[bucket];
        left = std::min(double(rate.burst), left + double(rate.writes) * double(step_us) / 1e6);
      }
      std::vector<std::string> values;
      std::vector<Write> writes;
      std::map<std::string, uint64_t> asked;
      const std::string client = prng.OneIn(2) ? "user:a" : "user:b";
      const uint64_t count = 1 + prng.Below(prng.OneIn(4) ? 25 : 6);
      for (uint64_t k = 0; k < count; ++k) values.push_back(std::to_string(prng.Below(4)));
      const auto ask = [&](const std::string& bucket, const model::Rate& rate) {
        rates[bucket] = rate;
        tokens.emplace(bucket, double(rate.burst));
        ++asked[bucket];
      };
      for (uint64_t k = 0; k < count; ++k) {
        const model::KeyspaceId keyspace = prng.OneIn(6) ? kOrders : kLikes;
        writes.push_back({keyspace, values[k]});
        ask(fmt::format("all {}", keyspace.value),
            keyspace == kLikes ? PerSecond(1'000, 100) : PerSecond(10, 5));
        if (keyspace == kOrders) continue;
        ask("client " + client, PerSecond(100, 20));
        ask("value " + values[k], PerSecond(50, 10));
      }
      bool passes = true, can = true, close = false, unseen = true;
      const std::string orders = fmt::format("all {}", kOrders.value);
      for (const auto& [bucket, n] : asked) {
        const bool fits = tokens[bucket] >= double(n), matters = !observes || bucket == orders;
        passes = passes && (fits || !matters);
        unseen = unseen && (fits || matters);
        can = can && (n <= rates[bucket].burst || !matters);
        close = close || std::abs(tokens[bucket] - double(n)) < 1e-6;
      }
      if (close) continue;  // a matter of rounding
      const Verdict verdict = limits.Admit(writes, client, now_us);
      ASSERT_EQ(!verdict.refused.has_value(), passes) << "seed " << seed << " command " << i;
      if (verdict.refused) {
        ASSERT_EQ(verdict.refused->burst == 0, can);
        ASSERT_EQ(verdict.refused->wait_ms > 0, can);
      }
      (passes ? passed : can ? refused : never) += 1;
      if (!passes) continue;
      ASSERT_EQ(verdict.observed.has_value(), !unseen);
      for (const auto& [bucket, n] : asked) {
        if (unseen || bucket == orders) tokens[bucket] -= double(n);
      }
    }
    EXPECT_GT(passed, 100u);
    EXPECT_GT(refused, 100u);
    EXPECT_GT(never, 10u);
  }
}

// Goal:   observing refuses nothing, and counts exactly what enforcing would have refused.
// Method: the same writes against a node that enforces and one that observes.
TEST(Limits, ObservingCountsWhatEnforcingRefuses) {
  std::vector<model::WriteLimits> observing = TwoKeyspaces();
  for (model::WriteLimits& each : observing) each.observe = true;
  Limits enforced(TwoKeyspaces(), 1), observed(observing, 1);
  Prng prng(3);
  uint64_t now_us = kStartUs;
  for (int i = 0; i < 20'000; ++i) {
    now_us += prng.Below(2'000);
    const std::string value = std::to_string(prng.Below(3));
    const Write write{prng.OneIn(3) ? kOrders : kLikes, value};
    const Verdict wanted = enforced.Admit({&write, 1}, "user:a", now_us);
    const Verdict got = observed.Admit({&write, 1}, "user:a", now_us);
    ASSERT_FALSE(got.refused.has_value());
    ASSERT_EQ(got.observed.has_value(), wanted.refused.has_value()) << i;
    if (wanted.refused) {
      ASSERT_EQ(got.observed->limit, wanted.refused->limit);
      ASSERT_EQ(got.observed->wait_ms, wanted.refused->wait_ms);
    }
  }
  for (const model::KeyspaceId keyspace : {kLikes, kOrders}) {
    for (const Limit limit : {Limit::kSegment, Limit::kClient, Limit::kAll}) {
      EXPECT_EQ(observed.meters(keyspace).observed(limit),
                enforced.meters(keyspace).refused(limit));
      EXPECT_EQ(observed.meters(keyspace).refused(limit), 0u);
      EXPECT_EQ(enforced.meters(keyspace).observed(limit), 0u);
    }
  }
  EXPECT_GT(observed.meters(kLikes).observed(Limit::kSegment), 0u);
  EXPECT_GT(observed.meters(kLikes).observed(Limit::kClient), 0u);
  EXPECT_GT(observed.meters(kOrders).observed(Limit::kAll), 0u);
}

// Goal:   with 1,000 writes a second, the node's lanes together admit 1,000 a second: the first
//         second and its burst, and never one more, however many lanes ask.
// Method: lanes are threads with a simulated clock each, each asking for twice the whole rate. One
//         that the machine holds up holds the others back: clocks that are kJumpUs apart are
//         another matter.
TEST(Limits, HoldOverAllLanes) {
  for (const size_t lanes : {size_t{1}, size_t{2}, size_t{4}}) {
    for (const uint64_t burst : {uint64_t{1}, uint64_t{100}, uint64_t{1'000}}) {
      std::vector<model::WriteLimits> all(2);
      all[kLikes.value].all = PerSecond(1'000, burst);
      Limits limits(all, 1);
      std::vector<std::atomic<uint64_t>> clocks_us(lanes);
      for (std::atomic<uint64_t>& clock_us : clocks_us) clock_us = kStartUs;
      std::atomic<uint64_t> admitted{0};
      const uint64_t end_us = kStartUs + 3'000'000;
      const auto slowest_us = [&] {
        return std::min_element(clocks_us.begin(), clocks_us.end())->load();
      };
      std::vector<std::thread> threads;
      for (size_t i = 0; i < lanes; ++i) {
        threads.emplace_back([&, i] {
          const Write write{kLikes, {}};
          for (uint64_t now = kStartUs; now <= end_us; now += 500, clocks_us[i] = now) {
            while (now > slowest_us() + kJumpUs / 2) std::this_thread::yield();
            if (!limits.Admit({&write, 1}, "user:a", now).refused) ++admitted;
          }
          clocks_us[i] = UINT64_MAX;
        });
      }
      for (std::thread& thread : threads) thread.join();
      EXPECT_LE(admitted, 3'000 + burst) << lanes;
      // Without a burst to draw on, what falls due while a thread is held up is lost.
      EXPECT_GE(admitted, burst == 1 ? 2'400 : 2'990 + burst) << lanes;
    }
  }
}

// Goal:   limits change while lanes ask: a lowered one holds at once and a raised one too, and one
//         that is taken away refuses nothing more; the memory is taken once.
// Method: a sequence of changes; after each, what passes at one moment and in the second after it.
TEST(Limits, ChangeWhileRunning) {
  std::vector<model::WriteLimits> all(2);
  Limits limits(all, 1);
  uint64_t now_us = kStartUs;
  const auto passes_in = [&](uint64_t seconds) {
    uint64_t passed = 0;
    for (uint64_t i = 0; i < seconds * 10'000; ++i) {
      now_us += 100;
      const Write write{kLikes, "7"};
      passed += limits.Admit({&write, 1}, "user:a", now_us).refused ? 0 : 1;
    }
    return passed;
  };
  EXPECT_EQ(passes_in(1), 10'000u);
  for (const uint64_t rate : std::initializer_list<uint64_t>{5'000, 100, 4'000, 10, 3'000}) {
    all[kLikes.value].client = PerSecond(rate, rate);
    limits.Change(all);
    now_us += 2'000'000;
    EXPECT_NEAR(double(passes_in(1)), double(2 * rate), 2) << rate;
    EXPECT_NEAR(double(passes_in(1)), double(rate), 2) << rate;
  }
  limits.Change({});
  EXPECT_EQ(passes_in(1), 10'000u);
}

}  // namespace
}  // namespace sluice::admit
