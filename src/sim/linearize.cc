#include "sim/linearize.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

namespace sluice::sim {
namespace {

using Kind = Operation::Kind;

// A state that is possible: which of the open commands have taken effect, and the value.
struct State {
  uint64_t done = 0;  // by slot
  std::optional<int64_t> value;

  auto operator<=>(const State&) const = default;
};

// What `operation` replies on that value, which becomes the next one.
std::optional<int64_t> Apply(const Operation& operation, std::optional<int64_t>* value) {
  const std::optional<int64_t> before = *value;
  switch (operation.kind) {
    case Kind::kRead:
      return before;
    case Kind::kWrite:
      *value = operation.argument;
      return std::nullopt;
    case Kind::kAdd:
      *value = before.value_or(0) + operation.argument;
      return *value;
    case Kind::kWriteIfAbsent:
      if (!before) *value = operation.argument;
      return before ? 0 : 1;
    case Kind::kSwap:
      *value = operation.argument;
      return before;
    case Kind::kRemove:
      *value = std::nullopt;
      return before ? 1 : 0;
    case Kind::kClear:
      *value = std::nullopt;
      return std::nullopt;
  }
  return std::nullopt;
}

std::string Text(std::optional<int64_t> value) {
  return value ? std::to_string(*value) : "nil";
}

class Search {
 public:
  Search(const std::vector<Operation>& history, const LinearizeRules& rules)
      : history_(history), rules_(rules), slots_(kOpenMax, nullptr) {
    states_.insert({0, rules.initial});
  }

  std::optional<std::string> Run();

 private:
  struct Event {
    uint64_t at;
    bool ends;
    const Operation* operation;
  };
  bool Begin(const Operation& operation);
  std::optional<std::string> End(const Operation& operation);
  bool Reach(uint64_t bit, std::set<State>* reached) const;
  template <class Visit>
  void EachNext(const State& state, Visit visit) const;

  const std::vector<Operation>& history_;
  const LinearizeRules rules_;
  std::vector<const Operation*> slots_;  // open commands
  std::set<State> states_;
};

bool Search::Begin(const Operation& operation) {
  const auto free = std::find(slots_.begin(), slots_.end(), nullptr);
  if (free == slots_.end()) return false;
  *free = &operation;
  return true;
}

// Every state that one more command's effect leads to.
template <class Visit>
void Search::EachNext(const State& state, Visit visit) const {
  for (size_t slot = 0; slot < slots_.size(); ++slot) {
    const Operation* const operation = slots_[slot];
    if (operation == nullptr || (state.done >> slot & 1) != 0) continue;
    bool blocked = false;
    for (size_t other = 0; other < slots_.size() && !blocked; ++other) {
      blocked = slots_[other] != nullptr && slots_[other]->session == operation->session &&
                slots_[other]->begin < operation->begin && (state.done >> other & 1) == 0;
    }
    if (blocked) continue;
    State next{state.done | uint64_t{1} << slot, state.value};
    // Lost without a trace, so that what its session sent later may still happen.
    if (!operation->answered && !rules_.lost_is_suffix) visit(next);
    const std::optional<int64_t> reply = Apply(*operation, &next.value);
    const bool silent =
        !operation->answered || operation->kind == Kind::kWrite || operation->kind == Kind::kClear;
    if (silent || reply == operation->reply) visit(next);
  }
}

// The states in which the command of `bit` has taken effect, and as little else as can be.
bool Search::Reach(uint64_t bit, std::set<State>* reached) const {
  std::set<State> seen = states_;
  std::vector<State> to_visit(states_.begin(), states_.end());
  while (!to_visit.empty()) {
    const State state = to_visit.back();
    to_visit.pop_back();
    if ((state.done & bit) != 0) {
      reached->insert({state.done & ~bit, state.value});
      continue;
    }
    EachNext(state, [&](const State& next) {
      if (seen.insert(next).second) to_visit.push_back(next);
    });
    if (seen.size() > kStatesMax) return false;
  }
  return true;
}

std::optional<std::string> Search::End(const Operation& operation) {
  const auto slot = std::find(slots_.begin(), slots_.end(), &operation);
  const uint64_t bit = uint64_t{1} << (slot - slots_.begin());
  std::set<State> reached;
  if (!Reach(bit, &reached)) return "undecided: more states are possible than can be kept";
  // Without a reply it may as well never happen.
  if (!operation.answered) {
    for (const State& state : states_) {
      if ((state.done & bit) == 0) reached.insert(state);
    }
  }
  if (reached.empty()) {
    std::string possible;
    size_t named = 0;
    for (const State& state : states_) {
      if (++named > 8) break;
      possible += (possible.empty() ? "" : ", ") + Text(state.value);
    }
    return fmt::format("{} cannot be explained; before it the value was one of: {}",
                       Describe(operation), possible);
  }
  *slot = nullptr;
  states_ = std::move(reached);
  return std::nullopt;
}

std::optional<std::string> Search::Run() {
  std::vector<Event> events;
  for (const Operation& operation : history_) {
    events.push_back({operation.begin, false, &operation});
    events.push_back({operation.end, true, &operation});
  }
  // What begins when something else ends may have come before it. Of what is lost together, the
  // last sent goes first: it cannot have happened without those before it.
  std::stable_sort(events.begin(), events.end(), [](const Event& a, const Event& b) {
    if (a.at != b.at || a.ends != b.ends) return std::pair(a.at, a.ends) < std::pair(b.at, b.ends);
    return a.ends && a.operation->begin > b.operation->begin;
  });
  for (const Event& event : events) {
    if (event.ends) {
      if (auto broken = End(*event.operation)) return broken;
    } else if (!Begin(*event.operation)) {
      return "undecided: too many commands are open at once";
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> Linearize(const std::vector<Operation>& history,
                                     const LinearizeRules& rules) {
  return Search(history, rules).Run();
}

std::string Describe(const Operation& operation) {
  constexpr const char* kNames[] = {"read", "write",  "add",  "write-if-absent",
                                    "swap", "remove", "clear"};
  const std::string reply = operation.answered ? " -> " + Text(operation.reply) : " (lost)";
  return fmt::format("session {}: {}({}){} in [{}, {}]", operation.session,
                     kNames[static_cast<size_t>(operation.kind)], operation.argument, reply,
                     operation.begin, operation.end);
}

}  // namespace sluice::sim
