#include "sim/history.h"

namespace sluice::sim {

size_t History::Begin(uint64_t session, Operation::Kind kind, int64_t argument) {
  Entry& entry = operations_.emplace_back();
  entry.operation = {kind, argument, false, std::nullopt, session, scene_.NextEvent(), 0};
  ++open_;
  return operations_.size() - 1;
}

void History::Answered(size_t operation, std::optional<int64_t> reply) {
  Entry& entry = operations_[operation];
  entry.operation.answered = entry.over = true;
  entry.operation.reply = reply;
  entry.operation.end = scene_.NextEvent();
  --open_;
}

void History::Refused(size_t operation) {
  operations_[operation].refused = operations_[operation].over = true;
  --open_;
}

void History::Ended() {
  const uint64_t now = scene_.NextEvent();
  for (Entry& entry : operations_) {
    if (!entry.lost || entry.over) continue;
    entry.over = true;
    entry.operation.end = now;
    --open_;
  }
}

void History::Check(std::optional<int64_t> value) {
  Ended();
  std::vector<Operation> history;
  for (const Entry& entry : operations_) {
    if (!entry.refused) history.push_back(entry.operation);
  }
  const uint64_t begin = scene_.NextEvent();
  history.push_back(
      {Operation::Kind::kRead, 0, true, value, 0, begin, scene_.NextEvent()});  // the check's own
  const LinearizeRules rules{initial_, !scene_.refusals};
  if (const auto broken = Linearize(history, rules)) {
    scene_.Broken(fmt::format("{} is not linearizable: {}", name_, *broken));
  }
  Restart(value);
}

void History::Restart(std::optional<int64_t> value) {
  operations_.clear();
  open_ = 0;
  initial_ = value;
}

}  // namespace sluice::sim
