#include "cli/bench_tally.h"

#include <algorithm>
#include <array>
#include <utility>

namespace sluice::cli {
namespace {

constexpr std::array<std::string_view, 3> kRefusals = {"THROTTLED", "OVERLOADED", "TRYAGAIN"};
constexpr std::string_view kReason = "reason=";

std::string_view FirstWord(std::string_view text) {
  return text.substr(0, text.find(' '));
}

// "OVERLOADED reason=queue", without what follows; the first word alone if no reason does.
std::string_view NameOfRefusal(std::string_view text) {
  const std::string_view word = FirstWord(text);
  std::string_view rest = text.substr(std::min(text.size(), word.size() + 1));
  if (!rest.starts_with(kReason)) return word;
  return text.substr(0, word.size() + 1 + FirstWord(rest).size());
}

void Count(BenchCounts& counts, std::string_view name) {
  auto found = counts.find(name);
  if (found == counts.end()) {
    found =
        counts.try_emplace(counts.size() < kBenchErrorNames ? std::string(name) : "other").first;
  }
  ++found->second;
}

}  // namespace

void BenchSample::Merge(const BenchSample& other) {
  due += other.due;
  answered += other.answered;
  refused += other.refused;
  errors += other.errors;
  queue += other.queue;
  latency.Merge(other.latency);
}

BenchTally::BenchTally(size_t commands) : sample_(std::make_unique<meter::HistogramCell>()) {
  for (size_t i = 0; i < commands; ++i) {
    by_command_.push_back(std::make_unique<meter::HistogramCell>());
  }
}

void BenchTally::OnReply(size_t command, uint64_t due_us, uint64_t now_us,
                         const resp::Value& reply) {
  const uint64_t took_us = now_us - due_us;
  if (!reply.is_error()) {
    ++answered_;
    by_command_[command]->Record(took_us);
    sample_->Record(took_us);
    return;
  }
  const std::string_view word = FirstWord(reply.text);
  if (std::find(kRefusals.begin(), kRefusals.end(), word) == kRefusals.end()) {
    ++errors_;
    Count(errors_by_name_, word);
    return;
  }
  ++refused_;
  Count(refusals_by_reason_, NameOfRefusal(reply.text));
  refusal_latency_.Record(took_us);
}

void BenchTally::OnUnanswered(uint64_t due_us, uint64_t now_us) {
  ++unanswered_;
  unanswered_ages_.Record(now_us - due_us);
}

BenchSample BenchTally::TakeSample(uint64_t due) {
  BenchSample sample;
  sample.latency = sample_->Read();
  sample_ = std::make_unique<meter::HistogramCell>();
  sample.answered = sample.latency.count;
  sample.due = due - std::exchange(due_before_, due);
  sample.refused = refused_ - std::exchange(refused_before_, refused_);
  sample.errors = errors_ - std::exchange(errors_before_, errors_);
  // A reply may come before the clock of the sample says that its command is due.
  sample.queue = due - std::min(due, answered_ + refused_ + errors_);
  return sample;
}

meter::Distribution BenchTally::latency() const {
  meter::Distribution all = unanswered_ages_.Read();
  for (const auto& cell : by_command_) all.Merge(cell->Read());
  return all;
}

}  // namespace sluice::cli
