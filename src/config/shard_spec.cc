#include "config/shard_spec.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::config {
namespace {

constexpr size_t kNumberDigitsMax = 20;

constexpr std::string_view kForms =
    "hash(a), range(a), geo(a) then hash(b), or geo(a) then range(b), over segments of the key";

// Takes words and marks off the front of the spec.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  std::string_view Word() {
    SkipBlanks();
    size_t size = 0;
    while (size < rest_.size() &&
           (isalnum(static_cast<unsigned char>(rest_[size])) != 0 || rest_[size] == '_')) {
      ++size;
    }
    const std::string_view word = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return word;
  }
  bool Take(char mark) {
    SkipBlanks();
    if (rest_.empty() || rest_[0] != mark) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool Done() {
    SkipBlanks();
    return rest_.empty();
  }

 private:
  void SkipBlanks() {
    while (!rest_.empty() && (rest_[0] == ' ' || rest_[0] == '\t')) rest_.remove_prefix(1);
  }

  std::string_view rest_;
};

Result<SpecPart> ParsePart(Scanner& scanner) {
  SpecPart part;
  const std::string_view word = scanner.Word();
  if (word == "hash") {
    part.kind = SpecPart::Kind::kHash;
  } else if (word == "range") {
    part.kind = SpecPart::Kind::kRange;
  } else if (word == "geo") {
    part.kind = SpecPart::Kind::kGeo;
  } else {
    return Fail(Code::kInvalid, fmt::format("expected {}", kForms));
  }
  if (!scanner.Take('(')) return Fail(Code::kInvalid, fmt::format("expected ( after {}", word));
  do {
    const std::string_view segment = scanner.Word();
    if (segment.empty()) {
      return Fail(Code::kInvalid, fmt::format("expected a segment's name in {}(…)", word));
    }
    if (std::count(part.segments.begin(), part.segments.end(), segment) > 0) {
      return Fail(Code::kInvalid, fmt::format("{}(…) names segment \"{}\" twice", word, segment));
    }
    part.segments.emplace_back(segment);
  } while (scanner.Take(','));
  if (!scanner.Take(')')) {
    return Fail(Code::kInvalid,
                fmt::format("expected , or ) after \"{}\" in {}(…)", part.segments.back(), word));
  }
  if (part.kind == SpecPart::Kind::kGeo && part.segments.size() > 1) {
    return Fail(Code::kInvalid, "geo(…) takes one segment");
  }
  return part;
}

Result<ShardSpec> Parse(std::string_view text) {
  Scanner scanner(text);
  ShardSpec spec;
  SLUICE_ASSIGN(SpecPart first, ParsePart(scanner));
  spec.parts.push_back(std::move(first));
  if (spec.IsGeo()) {
    if (scanner.Word() != "then") {
      return Fail(Code::kInvalid, "geo(…) needs `then hash(…)` or `then range(…)` behind it");
    }
    SLUICE_ASSIGN(SpecPart second, ParsePart(scanner));
    if (second.kind == SpecPart::Kind::kGeo) {
      return Fail(Code::kInvalid, "geo(…) can only come first, and once");
    }
    spec.parts.push_back(std::move(second));
  }
  if (!scanner.Done())
    return Fail(Code::kInvalid, fmt::format("expected nothing more; {}", kForms));
  return spec;
}

bool IsNumber(std::string_view segment) {
  return !segment.empty() && segment.size() <= kNumberDigitsMax &&
         std::all_of(segment.begin(), segment.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string_view Significant(std::string_view number) {
  return number.substr(std::min(number.find_first_not_of('0'), number.size()));
}

}  // namespace

Result<ShardSpec> ParseShardSpec(std::string_view text) {
  auto spec = Parse(text);
  if (!spec) return Fail(spec.error().In(fmt::format("shard \"{}\"", text)));
  return spec;
}

int CompareSegments(std::string_view a, std::string_view b) {
  const bool number_a = IsNumber(a), number_b = IsNumber(b);
  if (number_a != number_b) return number_a ? -1 : 1;
  if (number_a) {
    const std::string_view x = Significant(a), y = Significant(b);
    if (x.size() != y.size()) return x.size() < y.size() ? -1 : 1;
    if (const int order = x.compare(y); order != 0) return order;
  }
  return a.compare(b);
}

int CompareSplitPoints(std::span<const std::string> a, std::span<const std::string> b) {
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) {
    if (const int order = CompareSegments(a[i], b[i]); order != 0) return order;
  }
  return static_cast<int>(a.size()) - static_cast<int>(b.size());
}

}  // namespace sluice::config
