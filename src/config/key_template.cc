#include "config/key_template.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <unordered_map>

namespace sluice::config {
namespace {

bool IsName(std::string_view text) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  return !text.empty() && letter(text[0]) && std::all_of(text.begin(), text.end(), [&](char c) {
    return letter(c) || (c >= '0' && c <= '9');
  });
}

// Where a walk along a key is in a template.
struct State {
  enum Phase : uint8_t { kHead, kSegment, kEnd, kDead } phase = kHead;
  uint8_t segment = 0;
  uint16_t matched = 0;  // bytes of the literal being matched
  bool fresh = true;     // all of the segment so far is the beginning of the literal behind it

  uint32_t Code() const {
    return static_cast<uint32_t>(phase) << 28 | static_cast<uint32_t>(segment) << 20 |
           static_cast<uint32_t>(matched) << 1 | (fresh ? 1 : 0);
  }
};

bool IsLast(const KeyTemplate& key, size_t segment) {
  return segment + 1 == key.segments.size();
}

// A byte inside a segment. The literal behind it may have begun; how much of it could have is the
// state, as in Knuth, Morris and Pratt's search.
State StepInSegment(const KeyTemplate& key, State at, char c) {
  const std::string& literal = key.literals[at.segment + size_t{1}];
  const bool last = IsLast(key, at.segment);
  std::string window = literal.substr(0, at.matched) + c;
  size_t dropped = 0;
  while (window.compare(dropped, std::string::npos, literal, 0, window.size() - dropped) != 0) {
    ++dropped;
  }
  // What falls out of the window is the segment's own.
  if (last && window.find(':') < dropped) return {State::kDead};
  at.fresh = at.fresh && dropped == 0 && !literal.empty();
  at.matched = static_cast<uint16_t>(window.size() - dropped);
  if (literal.empty() || at.matched < literal.size()) return at;
  if (at.fresh) return {State::kDead};  // an empty segment
  if (last) return {State::kEnd};
  return {State::kSegment, static_cast<uint8_t>(at.segment + 1)};
}

State Step(const KeyTemplate& key, State at, char c) {
  switch (at.phase) {
    case State::kHead:
      if (key.literals[0][at.matched] != c) return {State::kDead};
      if (++at.matched == key.literals[0].size()) return {State::kSegment};
      return at;
    case State::kSegment:
      return StepInSegment(key, at, c);
    case State::kEnd:
    case State::kDead:
      break;
  }
  return {State::kDead};
}

bool IsAccepting(const KeyTemplate& key, State at) {
  if (at.phase == State::kEnd) return true;
  return at.phase == State::kSegment && IsLast(key, at.segment) && key.literals.back().empty() &&
         !at.fresh;
}

// Bytes that the templates can tell apart: one that no literal holds, first, as it makes the best
// example, then those of the literals and the colon.
std::string Alphabet(const KeyTemplate& one, const KeyTemplate& other) {
  std::string used = ":";
  for (const KeyTemplate* key : {&one, &other}) {
    for (const std::string& literal : key->literals) used += literal;
  }
  std::sort(used.begin(), used.end());
  used.erase(std::unique(used.begin(), used.end()), used.end());
  std::string common = "1234567890abcdefghijklmnopqrstuvwxyz";
  for (int c = 1; c < 256; ++c) common += static_cast<char>(c);
  const size_t unused = common.find_first_not_of(used);
  return unused == std::string::npos ? used : common[unused] + used;
}

}  // namespace

Result<KeyTemplate> ParseTemplate(std::string_view text) {
  if (text.size() > kTemplateBytesMax) {
    return Fail(Code::kInvalid, fmt::format("a template has at most {} bytes, this one {}",
                                            kTemplateBytesMax, text.size()));
  }
  const auto invalid = [&](std::string what) {
    return Fail(Code::kInvalid, fmt::format("template \"{}\" {}", text, what));
  };
  KeyTemplate key;
  key.literals.emplace_back();
  for (size_t at = 0; at < text.size();) {
    if (text[at] == '}') return invalid("has a } without its {");
    if (text[at] != '{') {
      key.literals.back() += text[at++];
      continue;
    }
    const size_t close = text.find('}', at);
    if (close == std::string_view::npos) return invalid("has a { without its }");
    const std::string_view name = text.substr(at + 1, close - at - 1);
    if (!IsName(name)) {
      return invalid(fmt::format(
          "names a segment \"{}\"; a name is letters, digits and _, and begins with no digit",
          name));
    }
    if (std::count(key.segments.begin(), key.segments.end(), name) > 0) {
      return invalid(fmt::format("names segment \"{}\" twice", name));
    }
    if (key.literals.back().empty()) {
      return invalid(key.segments.empty()
                         ? std::string("must begin with a literal, like \"likes:{post_id}\"")
                         : fmt::format("needs a literal between {{{}}} and {{{}}}",
                                       key.segments.back(), name));
    }
    key.segments.emplace_back(name);
    key.literals.emplace_back();
    at = close + 1;
  }
  if (key.segments.empty()) return invalid("has no segment, like {post_id}");
  if (key.segments.size() > kSegmentsMax) {
    return invalid(fmt::format("has more than {} segments", kSegmentsMax));
  }
  return key;
}

std::optional<std::string> CommonKey(const KeyTemplate& one, const KeyTemplate& other) {
  const std::string_view a = one.literals[0], b = other.literals[0];
  if (!a.starts_with(b) && !b.starts_with(a)) return std::nullopt;

  struct Visit {
    State one, other;
    std::string key;
  };
  const std::string alphabet = Alphabet(one, other);
  std::unordered_map<uint64_t, bool> seen;
  std::deque<Visit> open = {Visit{}};  // breadth first, so that the first key found is a shortest
  while (!open.empty()) {
    const Visit visit = std::move(open.front());
    open.pop_front();
    for (const char c : alphabet) {
      Visit next{Step(one, visit.one, c), Step(other, visit.other, c), visit.key + c};
      if (next.one.phase == State::kDead || next.other.phase == State::kDead) continue;
      const uint64_t code = uint64_t{next.one.Code()} << 32 | next.other.Code();
      if (!seen.emplace(code, true).second) continue;
      if (IsAccepting(one, next.one) && IsAccepting(other, next.other)) return next.key;
      open.push_back(std::move(next));
    }
  }
  return std::nullopt;
}

bool CanBeginWith(const KeyTemplate& key, std::string_view prefix) {
  State at;
  for (const char c : prefix) at = Step(key, at, c);
  // Whatever is not dead can be completed: segments take filler bytes, literals come as they are.
  return at.phase != State::kDead;
}

bool Accepts(const KeyTemplate& key, std::string_view text) {
  State at;
  for (const char c : text) at = Step(key, at, c);
  return IsAccepting(key, at);
}

}  // namespace sluice::config
