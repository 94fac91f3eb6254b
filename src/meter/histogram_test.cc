#include "meter/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/prng.h"

namespace sluice::meter {
namespace {

// Goal:   cells cover every value once, in order, and none is wider than 1/32 of its values.
// Method: walk all cells by their ends, and look at both edges of each.
TEST(Histogram, CellsTileTheNumbers) {
  uint64_t first = 0;
  for (size_t cell = 0; cell < kCells; ++cell) {
    const uint64_t end = CellEnd(cell);
    ASSERT_EQ(CellOf(first), cell);
    ASSERT_EQ(CellOf(end), cell);
    ASSERT_LE((end - first) * 32, first) << first;
    first = end + 1;
  }
  EXPECT_EQ(first, uint64_t{1} << kValueBits);
  EXPECT_EQ(CellOf(first), kCells - 1);
  EXPECT_EQ(CellOf(~uint64_t{0}), kCells - 1);
}

// Goal:   a quantile is never below the true one and at most 1/31 above; count, sum and max exact.
// Method: values of many scales drawn at random, beside a sorted copy; also merged from two halves.
TEST(Histogram, QuantilesAreCloseFromAbove) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Prng prng(seed);
    HistogramCell halves[2];
    std::vector<uint64_t> sorted;
    uint64_t sum = 0;
    const uint64_t bits = 1 + prng.Below(kValueBits - 1);
    for (int i = 0; i < 3000; ++i) {
      const uint64_t value = prng() >> (64 - 1 - prng.Below(bits));
      halves[prng.Below(2)].Record(value);
      sorted.push_back(value);
      sum += value;
    }
    std::sort(sorted.begin(), sorted.end());
    Distribution all = halves[0].Read();
    all.Merge(halves[1].Read());
    EXPECT_EQ(all.count, sorted.size());
    EXPECT_EQ(all.sum, sum);
    EXPECT_EQ(all.max, sorted.back());
    for (const double q : {0.0, 0.001, 0.5, 0.9, 0.99, 0.999, 1.0}) {
      const size_t rank = std::max<size_t>(1, std::ceil(q * sorted.size()));
      const uint64_t exact = sorted[rank - 1];
      EXPECT_GE(all.Quantile(q), exact) << q;
      EXPECT_LE(all.Quantile(q), exact + exact / 31) << q;
    }
    for (int power = 0; power < kValueBits; ++power) {
      const auto below = std::lower_bound(sorted.begin(), sorted.end(), uint64_t{1} << power);
      EXPECT_EQ(all.CountBelowPowerOf2(power), static_cast<uint64_t>(below - sorted.begin()));
    }
  }
}

// Goal:   nothing recorded says zero; what is beyond the cells is still counted, with its true max.
TEST(Histogram, EndsAreDefined) {
  HistogramCell histogram;
  EXPECT_EQ(histogram.Read().Quantile(0.99), 0u);
  EXPECT_EQ(histogram.Read().Mean(), 0);
  histogram.Record(uint64_t{1} << 40);
  EXPECT_EQ(histogram.Read().Quantile(0.5), uint64_t{1} << 40);
  EXPECT_EQ(histogram.Read().count, 1u);
}

}  // namespace
}  // namespace sluice::meter
