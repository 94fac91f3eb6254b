#include "admit/refusal.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"

namespace sluice::admit {
namespace {

constexpr std::string_view kNever = " writes in one command can never pass ";
constexpr std::string_view kOf = " of ", kWhoseBurst = ", whose burst is ";

// Takes off the front what is before `end`, and `end` itself; all of it where there is none.
std::string_view TakeUntil(std::string_view& text, std::string_view end) {
  const std::string_view front = text.substr(0, text.find(end));
  text.remove_prefix(std::min(text.size(), front.size() + end.size()));
  return front;
}

}  // namespace

std::string_view NameOf(model::Priority priority) {
  switch (priority) {
    case model::Priority::kCritical:
      return "critical";
    case model::Priority::kNormal:
      return "normal";
    case model::Priority::kLow:
      return "low";
    case model::Priority::kBackground:
      break;
  }
  return "background";
}

std::string Throttled(std::string_view reason, std::string_view scope, uint64_t retry_ms) {
  return fmt::format("THROTTLED reason={} scope={} retry_ms={} applied=no", reason, scope,
                     retry_ms);
}

std::string Overloaded(std::string_view reason, model::Priority priority, uint64_t retry_ms) {
  return fmt::format("OVERLOADED reason={} class={} retry_ms={} applied=no", reason,
                     NameOf(priority), retry_ms);
}

std::string NeverPasses(uint64_t writes, std::string_view reason, std::string_view scope,
                        uint64_t burst) {
  return fmt::format("ERR {}{}{}{}{}{}{}; nothing was applied", writes, kNever, reason, kOf, scope,
                     kWhoseBurst, burst);
}

std::string WordsOf(std::string_view refusal) {
  for (const std::string_view first : {"THROTTLED ", "OVERLOADED "}) {
    if (refusal.starts_with(first)) return std::string(refusal.substr(first.size()));
  }
  if (refusal == kLogDiskFull) return "reason=log_disk applied=no";
  if (refusal == kStoreDiskFull) return "reason=store_disk applied=no";
  if (refusal == kDiskNearlyFull) return "reason=disk applied=no";
  if (!refusal.starts_with("ERR ") || refusal.find(kNever) == std::string_view::npos) return {};
  refusal.remove_prefix(4);
  const std::string_view writes = TakeUntil(refusal, kNever), reason = TakeUntil(refusal, kOf),
                         scope = TakeUntil(refusal, kWhoseBurst), burst = TakeUntil(refusal, ";");
  return fmt::format("reason={} scope={} writes={} burst={} applied=no", reason, scope, writes,
                     burst);
}

std::string Shown(std::string_view bytes) {
  std::string shown;
  for (const char c : bytes.substr(0, kShownBytesMax)) {
    const bool plain = c > 0x20 && c < 0x7f && c != '\\';
    shown += plain ? std::string(1, c) : fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  return bytes.size() > kShownBytesMax ? shown + "..." : shown;
}

std::string Refusal::TextFor(model::Priority priority) const {
  SLUICE_CHECK(!none());
  return text.empty() ? Overloaded(reason, priority, retry_ms) : std::string(text);
}

}  // namespace sluice::admit
