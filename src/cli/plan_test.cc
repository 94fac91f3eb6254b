#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/plan_live.h"
#include "cli/plan_report.h"

namespace sluice::cli {
namespace {

using testing::HasSubstr;

PlanReport ReportOf(std::initializer_list<std::pair<std::string_view, std::string_view>> values) {
  PlanReport report;
  for (const auto& [name, text] : values) {
    const Status status = report.inputs.Set(name, text);
    EXPECT_TRUE(status.ok()) << (status.ok() ? "" : status.error().message);
  }
  report.sections = MakePlan(report.inputs);
  return report;
}

// Goal:   the worked examples come out in words, with their arithmetic.
// Method: each as a person would ask for it; the numbers that must be there, by hand.
TEST(Plan, PrintsTheWorkedExamples) {
  const auto expect = [](std::initializer_list<std::pair<std::string_view, std::string_view>> in,
                         std::initializer_list<const char*> numbers) {
    const std::string text = PlanText(ReportOf(in));
    for (const char* number : numbers) EXPECT_THAT(text, HasSubstr(number));
  };
  expect({{"writes", "120000"}, {"per-shard", "15,000"}, {"headroom", "25%"}},
         {"120,000 / 15,000 = 8,", "160,000/s", "160,000 / 15,000 = 10.67", "10,909/s", "4,091/s"});
  expect({{"writes", "96k"}, {"per-shard", "12k"}, {"headroom", "0.2"}},
         {"96,000 / 12,000 = 8,", "120,000 / 12,000 = 10,"});
  expect({{"writes", "32000"},
          {"page-writes", "5000"},
          {"appends", "40000"},
          {"batch", "200"},
          {"flush", "4ms"}},
         {"impossible", "fits", "160/s", "640 ms per second"});
  expect({{"writes", "9000"}, {"row", "1.2ms"}, {"row-batch", "300"}, {"row-batch-time", "18ms"}},
         {"10,800 ms per second", "540 ms per second", "95.0 %"});
  expect({{"shard-load", "24000"}, {"split-at", "12000"}}, {"12,000/s", "median of its load"});
  expect({{"loads", "25000,10x9500"}, {"per-shard", "15000"}},
         {"looks safe", "shard 1: 167 %", "likely", "splitting the shard cannot help: 2 sub-keys"});
  expect({{"hot-key", "30000"}, {"per-shard", "12000"}},
         {"more shards do not help", "= 2.50, rounded up", "2.50 to one"});
  expect({{"hot-key", "100000"}, {"window", "1s"}}, {"100,000 writes become one row update"});
  expect({{"window", "50ms"}}, {"49.5 ms", "wait 45-50 ms", "10.0 %"});
}

// Goal:   what is not a value is refused with what would be one; nothing is taken for another.
// Method: one text for each kind and way to be wrong.
TEST(Plan, RefusesWhatIsNoNumber) {
  PlanInputs inputs;
  for (const char* text : {"", "x", "-1", "0", "1e400", "nan", "inf", "12 000", "1kk", "5%",
                           "120,00", "1,2000", "1200,000", ",120", "120,", "1,,000", "1.5,000"}) {
    EXPECT_FALSE(inputs.Set("writes", text).ok()) << text;
  }
  for (const char* text : {"100%", "-1%", "1", "x%", ""}) {
    EXPECT_FALSE(inputs.Set("headroom", text).ok()) << text;
  }
  for (const char* text : {"1h", "ms", "-1ms", ""}) {
    EXPECT_FALSE(inputs.Set("window", text).ok()) << text;
  }
  for (const char* text : {"1.5", "0", "0.5k1", "1,5"}) {
    EXPECT_FALSE(inputs.Set("lanes", text).ok()) << text;
  }
  for (const char* text : {"", "1,,2", "x9", "0x9", "3x", "1000000x5", "1.5x9"}) {
    EXPECT_FALSE(inputs.Set("loads", text).ok()) << text;
  }
  EXPECT_FALSE(inputs.Set("no", "1").ok());
  for (const char* text : {"writes", "writes=", "=1", "writes=1,x", "no=1"}) {
    EXPECT_FALSE(inputs.Change(text).ok()) << text;
  }
  EXPECT_TRUE(inputs.Change("writes=1,200,headroom=40%,window=2s").ok());
  EXPECT_EQ(inputs.Get("writes"), 1'200);
  EXPECT_EQ(inputs.Get("headroom"), 0.4);
  EXPECT_EQ(inputs.Get("window"), 2'000);
  EXPECT_TRUE(inputs.Change("writes=1,234,567.5,lanes=3,keys=1.5k,hot-key=1,200k").ok());
  EXPECT_EQ(inputs.Get("writes"), 1'234'567.5);
  EXPECT_EQ(inputs.Get("lanes"), 3);
  EXPECT_EQ(inputs.Get("keys"), 1'500);
  EXPECT_EQ(inputs.Get("hot-key"), 1'200'000);
}

// Goal:   one shard is no plural.
// Method: a load that one carries, as a chart; and loads of one shard, as text.
TEST(Plan, CountsOneShardAsOne) {
  const PlanReport one = ReportOf({{"writes", "10"}, {"per-shard", "15000"}, {"loads", "100"}});
  EXPECT_THAT(PlanSvg(one), HasSubstr(": 1 shard, 1 node<"));
  EXPECT_THAT(PlanText(one), HasSubstr("1 shard side by side"));
}

// Goal:   a shard carries no more than its lane: what is known of the lane, measured or said, goes
//         before what this program was built with, and is not called a measurement of ours.
// Method: a lane of 100,000, with and without a limit of the shard's own.
TEST(Plan, TakesAShardsLimitFromItsLane) {
  const auto of_lane = PlanText(ReportOf({{"writes", "250000"}, {"writes-per-lane", "100000"}}));
  EXPECT_THAT(of_lane, HasSubstr("250,000 / 100,000 = 2.50, rounded up"));
  EXPECT_THAT(of_lane, HasSubstr("=> per shard: what one lane carries\n"));
  EXPECT_THAT(PlanText(ReportOf(
                  {{"writes", "250000"}, {"writes-per-lane", "100000"}, {"per-shard", "50000"}})),
              HasSubstr("250,000 / 50,000 = 5, rounded up"));
  EXPECT_THAT(PlanText(ReportOf({{"hot-key", "150000"}, {"writes-per-lane", "100000"}})),
              HasSubstr("150,000 / 100,000 = 1.50"));
}

// Goal:   numbers have separators wherever they stand, and a plan that rests on nothing but what
//         was given does not say that it rests on our measurements.
// Method: figures of four and more digits of every kind; questions with and without a gap.
TEST(Plan, WritesNumbersAlikeAndNamesItsSourceWhereItHasOne) {
  const std::string text = PlanText(ReportOf(
      {{"writes", "120000"}, {"keys", "1G"}, {"value-bytes", "1000"}, {"network-bytes", "10M"}}));
  for (const char* number : {"3,363 bytes", "1,016 bytes x 3.31", "1,057 bytes", "1,057 GB",
                             "1,259 %", "(1,016 bytes + 33 of RESP)", "each = 3,363)"}) {
    EXPECT_THAT(text, HasSubstr(number));
  }
  EXPECT_TRUE(UsesFigures(ReportOf({{"writes", "1"}, {"per-shard", "1"}}).inputs));
  EXPECT_TRUE(UsesFigures(ReportOf({{"hot-key", "30000"}}).inputs));
  EXPECT_FALSE(UsesFigures(ReportOf({{"hot-key", "30000"}, {"per-shard", "12000"}}).inputs));
  EXPECT_FALSE(UsesFigures(ReportOf({{"shard-load", "24000"}, {"split-at", "8000"}}).inputs));
  EXPECT_FALSE(UsesFigures(ReportOf({{"window", "50ms"}}).inputs));
}

// Goal:   a what-if says what becomes of each figure, as text, JSON and chart.
// Method: twice the writes.
TEST(Plan, SaysWhatIf) {
  PlanReport report = ReportOf({{"writes", "600k"}, {"per-shard", "15000"}});
  PlanInputs changed = report.inputs;
  ASSERT_TRUE(changed.Change("writes=1.2M").ok());
  report.what_if.emplace_back("writes=1.2M", MakePlan(changed));
  EXPECT_THAT(PlanText(report), HasSubstr("Shards, provisioned: 40 -> 80"));
  EXPECT_THAT(PlanText(report), HasSubstr("ends first"));
  const auto json = nlohmann::json::parse(PlanJson(report));
  EXPECT_EQ(json["shards"]["provisioned"], 40);
  EXPECT_EQ(json["what_if"][0]["shards"]["provisioned"], 80);
  EXPECT_EQ(json["given"]["writes"], 600'000);
  const std::string svg = PlanSvg(report);
  EXPECT_THAT(svg, HasSubstr("what if writes=1.2M"));
  EXPECT_THAT(svg, HasSubstr("class=\"over\""));
}

// Goal:   metrics are read as Prometheus means them.
// Method: two small pages.
TEST(Plan, ReadsMetrics) {
  const std::string before =
      "# HELP a b\na_total{lane=\"0\"} 1\na_total{lane=\"1\"} 2\na_totals 9\n"
      "h_bucket{le=\"0.001\"} 5\nh_bucket{le=\"0.002\"} 5\nh_bucket{le=\"+Inf\"} 5\n";
  const std::string after =
      "h_bucket{le=\"0.001\"} 103\nh_bucket{le=\"0.002\"} 105\nh_bucket{le=\"+Inf\"} 105\n";
  EXPECT_EQ(SumOf(before, "a_total"), 3);
  EXPECT_EQ(SumOf(before, "none"), 0);
  EXPECT_EQ(P99Between(before, after, "h"), 0.002);
  EXPECT_EQ(P99Between(after, after, "h"), 0);
}

}  // namespace
}  // namespace sluice::cli
