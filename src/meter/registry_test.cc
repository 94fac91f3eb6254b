#include "meter/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "meter/meter.h"

namespace sluice::meter {
namespace {

using testing::HasSubstr;
using testing::Not;

enum class Close : uint8_t { kBytes, kIdle };
inline constexpr Label<Close, 2> kClose{"reason", {"bytes", "idle"}};

struct LaneMeters : Set {
  Counter commands{*this, "sluice_ingest_commands_total", "Commands executed."};
  Per<Counter, kClose> closes{*this, "sluice_ingest_closes_total", "Groups closed, and why."};
  Gauge open{*this, "sluice_ingest_connections_open", "Connections that are open."};
  Gauge oldest{*this,
               "sluice_ingest_oldest_seconds",
               "Age of the oldest waiting write.",
               {.unit = Unit::kMicroseconds, .merge = Merge::kMax}};
  Histogram wait{*this,
                 "sluice_ingest_wait_seconds",
                 "Time from arrival to reply.",
                 {.unit = Unit::kMicroseconds}};
  Histogram batch{*this, "sluice_ingest_batch_commands", "Commands of one turn."};
  Reading memory{*this,
                 Kind::kGauge,
                 "sluice_ingest_memory_bytes",
                 "Memory in use.",
                 [] { return 1.5e9; },
                 {.unit = Unit::kBytes}};
};

std::string Line(const std::string& text, const std::string& start) {
  const size_t at = text.find("\n" + start);
  if (at == std::string::npos) return "";
  return text.substr(at + 1, text.find('\n', at + 1) - at - 1);
}

// Goal:   lanes without a label appear as one, gauges as their Merge says; units are Prometheus'
//         own; each family is headed by its help and type.
TEST(Registry, AddsLanesUp) {
  LaneMeters lanes[3];
  Registry registry;
  for (int i = 0; i < 3; ++i) {
    registry.Add(lanes[i]);
    lanes[i].commands.Add(10 + i);
    lanes[i].closes[Close::kIdle].Add(i);
    lanes[i].open.Add(5);
    lanes[i].open.Add(-1);
    lanes[i].oldest.Set(1'000'000 * i);
    lanes[i].wait.Record(3);
    lanes[i].batch.Record(4);
  }
  const std::string text = "\n" + registry.PrometheusText();
  EXPECT_THAT(text, HasSubstr("# HELP sluice_ingest_commands_total Commands executed.\n"
                              "# TYPE sluice_ingest_commands_total counter\n"
                              "sluice_ingest_commands_total 33\n"));
  EXPECT_THAT(text, HasSubstr("\nsluice_ingest_closes_total{reason=\"bytes\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("\nsluice_ingest_closes_total{reason=\"idle\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("\nsluice_ingest_connections_open 12\n"));
  EXPECT_THAT(text, HasSubstr("\nsluice_ingest_oldest_seconds 2\n"));
  EXPECT_THAT(text, HasSubstr("\nsluice_ingest_wait_seconds_bucket{le=\"2e-06\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("\nsluice_ingest_wait_seconds_bucket{le=\"4e-06\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("\nsluice_ingest_wait_seconds_bucket{le=\"+Inf\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("\nsluice_ingest_wait_seconds_count 3\n"));
  EXPECT_THAT(Line(text, "sluice_ingest_wait_seconds_sum"), HasSubstr("9e-06"));
  EXPECT_THAT(text, HasSubstr("\nsluice_ingest_batch_commands_bucket{le=\"3\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("\nsluice_ingest_batch_commands_bucket{le=\"7\"} 3\n"));
  EXPECT_EQ(registry.Total("sluice_ingest_commands_total"), 33);
  EXPECT_EQ(registry.Total("sluice_ingest_closes_total", {{"reason", "idle"}}), 3);
  EXPECT_EQ(registry.Total("sluice_ingest_closes_total", {{"reason", "?"}}), 0);
  EXPECT_EQ(registry.Total("sluice_ingest_oldest_seconds"), 2'000'000);
  EXPECT_EQ(registry.Total("sluice_ingest_memory_bytes"), 4.5e9);
  EXPECT_EQ(registry.Total("no such meter"), 0);
  EXPECT_EQ(registry.TotalDistribution("sluice_ingest_wait_seconds").Quantile(0.5), 3u);
  EXPECT_EQ(registry.TotalDistribution("sluice_ingest_commands_total").count, 0u);
}

// Goal:   labels keep sources apart, with any text as a value, until a source is removed.
TEST(Registry, KeepsLabelsApart) {
  LaneMeters orders, likes;
  Registry registry;
  registry.Add(orders, {{"keyspace", "orders"}});
  registry.Add(likes, {{"keyspace", "a\"b\\c\nd"}});
  orders.commands.Add(1);
  likes.commands.Add(2);
  std::string text = registry.PrometheusText();
  EXPECT_THAT(text, HasSubstr("sluice_ingest_commands_total{keyspace=\"orders\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("sluice_ingest_commands_total{keyspace=\"a\\\"b\\\\c\\nd\"} 2\n"));
  EXPECT_EQ(registry.Total("sluice_ingest_commands_total"), 3);
  EXPECT_EQ(registry.Total("sluice_ingest_commands_total", {{"keyspace", "orders"}}), 1);
  registry.Remove(likes);
  text = registry.PrometheusText();
  EXPECT_THAT(text, Not(HasSubstr("a\\\"b")));
  EXPECT_EQ(registry.Total("sluice_ingest_commands_total"), 1);
}

// Goal:   a reader beside a writer sees numbers that only grow, and the writer is not held up.
// Method: one thread counts, the other renders and reads; exact at the end. For the sanitizers too.
TEST(Registry, ReadsWhileOthersCount) {
  LaneMeters lane;
  Registry registry;
  registry.Add(lane);
  constexpr uint64_t kCount = 200'000;
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (uint64_t i = 0; i < kCount; ++i) {
      lane.commands.Add();
      lane.wait.Record(i);
    }
    done = true;
  });
  double last = 0;
  while (!done) {
    const double now = registry.Total("sluice_ingest_commands_total");
    EXPECT_GE(now, last);
    last = now;
    const Distribution wait = registry.TotalDistribution("sluice_ingest_wait_seconds");
    EXPECT_LE(wait.Quantile(0.5), wait.Quantile(0.99));
    EXPECT_FALSE(registry.PrometheusText().empty());
  }
  writer.join();
  EXPECT_EQ(registry.Total("sluice_ingest_commands_total"), kCount);
  EXPECT_EQ(registry.TotalDistribution("sluice_ingest_wait_seconds").count, kCount);
}

// Goal:   no name against the rules, no help that the manual could not print and no second meaning
//         of a name gets into a build.
TEST(MeterDeathTest, RefusesNamesAgainstTheRules) {
  struct Bad {
    const char* name;
    const char* help;
    Kind kind;
    Unit unit;
  };
  for (const Bad& bad : {Bad{"sluice_log_closes", "X.", Kind::kCounter, Unit::kCount},
                         Bad{"sluice_log_open_total", "X.", Kind::kGauge, Unit::kCount},
                         Bad{"log_closes_total", "X.", Kind::kCounter, Unit::kCount},
                         Bad{"sluice_closes", "X.", Kind::kGauge, Unit::kCount},
                         Bad{"sluice_log_Open", "X.", Kind::kGauge, Unit::kCount},
                         Bad{"sluice_log_sync_seconds", "X.", Kind::kHistogram, Unit::kCount},
                         Bad{"sluice_log_sync_us", "X.", Kind::kHistogram, Unit::kMicroseconds},
                         Bad{"sluice_log_written_total", "X.", Kind::kCounter, Unit::kBytes},
                         Bad{"sluice_log_open_files", "", Kind::kGauge, Unit::kCount},
                         Bad{"sluice_log_open_files", "A|b.", Kind::kGauge, Unit::kCount}}) {
    Set set;
    const Description description{bad.name, bad.help, bad.kind, {.unit = bad.unit}};
    EXPECT_DEATH(set.Declare(description, ReadFunction([] { return 0.0; })), bad.name);
  }
  struct Same : Set {
    explicit Same(const char* help) { Declare({"sluice_log_x_total", help}, ReadFunction()); }
  };
  const Same first("One."), second("Another.");
  Registry registry;
  registry.Add(first);
  EXPECT_DEATH(registry.Add(second), "sluice_log_x_total");
  EXPECT_DEATH(registry.Add(first), "known");
}

}  // namespace
}  // namespace sluice::meter
