#include "cli/advise.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "base/prng.h"
#include "cli/kit_test.h"

namespace sluice::cli {
namespace {

using testing::HasSubstr;

Result<Advice> AdviceOf(const std::string& text, Format format = Format::kCsv,
                        const AdviceOptions& options = {}) {
  PieceSource bytes(text, text.size() + 1);
  return AdviseRows(bytes, format, options);
}

Advice Made(const std::string& text, Format format = Format::kCsv,
            const AdviceOptions& options = {}) {
  Result<Advice> advice = AdviceOf(text, format, options);
  EXPECT_TRUE(advice.has_value()) << advice.error().message;
  return advice.has_value() ? *std::move(advice) : Advice{};
}

std::string Table(const std::string& header, size_t rows,
                  const std::function<std::string(size_t)>& row) {
  std::string text = header + "\n";
  for (size_t i = 0; i < rows; ++i) text += row(i) + "\n";
  return text;
}

const AdvisedKey& Key(const Advice& advice, const std::string& name) {
  for (const AdvisedKey& key : advice.keys) {
    if (key.name() == name) return key;
  }
  ADD_FAILURE() << "no key " << name;
  return advice.keys.front();
}

std::string GradeOf(const Advice& advice, const std::string& name) {
  return std::string(plan::NameOf(Key(advice, name).verdict.grade));
}

bool Finds(const Advice& advice, const std::string& name, const std::string& code) {
  for (const plan::Finding& finding : Key(advice, name).verdict.findings) {
    if (finding.code == code) return true;
  }
  return false;
}

// One of `values`, the low ones more often.
uint64_t Skewed(Prng& prng, uint64_t values) {
  const double uniform = static_cast<double>(prng() >> 11) / static_cast<double>(1ull << 53);
  return static_cast<uint64_t>(static_cast<double>(values) * uniform * uniform * uniform * uniform);
}

std::string Minute(size_t i) {
  return fmt::format("2024-{:02}-{:02} {:02}:{:02}", 1 + i / 40'320 % 12, 1 + i / 1'440 % 28,
                     i / 60 % 24, i % 60);
}

// Goal:   the best key comes first, and what is wrong with the others is said, whatever the data's
//         size and seed.
// Method: reviews as shops have them: few vendors, one of them heavy, five ratings, times in
//         order, many reviewers, numbered as they come or at random; sizes and seeds swept.
TEST(Advise, PutsTheReviewerFirst) {
  for (const size_t rows : {3'000u, 20'000u, 90'000u}) {
    for (const bool numbered : {false, true}) {
      Prng prng(rows + numbered);
      const Advice advice = Made(Table("reviewer,vendor,rating,at", rows, [&](size_t i) {
        const uint64_t reviewer = numbered ? (2 * i + prng() % rows) / 3 : prng() % (rows * 2 / 3);
        const uint64_t vendor = prng() % 4 == 0 ? 7 : Skewed(prng, 60);
        const uint64_t rating = prng() % 10 < 8 ? 5 : 1 + prng() % 5;
        return fmt::format("{},{},{},{}", reviewer, vendor, rating, Minute(i));
      }));
      EXPECT_EQ(advice.keys.front().name(), "reviewer") << rows << numbered << AdviceText(advice);
      EXPECT_EQ(GradeOf(advice, "reviewer"), "good") << rows;
      for (const char* bad : {"vendor", "rating", "at"}) EXPECT_EQ(GradeOf(advice, bad), "bad");
      EXPECT_TRUE(Finds(advice, "vendor", "few_values"));
      EXPECT_TRUE(Finds(advice, "rating", "few_values"));
      EXPECT_TRUE(Finds(advice, "at", "time"));
      EXPECT_GT(Key(advice, "at").facts.range.skew_at_a_time, 4);
      EXPECT_EQ(Finds(advice, "reviewer", "rising"), numbered);
      // What leads a clock must not come in order itself.
      EXPECT_EQ(!advice.maps.empty() && advice.maps[0].shard == "range(reviewer, at)", !numbered);
    }
  }
}

// Goal:   each of the worked examples' keys is graded as they say.
// Method: `user_id`, `customer_id`, `device_id` against `timestamp`, `product_id`, `metric_type`.
TEST(Advise, GradesTheKeysOfTheWorkedExamples) {
  Prng prng(11);
  const Advice advice = Made(Table(
      "user_id,customer_id,device_id,timestamp,product_id,metric_type", 30'000, [&](size_t i) {
        return fmt::format("u{},c{},d{},{},p{},{}", prng() % 9'000, prng() % 6'000, prng() % 4'000,
                           1'700'000'000 + i / 3, prng() % 5 == 0 ? 1 : prng() % 3'000,
                           std::array{"cpu", "mem", "disk"}[prng() % 3]);
      }));
  for (const char* good : {"user_id", "customer_id", "device_id"}) {
    EXPECT_EQ(GradeOf(advice, good), "good") << AdviceText(advice);
  }
  for (const char* bad : {"timestamp", "product_id", "metric_type"}) {
    EXPECT_EQ(GradeOf(advice, bad), "bad") << AdviceText(advice);
  }
  EXPECT_TRUE(Finds(advice, "product_id", "skewed"));
}

// Goal:   chat messages go by channel, daily logs get a cure for their hot tail, country data geo.
// Method: one table of each.
TEST(Advise, ProposesWhatTheWorkedExamplesDo) {
  Prng prng(12);
  const Advice chat = Made(Table("channel_id,message_id,body", 20'000, [&](size_t i) {
    return fmt::format("c{},m{},a message that somebody has written to number {}", prng() % 3'000,
                       i, prng());
  }));
  EXPECT_EQ(chat.keys.front().verdict.shard, "hash(channel_id)") << AdviceText(chat);
  EXPECT_TRUE(Finds(chat, "message_id", "unique"));

