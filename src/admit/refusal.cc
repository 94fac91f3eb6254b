#include "admit/refusal.h"

#include <fmt/format.h>

#include "base/check.h"

namespace sluice::admit {

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
