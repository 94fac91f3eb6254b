#include "route/token.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/prng.h"
#include "config/shard_spec.h"
#include "model/keyspace.h"
#include "model/shard_map.h"

namespace sluice::route {
namespace {

std::string CodeOf(std::string_view segment) {
  std::string code;
  AppendRangeCode(code, segment);
  return code;
}

// Segments that are close to one another: numbers with leading zeroes, around 20 digits, and bytes
// that the code uses itself.
std::string RandomSegment(Prng& prng) {
  std::string segment;
  switch (prng.Below(4)) {
    case 0:
      segment = std::string(prng.Below(4), '0') + std::to_string(prng.Below(120));
      break;
    case 1:
      segment = std::string(prng.Below(22), '0') + std::to_string(prng() >> prng.Below(64));
      segment.resize(std::min<size_t>(segment.size(), 18 + prng.Below(5)));
      break;
    case 2:
      segment = std::string(1 + prng.Below(22), '0');
      break;
    default:
      for (uint64_t n = 1 + prng.Below(4); n > 0; --n) {
        segment += std::string_view(
            "\0\x01\x02\xff"
            "09a",
            7)[prng.Below(7)];
      }
  }
  return segment;
}

// Goal:   range tokens are in the order of the model (config::CompareSegments), and different
//         segments have different tokens.
// Method: random pairs of near segments, alone and as pairs of segments.
TEST(Token, RangeOrderIsTheModelsOrder) {
  Prng prng(1);
  const auto sign = [](int order) { return (order > 0) - (order < 0); };
  for (int round = 0; round < 300'000; ++round) {
    const std::vector<std::string> a = {RandomSegment(prng), RandomSegment(prng)};
    const std::vector<std::string> b = {prng.OneIn(2) ? a[0] : RandomSegment(prng),
                                        RandomSegment(prng)};
    const int one = sign(CodeOf(a[0]).compare(CodeOf(b[0])));
    ASSERT_EQ(one, sign(config::CompareSegments(a[0], b[0]))) << a[0] << " " << b[0];
    const int both = sign((CodeOf(a[0]) + CodeOf(a[1])).compare(CodeOf(b[0]) + CodeOf(b[1])));
    ASSERT_EQ(both, sign(config::CompareSplitPoints(a, b)))
        << a[0] << " " << a[1] << " " << b[0] << " " << b[1];
  }
}

// Goal:   the documented order holds by itself, whatever the model says.
// Method: a list in order; sorting its tokens changes nothing.
TEST(Token, RangeOrderIsTheDocumentedOne) {
  const std::vector<std::string> in_order = {"0",
                                             "00",
                                             "001",
                                             "01",
                                             "1",
                                             "2",
                                             "009",
                                             "09",
                                             "9",
                                             "10",
                                             "99",
                                             "100",
                                             "18446744073709551615",
                                             "99999999999999999999",
                                             "000000000000000000007",
                                             "100000000000000000000",
                                             "1a",
                                             "A",
                                             "a",
                                             "a\x01",
                                             "aa"};
  std::vector<std::string> codes;
  for (const std::string& segment : in_order) codes.push_back(CodeOf(segment));
  EXPECT_TRUE(std::is_sorted(codes.begin(), codes.end()));
  EXPECT_EQ(std::adjacent_find(codes.begin(), codes.end()), codes.end());
  EXPECT_LT(CodeOf(std::string("a\0b", 3)), CodeOf("a\x01"));
  EXPECT_LT(CodeOf("a"), CodeOf(std::string("a\0", 2)));
}

// Goal:   the code is byte by byte what the format says.
TEST(Token, RangeBytesAreTheFormats) {
  EXPECT_EQ(CodeOf("7"),
            "\x01\x01"
            "7\xff");
  EXPECT_EQ(CodeOf("007"),
            "\x01\x01"
            "7\xfd");
  EXPECT_EQ(CodeOf("00"), std::string("\x01\x00\x02", 3));
  EXPECT_EQ(CodeOf(std::string("a\0b", 3)), std::string("\x02"
                                                        "a\x00\xff"
                                                        "b\x00\x01",
                                                        7));
}

// Goal:   model::TokenSize finds the end of every range code.
TEST(Token, RangeCodesDelimitThemselves) {
  model::Keyspace keyspace;
  keyspace.token.push_back({model::TokenPartKind::kRange, {0, 1}});
  Prng prng(2);
  for (int round = 0; round < 50'000; ++round) {
    const std::string token = CodeOf(RandomSegment(prng)) + CodeOf(RandomSegment(prng));
    ASSERT_EQ(model::TokenSize(keyspace, token + RandomSegment(prng)), token.size());
  }
}

// Goal:   a hash is of the segments with a zero byte behind each, however long they are.
// Method: lengths around the size where it changes its way; against the hash of the joined bytes.
TEST(Token, HashIsOfSegmentsWithZeroes) {
  for (size_t size = 0; size<1'200; size += size % 512> 500 || size % 512 < 12 ? 1 : 61) {
    const std::string a(size, 'x'), b = "second";
    const std::array<std::string_view, 2> segments = {a, b};
    std::string expected, token = "before";
    AppendHash(expected, a + '\0' + b + '\0');
    AppendHash(token, segments);
    EXPECT_EQ(token, "before" + expected) << size;
  }
  std::string token;
  const std::array<std::string_view, 1> one = {"post7"};
  AppendHash(token, one);
  // Kept: stored keys hold it.
  EXPECT_EQ(fmt::format("{:016x}", LoadBe64(token.data())), "89c3693c28279de4");
}

// Goal:   the tag is found as Redis Cluster finds it.
TEST(Token, HashesTheTag) {
  struct Case {
    std::string_view key, part;
  };
  const Case cases[] = {{"plain", "plain"},   {"a{b}c", "b"}, {"{b}", "b"},    {"a{}c", "a{}c"},
                        {"a{}{b}", "a{}{b}"}, {"a{b", "a{b"}, {"a}b{c}", "c"}, {"a{{b}}", "{b"},
                        {"a{b}{c}", "b"},     {"", ""},       {"{}", "{}"},    {"{", "{"}};
  for (const Case& one : cases) EXPECT_EQ(HashedPart(one.key), one.part) << one.key;
}

// Goal:   hashing spreads 1M keys over 11 shards within 5 % of even.
// Method: keys as applications make them: two ids that grow, ids with a fixed front, one id.
TEST(Token, HashSpreadsKeysEvenly) {
  constexpr uint32_t kShards = 11, kKeys = 1'000'000;
  std::vector<model::Shard> shards(kShards);
  for (uint32_t i = 0; i < kShards; ++i) {
    shards[i].begin = model::EvenHashCut(i, kShards);
    shards[i].end = i + 1 < kShards ? model::EvenHashCut(i + 1, kShards) : "";
  }
  const auto map = *model::ShardMap::Make(model::Epoch(1), shards);
  for (int shape = 0; shape < 3; ++shape) {
    std::array<uint32_t, kShards> count = {};
    std::string token;
    for (uint32_t i = 0; i < kKeys; ++i) {
      const std::string reviewer = std::to_string(i / 3), vendor = std::to_string(i % 997);
      const std::string user = fmt::format("user{:012}", i);
      token.clear();
      if (shape == 0) AppendHash(token, std::array<std::string_view, 2>{reviewer, vendor});
      if (shape == 1) AppendHash(token, std::array<std::string_view, 1>{user});
      if (shape == 2) AppendHash(token, "likes:" + std::to_string(i));
      ++count[map->Find(model::KeyspaceId(0), token)];
    }
    const double even = double{kKeys} / kShards;
    for (uint32_t i = 0; i < kShards; ++i) {
      EXPECT_GT(count[i], even * 0.95) << shape << " " << i;
      EXPECT_LT(count[i], even * 1.05) << shape << " " << i;
    }
  }
}

}  // namespace
}  // namespace sluice::route
