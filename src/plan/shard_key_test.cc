#include "plan/shard_key.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/prng.h"

namespace sluice::plan {
namespace {

// Goal:   what chance makes of rows on shards that are alike is known: hardly a map has more, and
//         the bound is not far above what maps have.
// Method: maps filled at random, from many rows for each shard to less than one; the least and the
//         greatest skew of many maps beside the bound.
TEST(ChanceSkew, BoundsWhatChanceMakes) {
  struct Case {
    uint64_t rows;
    uint32_t shards;
  };
  for (const auto& [rows, shards] : {Case{60'000, 8}, Case{60'000, 2}, Case{50'000, 4'096},
                                     Case{3'000, 64}, Case{1'000, 4'096}, Case{10, 8}}) {
    const double bound = ChanceSkew(rows, shards);
    const double mean = static_cast<double>(rows) / shards;
    Prng prng(rows + shards);
    int beyond = 0;
    double most = 0;
    for (int map = 0; map < 100; ++map) {
      std::vector<double> counts(shards, 0);
      for (uint64_t i = 0; i < rows; ++i) ++counts[prng() % shards];
      const double skew = *std::max_element(counts.begin(), counts.end()) / mean;
      beyond += skew > bound;
      most = std::max(most, skew);
    }
    EXPECT_LE(beyond, 4) << rows << " on " << shards;
    EXPECT_LE((bound - 1) / (most - 1), 2) << rows << " on " << shards;
  }
  EXPECT_EQ(ChanceSkew(0, 8), 1);
  EXPECT_EQ(ChanceSkew(1'000, 1), 1);
}

KeyFacts Even(uint64_t rows, uint32_t shards, double skew) {
  KeyFacts facts;
  facts.columns = {"user"};
  facts.fact.rows = 10 * rows;
  facts.fact.distinct = 5 * static_cast<double>(rows);
  facts.fact.top_count = 7;
  facts.hash = {.shards = shards, .rows = rows, .skew = skew};
  return facts;
}

bool Finds(const Verdict& verdict, std::string_view code) {
  return std::any_of(verdict.findings.begin(), verdict.findings.end(),
                     [&](const Finding& finding) { return finding.code == code; });
}

// Goal:   a key is not called uneven for what chance makes of a small sample, and is for more.
// Method: a skew of 2.1 and of 6 over 4,096 shards with 12 rows for each, and of 2.1 with many.
TEST(Judge, AllowsForChanceInUnevenness) {
  const Verdict chance = Judge(Even(50'000, 4'096, 2.1));
  EXPECT_EQ(chance.grade, Grade::kGood);
  EXPECT_TRUE(Finds(chance, "small_sample"));
  EXPECT_FALSE(Finds(chance, "uneven"));
  const Verdict beyond = Judge(Even(50'000, 4'096, 6));
  EXPECT_EQ(beyond.grade, Grade::kBad);
  EXPECT_TRUE(Finds(beyond, "uneven"));
  const Verdict certain = Judge(Even(50'000, 8, 2.1));
  EXPECT_EQ(certain.grade, Grade::kBad);
  EXPECT_TRUE(Finds(certain, "uneven"));
  EXPECT_FALSE(Finds(certain, "small_sample"));
}

// Goal:   a column's name becomes one that a template takes, the same where it is one already, and
//         another for each column.
// Method: names with what stands in files, with digits in front, in another script, and such that
//         would become the same.
TEST(SegmentNames, AreSuchAsTemplatesTake) {
  const std::vector<std::string> columns = {"user_id", "z:1",     "user.id", "1st", "größe, \"x\"",
                                            "",        "user id", "_",       "a_",  "a__"};
  const std::vector<std::string> names = {"user_id", "z_1",       "user_id_2", "_1st", "gr_e_x_",
                                          "__2",     "user_id_3", "_",         "a_",   "a__2"};
  EXPECT_EQ(SegmentNames(columns), names);
}

}  // namespace
}  // namespace sluice::plan
