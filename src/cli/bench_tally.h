// BenchTally: what became of one stream's commands, and how long each took from when it was due.
//
//   OnReply()     one reply.                 OnUnanswered()  one command that never got any.
//   TakeSample()  what came since the last call.     latency(), latency_of()  the whole run so far.
//
// Refusals (THROTTLED, OVERLOADED, TRYAGAIN) count by their reason, errors by their first word.
// Neither has a part in latency(): it would look like a fast answer. A command without a reply
// counts with the age that it had reached in the end: it would have been slower than that.
//
// Threads:  none.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "meter/histogram.h"
#include "resp/decoder.h"

namespace sluice::cli {

inline constexpr size_t kBenchErrorNames = 32;  // told apart; the others are counted as "other"

using BenchCounts = std::map<std::string, uint64_t, std::less<>>;

// What a stretch of time brought.
struct BenchSample {
  uint64_t due = 0, answered = 0, refused = 0, errors = 0;
  uint64_t queue = 0;           // at its end: due, and neither answered nor refused
  meter::Distribution latency;  // microseconds

  void Merge(const BenchSample& other);
};

class BenchTally {
 public:
  explicit BenchTally(size_t commands);

  void OnReply(size_t command, uint64_t due_us, uint64_t now_us, const resp::Value& reply);
  void OnUnanswered(uint64_t due_us, uint64_t now_us);
  // `due`: how many commands of the stream have been due so far.
  BenchSample TakeSample(uint64_t due);

  uint64_t answered() const { return answered_; }  // neither refused nor an error
  uint64_t unanswered() const { return unanswered_; }
  uint64_t refused() const { return refused_; }
  uint64_t errors() const { return errors_; }
  const BenchCounts& refusals_by_reason() const { return refusals_by_reason_; }
  const BenchCounts& errors_by_name() const { return errors_by_name_; }
  meter::Distribution latency() const;  // the unanswered included
  meter::Distribution latency_of(size_t command) const { return by_command_[command]->Read(); }
  meter::Distribution refusal_latency() const { return refusal_latency_.Read(); }

 private:
  std::vector<std::unique_ptr<meter::HistogramCell>> by_command_;
  meter::HistogramCell unanswered_ages_, refusal_latency_;
  std::unique_ptr<meter::HistogramCell> sample_;
  uint64_t answered_ = 0, unanswered_ = 0, refused_ = 0, errors_ = 0;
  uint64_t due_before_ = 0, refused_before_ = 0, errors_before_ = 0;
  BenchCounts refusals_by_reason_, errors_by_name_;
};

}  // namespace sluice::cli
