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

// Goal:   latencies run from the due time; each command has its own; a second's are its own.
// Method: two commands with known latencies in two seconds.
TEST(BenchTally, MeasuresFromTheDueTime) {
  BenchTally tally(2);
  for (uint64_t i = 0; i < 100; ++i) tally.OnReply(0, 1'000 * i, 1'000 * i + 40, Ok());
  BenchSecond second = tally.TakeSecond();
  EXPECT_EQ(second.answered, 100u);
  EXPECT_EQ(second.p99, 40u);
  tally.OnReply(1, 5, 1'000'005, Ok());
  second = tally.TakeSecond();
  EXPECT_EQ(second.answered, 1u);
  EXPECT_EQ(second.max, 1'000'000u);
  EXPECT_EQ(tally.latency_of(0).count, 100u);
  EXPECT_EQ(tally.latency_of(0).max, 40u);
  EXPECT_EQ(tally.latency_of(1).max, 1'000'000u);
  EXPECT_EQ(tally.latency().count, 101u);
  EXPECT_EQ(tally.latency().Quantile(0.5), 40u);
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

// Goal:   errors are told apart by their first word, have no latency, and refusals are no failures.
// Method: each kind, and more kinds than are kept.
TEST(BenchTally, TellsErrorsApart) {
  BenchTally tally(1);
  tally.OnReply(0, 0, 1, Error("THROTTLED reason=limit retry_ms=5 applied=no"));
  tally.OnReply(0, 0, 1, Error("THROTTLED reason=limit retry_ms=5 applied=no"));
  tally.OnReply(0, 0, 1, Error("OVERLOADED reason=queue"));
  EXPECT_EQ(tally.failures(), 0u);
  tally.OnReply(0, 0, 1, Error("WRONGTYPE Operation against a key"));
  tally.OnReply(0, 0, 1, Error("ERR"));
  EXPECT_EQ(tally.failures(), 2u);
  EXPECT_EQ(tally.error_count(), 5u);
  EXPECT_EQ(tally.errors().at("THROTTLED"), 2u);
  EXPECT_EQ(tally.errors().at("ERR"), 1u);
  EXPECT_EQ(tally.latency().count, 0u);
  EXPECT_EQ(tally.TakeSecond().errors, 5u);
  EXPECT_EQ(tally.TakeSecond().errors, 0u);
  for (int i = 0; i < 100; ++i) tally.OnReply(0, 0, 1, Error("E" + std::to_string(i)));
  EXPECT_LE(tally.errors().size(), kBenchErrorNames + 1);
  EXPECT_EQ(tally.error_count(), 105u);
}

}  // namespace
}  // namespace sluice::cli
