#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/prng.h"
#include "config/nearest.h"
#include "config/quantity.h"
#include "config/shard_spec.h"

namespace sluice::config {
namespace {

// Goal:   what is formatted is read as the same value, over all magnitudes.
TEST(Quantity, RoundTrips) {
  Prng prng(3);
  for (int bits = 0; bits < 64; ++bits) {
    for (int i = 0; i < 50; ++i) {
      const uint64_t value = prng() >> bits;
      EXPECT_EQ(*ParseSize(FormatSize(value)), value);
      EXPECT_EQ(*ParseDuration(FormatDuration(value)), value);
    }
  }
  EXPECT_EQ(*ParseSize("256KiB"), 262144u);
  EXPECT_EQ(*ParseDuration("30d"), 2'592'000'000'000u);
  EXPECT_EQ(FormatDuration(90'000'000), "90s");
  EXPECT_EQ(FormatSize(uint64_t{3} << 40), "3TiB");
}

// Goal:   nothing else is taken for a quantity.
TEST(Quantity, RefusesTheRest) {
  for (const char* text :
       {"", "KiB", "1", "1 KiB", " 1KiB", "1KiB ", "-1KiB", "+1KiB", "1.0KiB", "1kib", "1KB",
        "0x1KiB", "1KiBKiB", "18446744073709551616B", "18446744073709551615KiB", "16777216TiB"}) {
    EXPECT_FALSE(ParseSize(text).has_value()) << text;
  }
  for (const char* text :
       {"", "s", "1", "1 s", "-1s", "1.5h", "1h30m", "1S", "1w", "18446744073709551615d"}) {
    EXPECT_FALSE(ParseDuration(text).has_value()) << text;
  }
  EXPECT_TRUE(ParseSize("18446744073709551615B").has_value());
}

// Goal:   the distance is a metric, and one edit is distance one.
// Method: random words with one random edit.
TEST(Nearest, OneEditIsDistanceOne) {
  Prng prng(4);
  for (int round = 0; round < 2'000; ++round) {
    std::string word;
    for (uint64_t n = 2 + prng.Below(10); n > 0; --n) word += "abcdef"[prng.Below(6)];
    std::string edited = word;
    const size_t at = prng.Below(word.size());
    switch (prng.Below(4)) {
      case 0:
        edited.erase(at, 1);
        break;
      case 1:
        edited.insert(at, 1, 'z');
        break;
      case 2:
        edited[at] = 'z';
        break;
      default:
        std::swap(edited[at], edited[(at + 1) % word.size()]);
        if (at + 1 == word.size() || edited == word) edited = "z" + word;
    }
    EXPECT_EQ(EditDistance(word, edited), 1u) << word << " " << edited;
    EXPECT_EQ(EditDistance(edited, word), 1u);
    EXPECT_EQ(EditDistance(word, word), 0u);
  }
}

// Goal:   every form of a spec is read, blanks or not.
TEST(ShardSpec, ReadsAllForms) {
  const auto spec = ParseShardSpec("  geo( a )then  range(b ,c_1) ");
  ASSERT_TRUE(spec.has_value());
  EXPECT_TRUE(spec->IsGeo());
  EXPECT_TRUE(spec->IsRange());
  EXPECT_EQ(spec->parts[1].segments, (std::vector<std::string>{"b", "c_1"}));
  EXPECT_FALSE(ParseShardSpec("hash(a)")->IsRange());
  EXPECT_FALSE(ParseShardSpec("hash(a) then hash(b)").has_value());
  EXPECT_FALSE(ParseShardSpec("").has_value());
}

// Goal:   the order of segments is the documented one.
// Method: a list in order; each pair compares as its places.
TEST(ShardSpec, ComparesSegments) {
  const std::vector<std::string> in_order = {
      "0", "00", "000", "001", "01", "1", "002", "2", "09", "9", "010", "10", "99",
      "00000000000000000100", "100", "99999999999999999999",
      // 21 digits are no number.
      "000000000000000000001", "100000000000000000000", "1a", "a", "a1", "b"};
  for (size_t i = 0; i < in_order.size(); ++i) {
    for (size_t j = 0; j < in_order.size(); ++j) {
      const int order = CompareSegments(in_order[i], in_order[j]);
      EXPECT_EQ(order < 0, i < j) << in_order[i] << " " << in_order[j];
      EXPECT_EQ(order == 0, i == j) << in_order[i] << " " << in_order[j];
    }
  }
}

}  // namespace
}  // namespace sluice::config
