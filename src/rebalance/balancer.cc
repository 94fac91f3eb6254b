#include "rebalance/balancer.h"

#include <fmt/format.h>

#include "rebalance/draft.h"

namespace sluice::rebalance {
namespace {

constexpr uint64_t kMinuteUs = 60'000'000;
constexpr uint32_t kDayMinutes = 24 * 60;

bool Within(const Window& window, uint64_t now_us) {
  const auto minute = static_cast<uint32_t>(now_us / kMinuteUs % kDayMinutes);
  if (window.from <= window.to) return minute >= window.from && minute < window.to;
  return minute >= window.from || minute < window.to;
}

std::string WhyHeld(const Survey& survey, const Settings& settings) {
  if (settings.mode == Mode::kOff) return "off";
  if (settings.mode == Mode::kPreview) return "preview";
  const auto& window = settings.window;
  if (!window || Within(*window, survey.now_us)) return {};
  return fmt::format("window {:02}:{:02}-{:02}:{:02}", window->from / 60, window->from % 60,
                     window->to / 60, window->to % 60);
}

}  // namespace

std::string_view NameOf(Kind kind) {
  constexpr std::string_view kNames[] = {"split", "merge", "move"};
  return kNames[static_cast<size_t>(kind)];
}

std::string_view NameOf(Trouble trouble) {
  constexpr std::string_view kNames[] = {"hot_key", "tail", "skew", "no_owner", "full"};
  return kNames[static_cast<size_t>(trouble)];
}

Decision Decide(const Survey& survey, const Settings& settings) {
  Draft draft(survey, settings);
  ReturnMisplaced(draft);
  SplitHot(draft);
  EvenOwners(draft);
  MergeCold(draft);
  WarnOfTrouble(draft);
  Decision decision = draft.Take();
  decision.held = WhyHeld(survey, settings);
  decision.start = decision.held.empty();
  return decision;
}

}  // namespace sluice::rebalance
