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
  for (const char* text : {"", "x", "-1", "0", "1e400", "nan", "inf", "12 000", "1kk", "5%"}) {
    EXPECT_FALSE(inputs.Set("writes", text).ok()) << text;
  }
  for (const char* text : {"100%", "-1%", "1", "x%", ""}) {
    EXPECT_FALSE(inputs.Set("headroom", text).ok()) << text;
  }
  for (const char* text : {"1h", "ms", "-1ms", ""}) {
    EXPECT_FALSE(inputs.Set("window", text).ok()) << text;
  }
  for (const char* text : {"", "1,,2", "x9", "0x9", "3x", "1000000x5"}) {
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
