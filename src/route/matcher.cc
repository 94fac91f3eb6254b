#include "route/matcher.h"

#include <algorithm>

namespace sluice::route {

bool Match(const model::Template& key, std::string_view text, Segments* segments) {
  const size_t count = key.segments.size();
  if (!text.starts_with(key.literals[0])) return false;
  text.remove_prefix(key.literals[0].size());
  for (size_t i = 0; i < count; ++i) {
    const std::string& literal = key.literals[i + 1];
    const size_t end = literal.empty() ? text.size() : text.find(literal);
    if (end == 0 || end == std::string_view::npos) return false;
    (*segments)[i] = text.substr(0, end);
    text.remove_prefix(end + literal.size());
  }
  return text.empty() && (*segments)[count - 1].find(':') == std::string_view::npos;
}

bool Matches(const model::Keyspace& keyspace, std::string_view key) {
  Segments segments;
  return !keyspace.key.segments.empty() && Match(keyspace.key, key, &segments);
}

TemplateIndex::TemplateIndex(std::span<const model::Keyspace> keyspaces) {
  for (size_t i = 0; i < keyspaces.size(); ++i) {
    const model::Template& key = keyspaces[i].key;
    if (key.segments.empty()) continue;
    entries_.push_back({key.literals[0], &key, static_cast<int>(i), -1});
  }
  std::sort(entries_.begin(), entries_.end(),
            [](const Entry& a, const Entry& b) { return a.literal < b.literal; });
  for (int i = 0, open = -1; i < static_cast<int>(entries_.size()); open = i++) {
    while (open >= 0 && !entries_[i].literal.starts_with(entries_[open].literal)) {
      open = entries_[open].parent;
    }
    entries_[i].parent = open;
  }
}

int TemplateIndex::Find(std::string_view key, Segments* segments) const {
  const auto behind = std::upper_bound(
      entries_.begin(), entries_.end(), key,
      [](std::string_view text, const Entry& entry) { return text < entry.literal; });
  for (int i = static_cast<int>(behind - entries_.begin()) - 1; i >= 0; i = entries_[i].parent) {
    if (Match(*entries_[i].key, key, segments)) return entries_[i].keyspace;
  }
  return -1;
}

}  // namespace sluice::route
