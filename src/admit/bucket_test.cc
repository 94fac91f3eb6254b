#include "admit/bucket.h"

#include <gtest/gtest.h>

#include <thread>
#include <utility>
#include <vector>

#include "admit/kit_test.h"
#include "base/prng.h"

namespace sluice::admit {
namespace {

constexpr model::Rate kRates[] = {{1, 1, 1},
                                  {3, 1, 3},
                                  {7, 3'600, 1},
                                  {10, 60, 40},
                                  {1'000, 1, 1'000},
                                  {1'000, 1, 10},
                                  {1'000, 1, 100'000},
                                  {50'000, 1, 100'000},
                                  {999'983, 1, 17},
                                  {10'000'000, 1, 1},
                                  {10'000'000, 1, 10'000'000}};
// Of rounding a write's cost up.
constexpr double kRounding = 1e-3;

// Goal:   over any window no bucket admits more than rate * time + burst; and what it refuses, it
//         would have had to: so many writes more would break that bound.
// Method: rates, bursts and lanes are swept; writes of drawn sizes come at drawn times, in lulls
//         and in storms, from lanes whose clocks are up to 20 ms apart, for which the bound allows.
//         It is that of an ideal bucket, kept in floating point beside it.
TEST(Bucket, AdmitsItsRateAndItsBurst) {
  for (const model::Rate& rate : kRates) {
    for (const uint64_t lanes : {1, 2, 7}) {
      Prng prng(rate.writes + rate.burst * 31 + lanes);
      const Pace pace = PaceOf(rate);
      const double per_us = double(rate.writes) / (1e6 * double(rate.period_s));
      FullAt bucket{0};
      std::vector<Admitted> admitted;
      uint64_t now_us = 5'000'000'000;
      double tokens = double(rate.burst);  // of the ideal bucket
      const uint64_t skew_us = lanes == 1 ? 0 : 20'000;
      for (int i = 0; i < 20'000; ++i) {
        const uint64_t step_us = prng.OneIn(50) ? prng.Below(uint64_t(2.0 / per_us) + 2)
                                                : prng.Below(uint64_t(0.1 / per_us) + 2);
        now_us += step_us;
        tokens = std::min(double(rate.burst), tokens + double(step_us) * per_us);
        const uint64_t writes = 1 + prng.Below(std::min<uint64_t>(rate.burst, 5));
        const uint64_t lane_us = now_us - (prng.Below(lanes) * skew_us) / lanes;
        const Taken taken = Take(bucket, pace, writes, TicksOf(lane_us));
        if (taken.yes) {
          admitted.push_back({now_us, writes});
          tokens -= double(writes);
        } else {
          const double late = double(skew_us) * per_us + 1e-6;
          EXPECT_LT(tokens * (1 - kRounding), double(writes) + late)
              << rate.writes << "/" << rate.period_s << " burst " << rate.burst;
          EXPECT_GT(taken.wait, 0u);
        }
      }
      EXPECT_LE(WorstExcess(admitted, rate), double(skew_us) * per_us + 1e-3)
          << rate.writes << "/" << rate.period_s << " burst " << rate.burst << ", " << lanes;
      EXPECT_GT(admitted.size(), 10u);
    }
  }
}

// Goal:   what a refusal says about waiting is exact: just before, it is refused still; then it is
//         admitted.
// Method: rates are swept; a bucket is emptied, asked, and asked again around the time it named.
TEST(Bucket, WaitsAreExact) {
  for (const model::Rate& rate : kRates) {
    const Pace pace = PaceOf(rate);
    for (const uint64_t writes : {uint64_t{1}, (rate.burst + 1) / 2, rate.burst}) {
      FullAt bucket{0};
      const uint64_t now = TicksOf(1'000'000);
      ASSERT_TRUE(Take(bucket, pace, rate.burst, now).yes);
      const uint64_t wait = Take(bucket, pace, writes, now).wait;
      EXPECT_EQ(wait, writes * pace.cost);
      EXPECT_FALSE(Take(bucket, pace, writes, now + wait - 1).yes);
      EXPECT_TRUE(Take(bucket, pace, writes, now + wait).yes);
    }
  }
  EXPECT_EQ(MillisOf(0), 1u);
  EXPECT_EQ(MillisOf(1'000 * kTicksPerUs), 1u);
  EXPECT_EQ(MillisOf(1'000 * kTicksPerUs + 1), 2u);
}

// Goal:   what is given back is as if it had never been taken, whatever others take meanwhile.
// Method: two buckets get the same takes; one gets others between them, each given back.
TEST(Bucket, GivingBackLeavesNoTrace) {
  const model::Rate rate{1'000, 1, 50};
  const Pace pace = PaceOf(rate);
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Prng prng(seed);
    FullAt plain{0}, tried{0};
    uint64_t now = TicksOf(1'000'000);
    for (int i = 0; i < 500; ++i) {
      now += prng.Below(3'000) * kTicksPerUs;
      const uint64_t extra = 1 + prng.Below(30), writes = 1 + prng.Below(20);
      const bool lent = Take(tried, pace, extra, now).yes;
      const bool first = Take(plain, pace, writes, now).yes;
      const bool second = Take(tried, pace, writes, now).yes;
      if (lent) GiveBack(tried, pace, extra);
      if (first && !second && lent) {
        ASSERT_TRUE(Take(tried, pace, writes, now).yes);
      }
      ASSERT_GE(int(first), int(second));
    }
    EXPECT_EQ(plain.load(), tried.load()) << seed;
  }
}

// Goal:   what is refunded late makes room for others, but for no more than a bucket would have
//         admitted that it was never taken from.
// Method: takes that are refunded up to 20 ms later, among takes that stay, over a full bucket and
//         one in debt; an ideal bucket knows only those that stay.
TEST(Bucket, LateRefundsAdmitNothingMore) {
  const model::Rate rate{1'000, 1, 50};
  const Pace pace = PaceOf(rate);
  uint64_t refunded = 0;
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Prng prng(seed);
    FullAt bucket{0};
    std::vector<Admitted> stayed;
    std::vector<std::pair<uint64_t, Charge>> lent;  // with when it is refunded
    const uint64_t gap_us = seed % 2 == 0 ? 900 : 3'000;
    uint64_t now_us = 1'000'000;
    for (int i = 0; i < 3'000; ++i) {
      now_us += prng.Below(gap_us);
      std::erase_if(lent, [&](const auto& each) {
        if (each.first > now_us) return false;
        Refund(each.second, TicksOf(now_us));
        return true;
      });
      const uint64_t writes = 1 + prng.Below(2);
      const Taken taken = Take(bucket, pace, writes, TicksOf(now_us));
      if (!taken.yes) continue;
      if (prng.OneIn(2)) {
        stayed.push_back({now_us, writes});
      } else {
        const Charge charge{&bucket, taken.from, taken.from + writes * pace.cost};
        lent.emplace_back(now_us + prng.Below(20'000), charge);
        ++refunded;
      }
    }
    EXPECT_LE(WorstExcess(stayed, rate), 1e-3) << seed;
    // Of a load that leaves the bucket no time to be full, nearly the whole rate stays; without
    // refunds it would be half of it.
    uint64_t writes = 0;
    for (const Admitted& each : stayed) writes += each.writes;
    if (seed % 2 == 0) {
      EXPECT_GT(double(writes), 0.9 * double(now_us - 1'000'000) / 1'000);
    }
  }
  EXPECT_GT(refunded, 1'000u);
}

// Goal:   a clock that jumps neither opens nor closes a bucket for long.
// Method: jumps of many sizes in both directions, under a load of twice the rate; what is admitted
//         in the ten seconds after a jump is what the rate gives, give or take one burst and the
//         second until a jump back is believed.
TEST(Bucket, ClockJumpsAreHarmless) {
  const model::Rate rate{1'000, 1, 500};
  const Pace pace = PaceOf(rate);
  for (const int64_t jump_us : std::initializer_list<int64_t>{
           -3'600'000'000'000, -86'400'000'000, -10'000'000, -1'600'000, -1'000'000, -1'000, 1'000,
           1'000'000, 86'400'000'000, 3'600'000'000'000}) {
    FullAt bucket{0};
    uint64_t now_us = 10'000'000'000'000;
    const auto run = [&](uint64_t seconds) {
      uint64_t admitted = 0;
      for (uint64_t i = 0; i < seconds * 2'000; ++i) {
        now_us += 500;
        admitted += Take(bucket, pace, 1, TicksOf(now_us)).yes ? 1 : 0;
      }
      return admitted;
    };
    run(3);
    now_us = uint64_t(int64_t(now_us) + jump_us);
    const uint64_t admitted = run(10);
    EXPECT_LE(admitted, 10'000 + rate.burst + 1) << jump_us;
    EXPECT_GE(admitted + 1'000 + rate.burst + 1, 10'000u) << jump_us;
  }
}

// Goal:   a new rate holds at once: raised, no write waits for the old one; lowered, at most one of
//         the new bursts passes beyond the new rate.
// Method: all pairs of rates; the bucket is emptied at the old one first.
TEST(Bucket, NewRatesHoldAtOnce) {
  for (const model::Rate& before : kRates) {
    for (const model::Rate& after : kRates) {
      FullAt bucket{0};
      const Pace old_pace = PaceOf(before), pace = PaceOf(after);
      uint64_t now = TicksOf(10'000'000'000);
      ASSERT_TRUE(Take(bucket, old_pace, before.burst, now).yes);
      std::vector<Admitted> admitted;
      const uint64_t begin = now;
      const uint64_t step = std::max<uint64_t>(pace.cost / 2 / kTicksPerUs, 1) * kTicksPerUs;
      for (int i = 0; i < 3'000; ++i, now += step) {
        if (Take(bucket, pace, 1, now).yes) admitted.push_back({now / kTicksPerUs, 1});
      }
      EXPECT_LE(WorstExcess(admitted, after), 1e-3) << before.writes << " to " << after.writes;
      // From empty: the first write waits for one token, or for the second until what cannot be is
      // put right.
      const uint64_t latest = begin + pace.cost + kJumpUs * kTicksPerUs + step;
      if (now > latest) {
        ASSERT_FALSE(admitted.empty());
        EXPECT_LE(admitted[0].at_us * kTicksPerUs, latest);
      }
    }
  }
}

// Goal:   a pace that changes is seen whole: nobody meets the cost of one with another's burst.
// Method: one thread changes it, always to a burst that its cost tells; more threads than there are
//         cores read it, so that some are held up between their looks.
TEST(LivePace, IsSeenWhole) {
  LivePace live;
  std::atomic<bool> done{false};
  std::atomic<uint64_t> torn{0}, seen{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([&] {
      while (!done) {
        const Pace pace = live.Now();
        if (pace.cost != 0 && pace.burst != pace.cost * 3) ++torn;
        if (pace.cost != 0) ++seen;
      }
    });
  }
  for (uint64_t i = 0; i < 5'000'000 || seen < 1'000; ++i) live.Set({1 + i % 2, (1 + i % 2) * 3});
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(torn, 0u);
}

}  // namespace
}  // namespace sluice::admit
