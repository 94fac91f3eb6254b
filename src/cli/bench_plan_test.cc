#include "cli/bench_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/bench_count.h"
#include "cli/bench_scenarios.h"

namespace sluice::cli {
namespace {

BenchPlan Plan(const BenchOptions& options) {
  Result<BenchPlan> plan = MakeBenchPlan(options);
  EXPECT_TRUE(plan.has_value()) << (plan.has_value() ? "" : plan.error().message);
  return plan.has_value() ? std::move(*plan) : BenchPlan();
}

double RateAt(const BenchStream& stream, size_t phase) {
  return stream.phases.at(phase).rate;
}

// Goal:   each scenario can be run at its own rate; streams share it by their weight, and the
//         connections by their lines, and each has at least one.
// Method: all scenarios, few and many connections.
TEST(BenchPlan, SharesRateAndConnections) {
  for (const BenchScenario& scenario : BenchScenarios()) {
    for (const size_t connections : {1, 50, 1'000}) {
      const BenchPlan plan =
          Plan({.scenario = std::string(scenario.name), .connections = connections});
      ASSERT_EQ(plan.streams.size(), scenario.streams.size());
      EXPECT_EQ(plan.rate, scenario.rate);
      double rate = 0;
      uint64_t weights = 0, lines = 0;
      for (const BenchStreamSpec& spec : scenario.streams) {
        weights += spec.weight;
        lines += spec.lines;
      }
      for (size_t i = 0; i < plan.streams.size(); ++i) {
        const BenchStream& stream = plan.streams[i];
        const BenchStreamSpec& spec = scenario.streams[i];
        rate += stream.rate;
        EXPECT_NEAR(stream.rate, double(plan.rate * spec.weight) / double(weights), 1e-6);
        EXPECT_EQ(RateAt(stream, 0), stream.rate);
        EXPECT_GE(stream.connections, 1u);
        EXPECT_GE(stream.keys.count, 1u);
        EXPECT_NEAR(double(stream.connections), double(connections * spec.lines) / double(lines),
                    1);
      }
      EXPECT_NEAR(rate, static_cast<double>(plan.rate), 1e-6);
    }
  }
}

// Goal:   a flash sale is one key at 25,000/s and ten sellers of 100,000 items each at 9,500/s,
//         and in proportion where the machine cannot carry them.
// Method: its plan as it is, scaled, and at a rate.
TEST(BenchPlan, SellsInAFlash) {
  for (const auto& [options, times] : std::vector<std::pair<BenchOptions, double>>{
           {{.scenario = "flash-sale"}, 1},
           {{.scenario = "flash-sale", .scale = 0.25}, 0.25},
           {{.scenario = "flash-sale", .rate = 12'000}, 0.1}}) {
    const BenchPlan plan = Plan(options);
    EXPECT_NEAR(plan.streams[0].rate, 25'000 * times, 1e-6);
    EXPECT_NEAR(plan.streams[1].rate, 10 * 9'500 * times, 1e-6);
    EXPECT_EQ(plan.streams[0].keys.count, 1u);
    EXPECT_EQ(plan.streams[1].keys.first, 100'000u);
    EXPECT_EQ(plan.streams[1].keys.count, 10 * 100'000u);
    EXPECT_EQ(plan.own_rate, 120'000u);
  }
}

// Goal:   the classes are told to the server; critical is a thirtieth, with connections to spare.
TEST(BenchPlan, MixesClasses) {
  const BenchPlan plan = Plan({.scenario = "mixed", .rate = 300'000, .connections = 330});
  std::vector<std::string> classes;
  for (const BenchStream& stream : plan.streams) classes.push_back(stream.priority);
  EXPECT_THAT(classes, testing::ElementsAre("critical", "normal", "low"));
  EXPECT_NEAR(plan.streams[0].rate, 10'000, 1e-6);
  EXPECT_EQ(plan.streams[0].connections, 40u);
}

// Goal:   steps and bursts give the phases that they say.
TEST(BenchPlan, MakesPhases) {
  const BenchPlan steps =
      Plan({.scenario = "mixed", .rate = 3'000, .steps = {0.5, 1, 3}, .seconds = 10});
  ASSERT_EQ(steps.streams[1].phases.size(), 3u);
  EXPECT_NEAR(RateAt(steps.streams[1], 0), 1'000, 1e-6);
  EXPECT_NEAR(RateAt(steps.streams[1], 2), 6'000, 1e-6);
  EXPECT_EQ(steps.streams[1].phases[0].us, 3'333'333u);
  const BenchPlan bursts = Plan({.scenario = "burst", .rate = 1'000, .seconds = 60});
  ASSERT_EQ(bursts.streams[0].phases.size(), 4u);
  EXPECT_EQ(RateAt(bursts.streams[0], 1), 10'000);
}

// Goal:   steps are all of those that were written, or are refused.
// Method: a table.
TEST(BenchPlan, ParsesSteps) {
  EXPECT_EQ(ParseBenchSteps("0.5,1,3").value(), (std::vector<double>{0.5, 1, 3}));
  EXPECT_EQ(ParseBenchSteps("0,1000").value(), (std::vector<double>{0, 1'000}));
  std::string many = "1";
  for (size_t i = 1; i < kBenchStepsMax; ++i) many += ",1";
  EXPECT_EQ(ParseBenchSteps(many).value().size(), kBenchStepsMax);
  for (const std::string& text :
       {std::string(), std::string("1,,2"), std::string("1,"), std::string(",1"), std::string("x"),
        std::string("1 2"), std::string("-1"), std::string("1001"), std::string("nan"),
        many + ",1"}) {
    const auto steps = ParseBenchSteps(text);
    ASSERT_FALSE(steps.has_value()) << text;
    EXPECT_EQ(steps.error().code, Code::kInvalid);
  }
}

// Goal:   bursts are seen unless less was asked for, and then that is said.
TEST(BenchPlan, Bursts) {
  const BenchPlan usual = Plan({.scenario = "burst"});
  EXPECT_EQ(usual.seconds, 60u);
  EXPECT_EQ(usual.note, "");
  EXPECT_EQ(Plan({.scenario = "burst", .seconds = 26}).note, "");
  EXPECT_THAT(Plan({.scenario = "burst", .seconds = 25}).note, testing::HasSubstr("none in 25 s"));
  EXPECT_EQ(Plan({.scenario = "set"}).seconds, 10u);
  EXPECT_EQ(Plan({.scenario = "set"}).note, "");
}

// Goal:   what is still due goes out for as long as the run took, up to a bound, or as said.
TEST(BenchPlan, Drains) {
  EXPECT_EQ(Plan({.scenario = "set", .seconds = 3}).drain_us, 3'000'000u);
  EXPECT_EQ(Plan({.scenario = "set", .seconds = 60}).drain_us, kBenchDrainSeconds * 1'000'000);
  EXPECT_EQ(Plan({.scenario = "set", .seconds = 60, .drain_seconds = 0}).drain_us, 0u);
}

// Goal:   counters are found where they can be read again, and only there.
// Method: all scenarios; commands of one's own are never counted.
TEST(BenchPlan, CountsWhatItIncrements) {
  const auto counters = [](const char* scenario) {
    return CountersOf(Plan({.scenario = scenario, .keys = 1'000}));
  };
  EXPECT_EQ(counters("incr"), 1'000u);
  EXPECT_EQ(counters("likes"), 1'000u);
  EXPECT_EQ(counters("chat"), 1'000u);
  EXPECT_EQ(counters("mixed"), 2'000u);
  EXPECT_EQ(counters("flash-sale"), 1'000'001u);
  EXPECT_EQ(counters("set") + counters("cache") + counters("iot") + counters("burst"), 0u);
  EXPECT_EQ(CountersOf(Plan({.scenario = "incr", .keys = kBenchCountedMax + 1})), 0u);
  EXPECT_FALSE(Plan({.commands = {"INCR a:{key}"}}).counts);
  EXPECT_FALSE(IsCounted(BenchCommand::Parse("INCR a:{n}", 1).value()));
  EXPECT_FALSE(IsCounted(BenchCommand::Parse("INCRBY a:{key} 2", 1).value()));
}

// Goal:   what cannot be meant is refused with the reason.
// Method: a table.
TEST(BenchPlan, RefusesTheRest) {
  for (const auto& [options, reason] : std::vector<std::pair<BenchOptions, std::string>>{
           {{}, "name a scenario"},
           {{.scenario = "set", .commands = {"PING"}}, "a scenario, 'set', and commands of --do"},
           {{.scenario = "set", .steps = {0}}, "nothing would be sent"},
           {{.scenario = "nosuch"}, "no scenario 'nosuch'"},
           {{.commands = {"GET {k}"}}, "none of {key}"},
           {{.scenario = "burst", .steps = {1, 2}}, "schedule of its own"},
           {{.scenario = "burst", .rate = kBenchRateMax}, "the rate must be"},
           {{.scenario = "set", .rate = kBenchRateMax, .steps = {0.5, 1.5}}, "the rate must be"},
           {{.scenario = "set", .scale = 1e-6}, "the rate must be"}}) {
    const Result<BenchPlan> plan = MakeBenchPlan(options);
    ASSERT_FALSE(plan.has_value()) << reason;
    EXPECT_EQ(plan.error().code, Code::kInvalid);
    EXPECT_THAT(plan.error().message, testing::HasSubstr(reason));
  }
}

}  // namespace
}  // namespace sluice::cli
