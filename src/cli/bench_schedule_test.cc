#include "cli/bench_schedule.h"

#include <gtest/gtest.h>

namespace sluice::cli {
namespace {

constexpr uint64_t kSecondUs = 1'000'000;

BenchSchedule Even(uint64_t start_us, double rate, uint64_t seconds) {
  const BenchPhase phase{.us = seconds * kSecondUs, .rate = rate};
  return BenchSchedule(start_us, std::span(&phase, 1));
}

void ExpectAgreement(const BenchSchedule& schedule, uint64_t step) {
  uint64_t before = 0;
  for (uint64_t n = 0; n < schedule.total(); n += step) {
    const uint64_t due = schedule.DueUs(n);
    ASSERT_GE(due, before);
    ASSERT_GT(schedule.DueBy(due), n);
    ASSERT_LE(schedule.DueBy(due - 1), n);
    before = due;
  }
  EXPECT_LT(before, schedule.end_us());
}

// Goal:   DueBy counts exactly the commands whose DueUs has come, and no time is lost over a run.
// Method: rates that divide a second and rates that do not; at each due time, just before and just
//         after it.
TEST(BenchSchedule, CountsWhatIsDue) {
  for (const uint64_t rate : {1, 3, 7, 1'000, 44'721, 999'983, 1'000'000, 3'000'001}) {
    const BenchSchedule schedule = Even(1'000, static_cast<double>(rate), 2);
    ASSERT_EQ(schedule.total(), 2 * rate);
    EXPECT_EQ(schedule.DueBy(999), 0u);
    EXPECT_EQ(schedule.DueUs(rate), 1'001'000u) << "a second holds exactly its commands";
    ExpectAgreement(schedule, rate < 100'000 ? 1 : rate / 10'000);
    EXPECT_EQ(schedule.DueBy(10'000'000), schedule.total());
  }
}

// Goal:   nothing overflows at the bounds.
// Method: the greatest rate over the greatest time.
TEST(BenchSchedule, HoldsItsBounds) {
  const BenchSchedule schedule = Even(uint64_t{1} << 50, kBenchRateMax, kBenchSecondsMax);
  const uint64_t last = schedule.total() - 1;
  EXPECT_EQ(schedule.total(), kBenchRateMax * kBenchSecondsMax);
  EXPECT_EQ(schedule.DueUs(last), schedule.start_us() + kBenchSecondsMax * 1'000'000 - 1);
  EXPECT_EQ(schedule.DueBy(schedule.DueUs(last)), schedule.total());
}

// Goal:   each phase has its rate, one follows the other without a gap, and in one without a rate
//         nothing is due.
// Method: steps of several rates, none among them at the begin, the middle and the end.
TEST(BenchSchedule, GoesThroughItsPhases) {
  const std::vector<BenchPhase> phases = {{kSecondUs, 0},       {kSecondUs / 2, 5'000.4},
                                          {kSecondUs, 50'000},  {kSecondUs, 0},
                                          {3 * kSecondUs, 0.4}, {kSecondUs, 0}};
  const BenchSchedule schedule(500, phases);
  EXPECT_EQ(schedule.end_us(), 500 + 7 * kSecondUs + kSecondUs / 2);
  const uint64_t counts[] = {0, 2'500, 52'500, 52'500, 52'501, 52'501};
  uint64_t end_us = 500;
  for (size_t i = 0; i < phases.size(); ++i) {
    end_us += phases[i].us;
    EXPECT_EQ(schedule.DueBy(end_us - 1), counts[i]) << i;
  }
  EXPECT_EQ(schedule.total(), 52'501u);
  EXPECT_EQ(schedule.DueUs(0), 500 + kSecondUs);
  EXPECT_EQ(schedule.DueUs(2'500), 500 + kSecondUs * 3 / 2);
  ExpectAgreement(schedule, 1);
}

// Goal:   bursts are 5 s of every 30 s at ten times the rate.
// Method: what is due by every second, over runs that end before, in and after a burst.
TEST(BenchSchedule, Bursts) {
  for (const uint64_t seconds : {1, 25, 28, 30, 31, 90}) {
    const std::vector<BenchPhase> phases = BenchBursts(100, seconds);
    const BenchSchedule schedule(0, phases);
    EXPECT_EQ(schedule.end_us(), seconds * kSecondUs);
    uint64_t due = 0;
    for (uint64_t second = 0; second < seconds; ++second) {
      due += second % 30 < 25 ? 100 : 1'000;
      EXPECT_EQ(schedule.DueBy((second + 1) * kSecondUs - 1), due) << second;
    }
    EXPECT_EQ(schedule.total(), due);
  }
}

}  // namespace
}  // namespace sluice::cli
