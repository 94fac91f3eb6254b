#include "cli/bench_tally.h"

#include <array>
#include <utility>

namespace sluice::cli {
namespace {

constexpr std::array<std::string_view, 3> kRefusals = {"THROTTLED", "OVERLOADED", "TRYAGAIN"};

}  // namespace

BenchTally::BenchTally(size_t commands) : second_(std::make_unique<meter::HistogramCell>()) {
  for (size_t i = 0; i < commands; ++i) {
    by_command_.push_back(std::make_unique<meter::HistogramCell>());
  }
}

void BenchTally::OnReply(size_t command, uint64_t due_us, uint64_t now_us,
                         const resp::Value& reply) {
  if (reply.is_error()) {
    const std::string name = reply.text.substr(0, reply.text.find(' '));
    const bool known = errors_.contains(name) || errors_.size() < kBenchErrorNames;
    ++errors_[known ? name : "other"];
    ++error_count_;
    return;
  }
  ++answered_;
  by_command_[command]->Record(now_us - due_us);
  second_->Record(now_us - due_us);
}

void BenchTally::OnUnanswered(uint64_t due_us, uint64_t now_us) {
  ++unanswered_;
  unanswered_ages_.Record(now_us - due_us);
}

BenchSecond BenchTally::TakeSecond() {
  const meter::Distribution seen = second_->Read();
  second_ = std::make_unique<meter::HistogramCell>();
  return {.answered = seen.count,
          .errors = error_count_ - std::exchange(errors_before_, error_count_),
          .p50 = seen.Quantile(0.5),
          .p99 = seen.Quantile(0.99),
          .max = seen.max};
}

uint64_t BenchTally::failures() const {
  uint64_t failures = error_count_;
  for (const std::string_view refusal : kRefusals) {
    const auto found = errors_.find(std::string(refusal));
    if (found != errors_.end()) failures -= found->second;
  }
  return failures;
}

meter::Distribution BenchTally::latency() const {
  meter::Distribution all = unanswered_ages_.Read();
  for (const auto& cell : by_command_) all.Merge(cell->Read());
  return all;
}

}  // namespace sluice::cli