  const Advice logs = Made(Table("day,host,line", 20'000, [&](size_t i) {
    return fmt::format("2024-01-{:02},h{},{}", 1 + i / 1'000, prng() % 2'000, prng());
  }));
  EXPECT_TRUE(Finds(logs, "day", "time"));
  ASSERT_FALSE(logs.maps.empty());
  EXPECT_EQ(logs.maps[0].shard, "range(host, day)");
  EXPECT_GT(Key(logs, "day").facts.range.skew_at_a_time, 6);
  EXPECT_LT(logs.maps[0].spread.skew_at_a_time, 1.6);

  const Advice countries = Made(Table("country,user_id", 20'000, [&](size_t) {
    return fmt::format("{},u{}", std::array{"IN", "DE", "FR"}[prng() % 3], prng() % 8'000);
  }));
  ASSERT_FALSE(countries.maps.empty());
  EXPECT_EQ(countries.maps[0].shard, "geo(country) then hash(user_id)");
  EXPECT_LT(countries.maps[0].spread.skew, 1.6);
}

// Goal:   a key that changes in a record's life is found without being told, and never good.
// Method: orders of customers, each written three times with another state and warehouse.
TEST(Advise, FindsWhatChanges) {
  Prng prng(13);
  const std::string text = Table("order_id,customer_id,warehouse", 30'000, [&](size_t i) {
    const size_t order = i % 10'000;
    return fmt::format("o{},c{},w{}", order, order / 3, prng() % 2'000);
  });
  const Advice advice = Made(text);
  EXPECT_EQ(GradeOf(advice, "warehouse"), "bad") << AdviceText(advice);
  EXPECT_TRUE(Finds(advice, "warehouse", "changes"));
  EXPECT_EQ(Key(advice, "warehouse").facts.record, "order_id");
  EXPECT_EQ(GradeOf(advice, "customer_id"), "good");
}

// Goal:   best first holds among bad ones too.
// Method: four countries and some thousand users over more shards than either can fill: both have
//         the least score, and the countries, which stand first in the file, are far less even;
//         and a column without a value.
TEST(Advise, PutsTheMoreEvenOfBadOnesFirst) {
  Prng prng(17);
  const Advice advice =
      Made(Table("none,country,user_id", 20'000,
                 [&](size_t) {
                   return fmt::format(",{},u{}", std::array{"IN", "DE", "FR", "US"}[prng() % 4],
                                      prng() % 2'000);
                 }),
           Format::kCsv, {.shards = kShardsMost, .record = "", .together = ""});
  ASSERT_EQ(advice.keys.size(), 3u) << AdviceText(advice);
  for (const AdvisedKey& key : advice.keys) EXPECT_EQ(key.verdict.score, 0) << key.name();
  EXPECT_EQ(advice.keys[0].name(), "user_id");
  EXPECT_EQ(advice.keys[1].name(), "country");
  EXPECT_EQ(advice.keys[2].name(), "none");
}

// Goal:   what one command writes together counts.
// Method: requests that write rows of one user and of several products.
TEST(Advise, CountsWhatIsWrittenTogether) {
  Prng prng(14);
  const std::string text = Table("request,user,product", 20'000, [&](size_t i) {
    return fmt::format("r{},u{},p{}", i / 4, i / 4 % 3'000, prng() % 3'000);
  });
  const Advice advice =
      Made(text, Format::kCsv, {.shards = 8, .record = "", .together = "request"});
  EXPECT_EQ(advice.keys.front().name(), "user") << AdviceText(advice);
  EXPECT_TRUE(Finds(advice, "product", "together"));
  EXPECT_EQ(GradeOf(advice, "product"), "bad");
  EXPECT_FALSE(AdviceOf(text, Format::kCsv, {.shards = 8, .record = "no", .together = ""}));
}

