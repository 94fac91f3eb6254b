// BenchTally: what became of a bench's commands, and how long each took from the time it was due.
//
//   OnReply()     one reply.                 OnUnanswered()  one command that never got any.
//   TakeSecond()  what came since the last call.     latency(), latency_of()  the whole run so far.
//
// A refusal or an error counts under its first word and has no latency: it would look like a fast
// answer. A command without a reply counts with the age that it had reached in the end: it would
// have been slower than that.
//
// Threads:  none.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "meter/histogram.h"
#include "resp/decoder.h"

namespace sluice::cli {

inline constexpr size_t kBenchErrorNames = 32;  // told apart; the others are counted as "other"

// Quantiles in microseconds of what one second brought.
struct BenchSecond {
  uint64_t answered = 0, errors = 0;
  uint64_t p50 = 0, p99 = 0, max = 0;
};

class BenchTally {
 public:
  explicit BenchTally(size_t commands);

  void OnReply(size_t command, uint64_t due_us, uint64_t now_us, const resp::Value& reply);
  void OnUnanswered(uint64_t due_us, uint64_t now_us);
  BenchSecond TakeSecond();

  uint64_t answered() const { return answered_; }  // errors not included
  uint64_t unanswered() const { return unanswered_; }
  const std::map<std::string, uint64_t>& errors() const { return errors_; }
  uint64_t error_count() const { return error_count_; }
  // Of those, how many are no deliberate refusals (THROTTLED, OVERLOADED, TRYAGAIN).
  uint64_t failures() const;
  meter::Distribution latency() const;  // the unanswered included
  meter::Distribution latency_of(size_t command) const { return by_command_[command]->Read(); }

 private:
  std::vector<std::unique_ptr<meter::HistogramCell>> by_command_;
  meter::HistogramCell unanswered_ages_;
  std::unique_ptr<meter::HistogramCell> second_;
  uint64_t answered_ = 0, unanswered_ = 0, error_count_ = 0, errors_before_ = 0;
  std::map<std::string, uint64_t> errors_;
};

}  // namespace sluice::cli
