#include "cli/bench_schedule.h"

#include <gtest/gtest.h>

namespace sluice::cli {
namespace {

// Goal:   DueBy counts exactly the commands whose DueUs has come, and no time is lost over a run.
// Method: rates that divide a second and rates that do not; at each due time, just before and just
//         after it.
TEST(BenchSchedule, CountsWhatIsDue) {
  for (const uint64_t rate : {1, 3, 7, 1'000, 44'721, 999'983, 1'000'000, 3'000'001}) {
    const BenchSchedule schedule(1'000, rate, 2);
    ASSERT_EQ(schedule.total(), 2 * rate);
    EXPECT_EQ(schedule.DueBy(999), 0u);
    EXPECT_EQ(schedule.DueUs(rate), 1'001'000u) << "a second holds exactly its commands";
    const uint64_t step = rate < 100'000 ? 1 : rate / 10'000;
    for (uint64_t n = 0; n < schedule.total(); n += step) {
      const uint64_t due = schedule.DueUs(n);
      ASSERT_GT(schedule.DueBy(due), n) << rate;
      ASSERT_LE(schedule.DueBy(due - 1), n) << rate;
    }
    EXPECT_EQ(schedule.DueBy(10'000'000), schedule.total());
  }
}

// Goal:   nothing overflows at the bounds.
// Method: the greatest rate over the greatest time.
TEST(BenchSchedule, HoldsItsBounds) {
  const BenchSchedule schedule(uint64_t{1} << 50, kBenchRateMax, kBenchSecondsMax);
  const uint64_t last = schedule.total() - 1;
  EXPECT_EQ(schedule.DueUs(last), schedule.start_us() + kBenchSecondsMax * 1'000'000 - 1);
  EXPECT_EQ(schedule.DueBy(schedule.DueUs(last)), schedule.total());
}

}  // namespace
}  // namespace sluice::cli
