#include "cli/bench_tally.h"

#include <gtest/gtest.h>

namespace sluice::cli {
namespace {

resp::Value Ok() {
  resp::Value reply;
  reply.type = resp::Value::Type::kSimple;
  reply.text = "OK";
  return reply;
}
resp::Value Error(std::string text) {
  resp::Value reply;
  reply.type = resp::Value::Type::kError;
  reply.text = std::move(text);
  return reply;
}

// Goal:   latencies run from the due time; each command has its own; a sample's are its own.
// Method: two commands with known latencies in two samples.
TEST(BenchTally, MeasuresFromTheDueTime) {
  BenchTally tally(2);
  for (uint64_t i = 0; i < 100; ++i) tally.OnReply(0, 1'000 * i, 1'000 * i + 40, Ok());
  BenchSample sample = tally.TakeSample(100);
  EXPECT_EQ(sample.answered, 100u);
  EXPECT_EQ(sample.latency.Quantile(0.99), 40u);
  tally.OnReply(1, 5, 1'000'005, Ok());
  sample = tally.TakeSample(101);
  EXPECT_EQ(sample.answered, 1u);
  EXPECT_EQ(sample.latency.max, 1'000'000u);
  EXPECT_EQ(tally.latency_of(0).count, 100u);
  EXPECT_EQ(tally.latency_of(0).max, 40u);
  EXPECT_EQ(tally.latency_of(1).max, 1'000'000u);
  EXPECT_EQ(tally.latency().count, 101u);
  EXPECT_EQ(tally.latency().Quantile(0.5), 40u);
}

// Goal:   a sample says what became due and what still waits; samples add up.
// Method: replies of each kind in three samples, the first reply before its command is due.
TEST(BenchTally, KnowsWhatWaits) {
  BenchTally tally(1);
  tally.OnReply(0, 10, 12, Ok());
  BenchSample sample = tally.TakeSample(0);
  EXPECT_EQ(sample.queue, 0u);
  EXPECT_EQ(sample.answered, 1u);
  BenchSample all = sample;
  tally.OnReply(0, 10, 20, Error("OVERLOADED reason=log class=low"));
  tally.OnReply(0, 10, 20, Error("ERR what"));
  sample = tally.TakeSample(10);
  EXPECT_EQ(sample.due, 10u);
  EXPECT_EQ(sample.queue, 7u);
  EXPECT_EQ(sample.refused, 1u);
  EXPECT_EQ(sample.errors, 1u);
  all.Merge(sample);
  for (int i = 0; i < 5; ++i) tally.OnReply(0, 10, 100, Ok());
  sample = tally.TakeSample(12);
  EXPECT_EQ(sample.due, 2u);
  EXPECT_EQ(sample.queue, 4u);
  EXPECT_EQ(sample.refused + sample.errors, 0u);
  all.Merge(sample);
  EXPECT_EQ(all.due, 12u);
  EXPECT_EQ(all.answered, 6u);
  EXPECT_EQ(all.latency.count, 6u);
}

// Goal:   a command without a reply makes the run slower, never faster.
// Method: 98 fast ones and 2 that were never answered: the 99th percentile is their age.
TEST(BenchTally, CountsWhatWasNeverAnswered) {
  BenchTally tally(1);
  for (int i = 0; i < 98; ++i) tally.OnReply(0, 0, 10, Ok());
  tally.OnUnanswered(0, 50);
  tally.OnUnanswered(0, 50);
  EXPECT_EQ(tally.answered(), 98u);
  EXPECT_EQ(tally.unanswered(), 2u);
  EXPECT_EQ(tally.latency().Quantile(0.98), 10u);
  EXPECT_EQ(tally.latency().Quantile(0.99), 50u);
}

// Goal:   refusals are told apart by their reason, errors by their first word; neither counts as
//         an answer.
// Method: each kind, and more kinds than are kept.
TEST(BenchTally, TellsRefusalsAndErrorsApart) {
  BenchTally tally(1);
  tally.OnReply(0, 0, 1, Error("THROTTLED reason=limit scope=likes retry_ms=5 applied=no"));
  tally.OnReply(0, 0, 9, Error("THROTTLED reason=limit retry_ms=7 applied=no"));
  tally.OnReply(0, 0, 1, Error("OVERLOADED reason=queue"));
  tally.OnReply(0, 0, 1, Error("TRYAGAIN later reason=none"));
  tally.OnReply(0, 0, 1, Error("OVERLOADED"));
  EXPECT_EQ(tally.errors(), 0u);
  EXPECT_EQ(tally.refused(), 5u);
  EXPECT_EQ(tally.refusals_by_reason(), (BenchCounts{{"OVERLOADED", 1},
                                                     {"OVERLOADED reason=queue", 1},
                                                     {"THROTTLED reason=limit", 2},
                                                     {"TRYAGAIN", 1}}));
  EXPECT_EQ(tally.refusal_latency().max, 9u);
  tally.OnReply(0, 0, 1, Error("WRONGTYPE Operation against a key"));
  tally.OnReply(0, 0, 1, Error("ERR"));
  tally.OnReply(0, 0, 1, Error(""));
  EXPECT_EQ(tally.errors_by_name(), (BenchCounts{{"", 1}, {"ERR", 1}, {"WRONGTYPE", 1}}));
  EXPECT_EQ(tally.latency().count, 0u);
  for (int i = 0; i < 100; ++i) tally.OnReply(0, 0, 1, Error("E" + std::to_string(i)));
  EXPECT_LE(tally.errors_by_name().size(), kBenchErrorNames + 1);
  EXPECT_EQ(tally.errors(), 103u);
}

}  // namespace
}  // namespace sluice::cli
