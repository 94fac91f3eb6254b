#include "server/meters.h"

namespace sluice::server {
namespace {

void Zero(meter::CounterCell& cell) {
  cell.Add(-cell.value());
}

}  // namespace

void Meters::CountOverloaded(std::string_view reply) {
  constexpr std::string_view kBegin = "-OVERLOADED reason=";
  if (!reply.starts_with(kBegin)) return;
  reply.remove_prefix(kBegin.size());
  const std::string_view reason = reply.substr(0, reply.find(' '));
  const auto found = std::find(kOverloaded.values.begin(), kOverloaded.values.end(), reason);
  if (found != kOverloaded.values.end()) {
    overloaded[static_cast<Overloaded>(found - kOverloaded.values.begin())].Add();
  }
}

void CommandCounts::CountError(std::string_view reply) {
  const std::string_view word = reply.substr(1, std::min(reply.find(' '), reply.size()) - 1);
  const auto found = std::find(kErrorWords.begin(), kErrorWords.end(), word);
  if (found != kErrorWords.end()) errors_[static_cast<size_t>(found - kErrorWords.begin())].Add();
}

void CommandCounts::Reset() {
  for (size_t i = 0; i < command::AllCommands().size(); ++i) {
    CommandCount& count = counts_[i];
    for (meter::CounterCell* cell : {&count.microseconds, &count.rejected, &count.failed}) {
      Zero(*cell);
    }
    for (meter::CounterCell& cell : count.times) Zero(cell);
  }
  for (meter::CounterCell& cell : errors_) Zero(cell);
}

}  // namespace sluice::server