// Goal:   where no single column is good, two together are found.
// Method: twenty shops with a hundred counters each.
TEST(Advise, ComposesKeys) {
  Prng prng(15);
  const Advice advice = Made(Table("shop,counter,rating", 40'000, [&](size_t) {
    return fmt::format("s{},c{},{}", prng() % 20, prng() % 100, 1 + prng() % 5);
  }));
  EXPECT_EQ(advice.keys.front().verdict.grade, plan::Grade::kGood) << AdviceText(advice);
  EXPECT_GE(advice.keys.front().facts.columns.size(), 2u);
  EXPECT_THAT(advice.keys.front().verdict.shard, HasSubstr("hash("));
}

// Goal:   of a pair, the number of values is that of all rows: never below that of either column,
//         exact when the sample holds all rows.
// Method: twenty shops with a hundred counters each, all rows in the sample; and users with one
//         rating each but for a busy one, so that the pair has hardly more values than there are
//         users, of more rows than fit.
TEST(Advise, CountsThePairsOfAllRows) {
  Prng prng(18);
  const Advice small = Made(Table("shop,counter", 40'000, [&](size_t) {
    return fmt::format("s{},c{}", prng() % 20, prng() % 100);
  }));
  EXPECT_TRUE(Key(small, "shop, counter").facts.fact.exact) << AdviceText(small);
  EXPECT_EQ(Key(small, "shop, counter").facts.fact.distinct, 2'000);

  const Advice large =
      Made(Table("user,rating", 200'000,
                 [&](size_t i) {
                   const uint64_t user = prng() % 2'500 == 0 ? 0 : prng() % 100'000;
                   return fmt::format("u{},{}", user, user == 0 ? i % 3 : user % 5);
                 }),
           Format::kCsv, {.shards = 2'048, .record = "", .together = ""});
  const plan::ColumnFact& pair = Key(large, "user, rating").facts.fact;
  const double users = Key(large, "user").facts.fact.distinct;
  EXPECT_FALSE(pair.exact) << AdviceText(large);
  EXPECT_GE(pair.distinct, users);
  EXPECT_LE(pair.distinct, 1.3 * users) << AdviceText(large);
}

// Goal:   NDJSON, with nested objects and missing members, gives what CSV gives; the JSON is whole.
// Method: the same rows as both.
TEST(Advise, ReadsNdjsonAsCsv) {
  Prng prng(16);
  std::string csv = "user.id,n\n", ndjson;
  for (int i = 0; i < 5'000; ++i) {
    const uint64_t user = prng() % 2'000;
    csv += i % 10 == 0 ? fmt::format("{},\n", user) : fmt::format("{},{}\n", user, i % 3);
    ndjson += i % 10 == 0
                  ? fmt::format("{{\"user\":{{\"id\":{}}},\"tags\":[{{\"n\":1}},[2]]}}\n", user)
                  : fmt::format("{{\"user\":{{\"id\":{}}},\"n\":{}}}\n", user, i % 3);
  }
  Advice one = Made(csv), other = Made(ndjson, Format::kNdjson);
  EXPECT_EQ(AdviceText(one), AdviceText(other));
  const auto json = nlohmann::json::parse(AdviceJson(one));
  EXPECT_EQ(json["keys"][0]["key"], "user.id");
  EXPECT_EQ(json["keys"][0]["grade"], "good");
}

// Goal:   what is proposed can be written into a configuration, whatever the columns are called.
// Method: names with what a template's cannot have, of the key, the region and the clock; the
//         names that each is to have.
TEST(Advise, ProposesNamesThatATemplateTakes) {
  Prng prng(19);
  const Advice advice = Made(Table("z:1,user.country,the day", 20'000, [&](size_t i) {
    return fmt::format("u{},{},2024-01-{:02}", prng() % 4'000,
                       std::array{"IN", "DE", "FR"}[prng() % 3], 1 + i / 1'000);
  }));
  EXPECT_EQ(advice.keys.front().name(), "z:1") << AdviceText(advice);
  EXPECT_EQ(advice.keys.front().verdict.shard, "hash(z_1)");
  ASSERT_EQ(advice.maps.size(), 2u) << AdviceText(advice);
  EXPECT_EQ(advice.maps[0].shard, "range(z_1, the_day)");
  EXPECT_EQ(advice.maps[1].shard, "geo(user_country) then hash(z_1)");
  EXPECT_THAT(AdviceText(advice), HasSubstr("in a template, z:1 is {z_1}"));
}

// Goal:   geo is proposed for what may be regions only.
// Method: ratings, flags in words and in figures, and a state beside a good key.
TEST(Advise, ProposesRegionsThatMayBeSome) {
  Prng prng(20);
  const Advice advice = Made(Table("user,rating,paid,state", 20'000, [&](size_t) {
    return fmt::format("u{},{},{},{}", prng() % 4'000, 1 + prng() % 5,
                       prng() % 2 == 0 ? "true" : "false",
                       std::array{"New York", "Ohio", "Texas"}[prng() % 3]);
  }));
  ASSERT_EQ(advice.maps.size(), 1u) << AdviceText(advice);
  EXPECT_EQ(advice.maps[0].shard, "geo(state) then hash(user)");
}

// Goal:   columns that are not looked at are counted, and none of them can be named.
// Method: a hundred columns, the last of them as the record.
TEST(Advise, SaysHowManyColumnsAreLeftOut) {
  std::string header = "c0";
  for (int i = 1; i < 100; ++i) header += fmt::format(",c{}", i);
  const std::string text = Table(header, 200, [](size_t i) {
    std::string row = fmt::format("{}", i);
    for (int column = 1; column < 100; ++column) row += fmt::format(",{}", column);
    return row;
  });
  const Advice advice = Made(text);
  EXPECT_EQ(advice.columns_left_out, 36u);
  EXPECT_THAT(AdviceText(advice), HasSubstr("36 columns were left out: the first 64"));
  EXPECT_EQ(nlohmann::json::parse(AdviceJson(advice))["columns_left_out"], 36);
  const auto beyond = AdviceOf(text, Format::kCsv, {.shards = 8, .record = "c99", .together = ""});
  ASSERT_FALSE(beyond.has_value());
  EXPECT_THAT(beyond.error().message, HasSubstr("\"c99\" is not among the 64"));
}

// Goal:   bad input is answered, never swallowed.
// Method: one text for each kind.
TEST(Advise, SaysWhatIsWrongWithItsInput) {
  const auto error = [](const std::string& text, Format format = Format::kCsv) {
    const Result<Advice> advice = AdviceOf(text, format);
    return advice.has_value() ? "accepted" : advice.error().message;
  };
  EXPECT_THAT(error(""), HasSubstr("no header row"));
  EXPECT_THAT(error("a,b\n"), HasSubstr("there are no rows"));
  EXPECT_THAT(error("a,a\n1,2\n"), HasSubstr("\"a\" is there twice"));
  EXPECT_THAT(error("a,\n1,2\n"), HasSubstr("column 2 of the header has no name"));
  EXPECT_THAT(error(std::string("\x7f"
                                "ELF\x02\x01\0\0,\x03\n1,2\n",
                                15)),
              HasSubstr("no text"));
  EXPECT_THAT(error("a,b\n1\n2,3,4\n"), HasSubstr("line 2: 1 fields where the header has 2"));
  EXPECT_THAT(error("", Format::kNdjson), HasSubstr("there are no rows"));
  EXPECT_THAT(error("[1]\n", Format::kNdjson), HasSubstr("line 1: not a JSON object"));
  EXPECT_THAT(error("{}\n", Format::kNdjson), HasSubstr("no columns"));
  const Advice ragged = Made("a,b\n1,x\n2\n3,\"y\nz\"\n4,\"5\"6\n");
  EXPECT_EQ(ragged.rows, 2u);
  EXPECT_EQ(ragged.bad_rows, 2u);
  EXPECT_THAT(AdviceText(ragged), HasSubstr("line 3: 1 fields"));
  const Advice empty = Made("a,b\n1,\n2,\n3,\n");
  EXPECT_EQ(GradeOf(empty, "b"), "bad");
  EXPECT_TRUE(Finds(empty, "b", "constant"));
}

// Goal:   ids of ranges lie where the cuts say: each id in its range.
// Method: the worked example's ids, 1 to 2,000,000, cut in two.
TEST(Advise, CutsRangesAtTheRightPlace) {
  Sample sample;
  for (int id = 1; id <= 2'000'000; id += 1'000) {
    plan::RowSample::Row& row = sample.emplace_back();
    row.text = fmt::format("{}", id);
    row.ends = {static_cast<uint32_t>(row.text.size())};
  }
  const plan::Spread spread = SimulateRange(sample, {0}, 2);
  EXPECT_DOUBLE_EQ(spread.busiest_share, 0.5);
  EXPECT_DOUBLE_EQ(spread.skew_at_a_time, 2);  // ids in order: one of the two takes a moment whole
  EXPECT_NEAR(OrderOf(sample, 0).correlation, 1, 1e-9);
  EXPECT_DOUBLE_EQ(OrderOf(sample, 0).beyond, 1);
}

}  // namespace
}  // namespace sluice::cli
