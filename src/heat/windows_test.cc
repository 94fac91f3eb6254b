#include "heat/windows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/prng.h"
#include "heat/latencies.h"

namespace sluice::heat {
namespace {

// Goal:   each window is the mean of the seconds that it covers, whatever happened in them, from
//         the first second on.
// Method: random seconds against a list of them all; the covered part lies within a slot of what
//         the window is called.
TEST(Windows, AreMeansOfTheirSeconds) {
  Prng prng(5);
  Windows windows;
  EXPECT_EQ(windows.minute().writes, 0);
  std::vector<double> all;
  const auto mean_of_last = [&](size_t seconds) {
    seconds = std::min(seconds, all.size());
    double sum = 0;
    for (size_t i = all.size() - seconds; i < all.size(); ++i) sum += all[i];
    return sum / static_cast<double>(seconds);
  };
  for (size_t second = 0; second < 2'000; ++second) {
    const auto writes = static_cast<double>(prng.OneIn(3) ? 0 : prng.Below(1'000));
    all.push_back(writes);
    windows.EndSecond({writes, 2 * writes, 3 * writes, 4 * writes, 5 * writes, 6 * writes});
    EXPECT_EQ(windows.second().writes, writes);
    EXPECT_NEAR(windows.minute().writes, mean_of_last(55 + second % 5 + 1), 1e-6) << second;
    EXPECT_NEAR(windows.ten_minutes().writes, mean_of_last(540 + second % 60 + 1), 1e-6) << second;
    const size_t open = second % 60 + 1;
    double busiest = 60 * mean_of_last(open) * static_cast<double>(open) / 3'600;
    for (size_t back = 1; back < 10 && open + 60 * back <= all.size(); ++back) {
      const auto end = all.end() - static_cast<ptrdiff_t>(open + 60 * (back - 1));
      busiest = std::max(busiest, std::accumulate(end - 60, end, 0.0) / 60);
    }
    EXPECT_NEAR(windows.busiest_minute(), busiest, 1e-6) << second;
    EXPECT_NEAR(windows.minute().cpu_us, 4 * windows.minute().writes, 1e-6);
    EXPECT_NEAR(windows.minute().queue_bytes, 6 * windows.minute().writes, 1e-6);
  }
}

// Goal:   a percentile is never below the true one, and at most a quarter above it.
// Method: times over all magnitudes against a sorted list.
TEST(Latencies, ArePercentilesAQuarterTooHighAtMost) {
  Prng prng(9);
  for (const uint64_t bits : {1, 3, 8, 14, 20, 25}) {
    Latencies latencies(5);
    EXPECT_FALSE(latencies.Percentile(0.5).has_value());
    std::vector<uint64_t> all;
    for (int i = 0; i < 3'000; ++i) {
      all.push_back(prng.Below(uint64_t{1} << (1 + prng.Below(bits))));
      latencies.Add(all.back());
    }
    std::sort(all.begin(), all.end());
    for (const double part : {0.01, 0.5, 0.9, 0.99, 1.0}) {
      const auto rank = static_cast<size_t>(std::ceil(part * static_cast<double>(all.size())));
      const uint64_t exact = std::max<uint64_t>(1, all[rank - 1]);
      EXPECT_GE(latencies.Percentile(part), exact) << part;
      EXPECT_LE(latencies.Percentile(part), exact + (exact + 3) / 4) << part;
    }
  }
}

// Goal:   however many writes there were, what they took is known for as long as was asked for.
TEST(Latencies, ForgetWithinSeconds) {
  for (const int writes : {1, 100, 1'000'000}) {
    for (const int seconds : {5, 60, 600}) {
      Latencies latencies(static_cast<float>(seconds));
      for (int i = 0; i < writes; ++i) latencies.Add(1'000'000'000'000);
      EXPECT_EQ(latencies.Percentile(1.0), uint64_t{1} << 26);
      for (int i = 0; i < seconds; ++i) latencies.EndSecond();
      EXPECT_TRUE(latencies.Percentile(0.5).has_value());
      latencies.EndSecond();
      EXPECT_FALSE(latencies.Percentile(0.5).has_value()) << writes << " " << seconds;
    }
  }
}

}  // namespace
}  // namespace sluice::heat
