// What is counted of commands: their times, errors and spikes, and how fast counts grow.
#include "server/meters.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "base/prng.h"
#include "server/command_totals.h"
#include "server/latency_events.h"
#include "server/node_fixture.h"
#include "server/rate.h"

namespace sluice::server {
namespace {

// Goal:   each call is counted once, under the least power of two that it did not exceed.
// Method: every time to 5,000 us, the edges of all powers, and times beyond the last.
TEST(CommandCount, CountsByPowersOfTwo) {
  std::vector<uint64_t> times;
  for (uint64_t us = 0; us <= 5'000; ++us) times.push_back(us);
  for (int bit = 0; bit < 64; ++bit) {
    for (const uint64_t near : {-1, 0, 1}) times.push_back((uint64_t{1} << bit) + near);
  }
  for (const uint64_t us : times) {
    CommandCount count;
    count.Ran(us);
    size_t at = 0, counted = 0;
    for (size_t i = 0; i < CommandCount::kTimes; ++i) {
      if (count.times[i].value() > 0) at = i;
      counted += count.times[i].value();
    }
    EXPECT_EQ(counted, 1u);
    EXPECT_EQ(count.microseconds.value(), us);
    EXPECT_TRUE(at + 1 == CommandCount::kTimes || us <= uint64_t{1} << at) << us;
    EXPECT_TRUE(at == 0 || us > uint64_t{1} << (at - 1)) << us;
  }
}

// Goal:   a share of the calls is what all calls together say, whatever lane they ran on.
TEST(CommandTotals, AddsUpLanesAndFindsShares) {
  NodeFixture node({.lanes = 2});
  const command::Spec& spec = *command::FindCommand("get");
  const auto place = static_cast<size_t>(&spec - command::AllCommands().data());
  EXPECT_EQ(TotalsOf(node.context(), place).Quantile(0.5), 0u);
  for (int i = 0; i < 90; ++i) node.connections(0).counts().Of(spec).Ran(3);
  for (int i = 0; i < 10; ++i) node.connections(1).counts().Of(spec).Ran(1'000);
  const CommandTotals totals = TotalsOf(node.context(), place);
  EXPECT_EQ(totals.calls, 100u);
  EXPECT_EQ(totals.microseconds, 90u * 3 + 10u * 1'000);
  EXPECT_EQ(totals.Quantile(0.0), 4u);
  EXPECT_EQ(totals.Quantile(0.9), 4u);
  EXPECT_EQ(totals.Quantile(0.91), 1024u);
  EXPECT_EQ(totals.Quantile(1.0), 1024u);
  node.connections(0).counts().Reset();
  EXPECT_EQ(TotalsOf(node.context(), place).calls, 10u);
}

// Goal:   errors are counted by their first word; what is none of ours is not.
TEST(CommandCounts, CountsErrorsByWord) {
  CommandCounts counts;
  for (const char* reply : {"-ERR x\r\n", "-ERR\r\n", "-WRONGTYPE Operation\r\n",
                            "-NOSUCH word\r\n", "-ERRX y\r\n", "-"}) {
    counts.CountError(reply);
  }
  EXPECT_EQ(counts.errors(0), 1u) << kErrorWords[0] << ": one of them has no text";
  EXPECT_EQ(counts.errors(1), 1u) << kErrorWords[1];
  uint64_t all = 0;
  for (size_t i = 0; i < kErrorWords.size(); ++i) all += counts.errors(i);
  EXPECT_EQ(all, 2u);
}

// Goal:   each reason of an OVERLOADED has a count, and nothing else is in them.
// Method: the text of every reason as refusals make it; other errors, and reasons that are none.
TEST(Meters, CountOverloadedByReason) {
  Meters meters;
  for (size_t i = 0; i < kOverloaded.values.size(); ++i) {
    for (size_t n = 0; n <= i; ++n) {
      meters.CountOverloaded(
          "-" + admit::Overloaded(kOverloaded.values[i], model::Priority::kLow, 5) + "\r\n");
    }
  }
  for (const char* other : {"-THROTTLED reason=log scope=a\r\n", "-OVERLOADED reason=lo\r\n",
                            "-OVERLOADED reason=logs class=low\r\n", "-ERR x\r\n", "-"}) {
    meters.CountOverloaded(other);
  }
  for (size_t i = 0; i < kOverloaded.values.size(); ++i) {
    EXPECT_EQ(meters.overloaded[static_cast<Overloaded>(i)].value(), i + 1);
  }
}

// Goal:   of each second the highest spike is kept, of all seconds the last kSamplesMax.
// Method: spikes drawn at random over more seconds than are kept, beside a plain list of them.
TEST(LatencyEvents, KeepsTheHighestOfEachSecond) {
  using Event = LatencyEvents::Event;
  LatencyEvents events;
  EXPECT_FALSE(events.IsSpike(UINT64_MAX)) << "off at the start";
  events.threshold_ms = 5;
  EXPECT_FALSE(events.IsSpike(4'999));
  EXPECT_TRUE(events.IsSpike(5'000));
  EXPECT_FALSE(events.Reset(Event::kCommand));
  Prng prng(1);
  uint64_t highest = 0;
  std::map<uint64_t, uint64_t> seconds;
  for (uint64_t second = 100; second < 100 + 2 * LatencyEvents::kSamplesMax; ++second) {
    for (int i = 0; i < 3; ++i) {
      const uint64_t ms = 5 + prng() % 100;
      events.Add(Event::kCommand, second, ms);
      seconds[second] = std::max(seconds[second], ms);
      highest = std::max(highest, ms);
    }
  }
  const LatencyEvents::Spikes spikes = events.Of(Event::kCommand);
  ASSERT_EQ(spikes.samples.size(), LatencyEvents::kSamplesMax);
  EXPECT_EQ(spikes.highest_ms, highest);
  for (const LatencyEvents::Sample& sample : spikes.samples) {
    EXPECT_EQ(sample.ms, seconds[sample.unix_s]);
  }
  EXPECT_EQ(spikes.samples.back().unix_s, seconds.rbegin()->first);
  EXPECT_TRUE(events.Of(Event::kFastCommand).samples.empty());
  EXPECT_TRUE(events.Reset(Event::kCommand));
  EXPECT_TRUE(events.Of(Event::kCommand).samples.empty());
  EXPECT_EQ(LatencyEvents::Named("FAST-command"), Event::kFastCommand);
  EXPECT_EQ(LatencyEvents::Named("fork"), std::nullopt);
}

// Goal:   a rate is that of the last looks, not of all time.
TEST(Rate, IsOfTheLastLooks) {
  Rate rate;
  uint64_t count = 0, us = 1'000'000;
  const auto look = [&](uint64_t more) { rate.Look(count += more, us += 100'000); };
  for (size_t i = 0; i < Rate::kSpanTicks; ++i) {
    look(1'000);
    EXPECT_EQ(rate.per_second(), 0u);
  }
  look(1'000);
  EXPECT_EQ(rate.per_second(), 10'000u);
  for (size_t i = 0; i < Rate::kSpanTicks; ++i) look(0);
  EXPECT_EQ(rate.per_second(), 0u);
}

}  // namespace
}  // namespace sluice::server
