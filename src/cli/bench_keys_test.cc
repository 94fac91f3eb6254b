#include "cli/bench_keys.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

namespace sluice::cli {
namespace {

constexpr int kDraws = 400'000;

std::map<uint64_t, double> Shares(const BenchKeyShape& shape) {
  const BenchKeys keys(shape);
  Prng prng(7);
  std::map<uint64_t, double> shares;
  for (int i = 0; i < kDraws; ++i) shares[keys.Draw(prng)] += 1.0 / kDraws;
  return shares;
}

// Five standard deviations of a share that was drawn.
double Tolerance(double share) {
  return 5 * std::sqrt(share / kDraws) + 1e-5;
}

// Goal:   ranks come as often as Zipf's law says, at any exponent and count.
// Method: exponents below, at and above 1 over few and many keys; the share of the first ranks, of
//         some in the middle, and the bounds.
TEST(BenchKeys, FollowsZipf) {
  for (const double exponent : {0.5, 0.99, 1.0, 1.3, 2.0}) {
    for (const uint64_t count : {1, 2, 3, 100, 100'000}) {
      const std::map<uint64_t, double> shares =
          Shares({.first = 5, .count = count, .exponent = exponent});
      double all = 0;
      for (uint64_t rank = 1; rank <= count; ++rank) all += std::pow(rank, -exponent);
      for (const uint64_t rank : {1, 2, 3, 10, 50}) {
        if (rank > count) break;
        const double want = std::pow(rank, -exponent) / all;
        const auto found = shares.find(5 + rank - 1);
        EXPECT_NEAR(found == shares.end() ? 0 : found->second, want, Tolerance(want))
            << exponent << " " << count << " " << rank;
      }
      EXPECT_GE(shares.begin()->first, 5u);
      EXPECT_LT(shares.rbegin()->first, 5 + count);
    }
  }
}

// Goal:   celebrities share their part evenly, and the others are drawn as without them.
// Method: an even shape and Zipf's; what each celebrity and the rest get.
TEST(BenchKeys, KnowsCelebrities) {
  for (const double exponent : {0.0, 0.99}) {
    const std::map<uint64_t, double> plain = Shares({.count = 1'000, .exponent = exponent});
    const std::map<uint64_t, double> shares =
        Shares({.count = 1'000, .exponent = exponent, .celebrities = 10, .celebrity_percent = 50});
    double all = 0;
    for (uint64_t key = 0; key < 10; ++key) all += shares.at(key) - plain.at(key) / 2;
    EXPECT_NEAR(all, 0.5, Tolerance(0.5));
    EXPECT_NEAR(shares.at(0) - plain.at(0) / 2, 0.05, Tolerance(plain.at(0) + 0.05));
    EXPECT_NEAR(shares.at(500), plain.at(500) / 2, Tolerance(plain.at(500)));
  }
}

// Goal:   without an exponent all keys are alike. Method: few keys, away from 0.
TEST(BenchKeys, IsEven) {
  const std::map<uint64_t, double> shares = Shares({.first = 100, .count = 4});
  ASSERT_EQ(shares.size(), 4u);
  for (const auto& [key, share] : shares) EXPECT_NEAR(share, 0.25, Tolerance(0.25)) << key;
}

}  // namespace
}  // namespace sluice::cli
