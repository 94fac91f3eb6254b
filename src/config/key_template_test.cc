#include "config/key_template.h"

#include <gtest/gtest.h>

#include <set>

#include "base/prng.h"

namespace sluice::config {
namespace {

KeyTemplate Parsed(std::string_view text) {
  auto key = ParseTemplate(text);
  EXPECT_TRUE(key.has_value()) << text << ": " << key.error().message;
  return key ? *key : KeyTemplate{};
}

// Every string of up to `most` letters of the alphabet.
std::vector<std::string> AllStrings(std::string_view alphabet, size_t most) {
  std::vector<std::string> all = {""};
  for (size_t from = 0; most > 0; --most) {
    const size_t to = all.size();
    for (; from < to; ++from) {
      for (const char c : alphabet) all.push_back(all[from] + c);
    }
  }
  return all;
}

// The definition, taken literally: cut at the first place where the next literal stands.
bool MatchesByDefinition(const KeyTemplate& key, std::string_view text) {
  if (!text.starts_with(key.literals[0])) return false;
  text.remove_prefix(key.literals[0].size());
  for (size_t i = 0; i < key.segments.size(); ++i) {
    const std::string& literal = key.literals[i + 1];
    const size_t end = literal.empty() ? text.size() : text.find(literal);
    if (end == 0 || end == std::string_view::npos) return false;
    const bool last = i + 1 == key.segments.size();
    if (last && text.substr(0, end).find(':') != std::string_view::npos) return false;
    text.remove_prefix(end + literal.size());
  }
  return text.empty();
}

std::string RandomTemplate(Prng& prng) {
  std::string text;
  const uint64_t segments = 1 + prng.Below(3);
  for (uint64_t i = 0; i <= segments; ++i) {
    const bool may_be_empty = i == segments;
    for (uint64_t n = (may_be_empty ? 0 : 1) + prng.Below(3); n > 0; --n) {
      text += "ab:"[prng.Below(3)];
    }
    if (i < segments) text += std::string("{s") + static_cast<char>('0' + i) + "}";
  }
  return text;
}

// Goal:   the automaton accepts exactly the keys of the definition, and finds a common key of two
//         templates exactly when there is one.
// Method: random templates over three letters, all keys of up to 9 letters (with one that no
//         template uses).
TEST(KeyTemplate, AutomatonIsTheDefinition) {
  const std::vector<std::string> keys = AllStrings("ab:x", 8);
  Prng prng(1);
  for (int round = 0; round < 40; ++round) {
    const std::string a = RandomTemplate(prng), b = RandomTemplate(prng);
    const KeyTemplate one = Parsed(a), other = Parsed(b);
    std::string shortest;
    for (const std::string& key : keys) {
      const bool in_one = MatchesByDefinition(one, key);
      ASSERT_EQ(Accepts(one, key), in_one) << a << " " << key;
      if (in_one && MatchesByDefinition(other, key) && shortest.empty()) shortest = key;
    }
    const auto common = CommonKey(one, other);
    if (!shortest.empty()) {
      ASSERT_TRUE(common.has_value()) << a << " " << b << " share " << shortest;
      EXPECT_EQ(common->size(), shortest.size()) << a << " " << b;
    }
    if (common) {
      EXPECT_TRUE(MatchesByDefinition(one, *common)) << a << " " << *common;
      EXPECT_TRUE(MatchesByDefinition(other, *common)) << b << " " << *common;
      EXPECT_TRUE(common->size() > 8 || !shortest.empty()) << a << " " << b << " " << *common;
    }
  }
}

// Goal:   CanBeginWith is right: it says yes exactly if some key with that prefix matches.
// Method: random templates and prefixes, against all keys of up to 9 letters.
TEST(KeyTemplate, KnowsWhatItCanBeginWith) {
  const std::vector<std::string> keys = AllStrings("ab:x", 8);
  Prng prng(2);
  for (int round = 0; round < 30; ++round) {
    const std::string text = RandomTemplate(prng);
    const KeyTemplate key = Parsed(text);
    std::set<std::string> prefixes;
    size_t longest = 0;
    for (const std::string& one : keys) {
      if (!MatchesByDefinition(key, one)) continue;
      for (size_t size = 0; size <= one.size(); ++size) prefixes.insert(one.substr(0, size));
      longest = std::max(longest, one.size());
    }
    if (longest == 0) continue;
    for (const std::string& prefix : prefixes) {
      EXPECT_TRUE(CanBeginWith(key, prefix)) << text << " " << prefix;
    }
    for (const std::string& prefix : AllStrings("ab:x", 2)) {
      if (prefixes.contains(prefix)) continue;
      // The keys listed are short; whatever can begin so has one within them unless literals are
      // long.
      size_t literals = 0;
      for (const std::string& literal : key.literals) literals += literal.size();
      if (literals + key.segments.size() + prefix.size() > 8) continue;
      EXPECT_FALSE(CanBeginWith(key, prefix)) << text << " " << prefix;
    }
  }
}

// Goal:   whole templates of real use are told apart or found to collide.
TEST(KeyTemplate, TellsRealTemplatesApart) {
  struct Pair {
    std::string_view a, b;
    bool collide;
  };
  const Pair pairs[] = {
      {"likes:{post_id}", "likes:{post}", true},
      {"order:{c}:{o}", "order:{c}", false},
      {"order:{c}:{o}", "order:{c}:item:{i}", false},
      {"user:{id}", "user:{id}:profile", false},
      {"user:{id}:a", "user:{id}:b", false},
      {"u{x}", "user:{id}", false},
      {"u{x}", "us{x}", true},
      {"a::{x}", "a:{x}:{y}", false},
      {"a-{x}-{y}", "a-{x}", true},
      {"a-{x}-{y}", "a-{x}:{y}", true},
      {"a-{x}-b", "a-{x}-c", false},
  };
  for (const Pair& pair : pairs) {
    const auto key = CommonKey(Parsed(pair.a), Parsed(pair.b));
    EXPECT_EQ(key.has_value(), pair.collide) << pair.a << " " << pair.b << " " << key.value_or("");
    EXPECT_EQ(CommonKey(Parsed(pair.b), Parsed(pair.a)).has_value(), key.has_value());
  }
}

// Goal:   the bounds hold, at them and one above.
TEST(KeyTemplate, HasBounds) {
  const auto of = [](size_t segments) {
    std::string text;
    for (size_t i = 0; i < segments; ++i) text += ":{s" + std::to_string(i) + "}";
    return text;
  };
  EXPECT_TRUE(ParseTemplate(of(kSegmentsMax)).has_value());
  EXPECT_FALSE(ParseTemplate(of(kSegmentsMax + 1)).has_value());
  const std::string tail = ":{x}";
  EXPECT_TRUE(ParseTemplate(std::string(kTemplateBytesMax - 4, 'a') + tail).has_value());
  EXPECT_FALSE(ParseTemplate(std::string(kTemplateBytesMax - 3, 'a') + tail).has_value());
  // The longest templates are compared in reasonable time.
  const std::string a = "a{x}" + std::string(120, 'b') + "{y}" + std::string(120, 'b');
  const std::string b = "a{x}" + std::string(119, 'b') + "c{y}" + std::string(120, 'b');
  CommonKey(Parsed(a), Parsed(b));
}

}  // namespace
}  // namespace sluice::config
