#include "base/glob.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/prng.h"

namespace sluice {
namespace {

// The meaning of ? * and literals, written as simply as it can be.
bool MatchesByDefinition(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*') {
    return MatchesByDefinition(pattern.substr(1), text) ||
           (!text.empty() && MatchesByDefinition(pattern, text.substr(1)));
  }
  return !text.empty() && (pattern[0] == '?' || pattern[0] == text[0]) &&
         MatchesByDefinition(pattern.substr(1), text.substr(1));
}

// Goal:   stars and question marks mean what they should, in every arrangement.
// Method: random patterns and texts over two letters, against the plain definition.
TEST(Glob, MatchesTheDefinition) {
  Prng prng(1);
  int matched = 0;
  for (int round = 0; round < 200'000; ++round) {
    std::string pattern, text;
    for (uint64_t n = prng.Below(7); n > 0; --n) pattern += "ab*?*"[prng.Below(5)];
    for (uint64_t n = prng.Below(8); n > 0; --n) text += "ab"[prng.Below(2)];
    const bool expected = MatchesByDefinition(pattern, text);
    ASSERT_EQ(GlobMatch(pattern, text), expected) << pattern << " " << text;
    matched += expected ? 1 : 0;
  }
  EXPECT_GT(matched, 10'000);
}

// Goal:   classes, escapes and malformed patterns are read as Redis reads them.
TEST(Glob, ReadsClassesAndEscapesAsRedis) {
  struct Case {
    std::string_view pattern, text;
    bool match;
  };
  const Case cases[] = {
      {"h[ae]llo", "hello", true},
      {"h[ae]llo", "hillo", false},
      {"h[^e]llo", "hallo", true},
      {"h[^e]llo", "hello", false},
      {"h[a-c]llo", "hbllo", true},
      {"h[c-a]llo", "hbllo", true},
      {"h[a-c]llo", "hdllo", false},
      {"[a-]", "-", false},
      {"[a-]", "_", true},
      {"[-a]", "-", true},
      {"[]", "x", false},
      {"[]", "]", false},
      {"[^]", "x", true},
      {"[abc", "a", true},
      {"[abc", "abc", false},
      {"[", "[", false},
      {"[^", "x", true},
      {"[\\]]", "]", true},
      {"[\\a-c]", "-", true},
      {"[\\a-c]", "b", false},
      {"[\\a-c]", "c", true},
      {"a\\*b", "a*b", true},
      {"a\\*b", "axb", false},
      {"a\\", "a\\", true},
      {"\\?", "?", true},
      {"\\?", "a", false},
      {"\\\\", "\\", true},
      {"*[0-9]", "key7", true},
      {"*[0-9]", "key", false},
      {"*[^0-9]x*", "1ax", true},
      {"", "", true},
      {"", "a", false},
      {"*", "", true},
      {"?", "", false},
      {"[a]", "", false},
      {"a]", "a]", true},
      {"[a-\xff]", "b", false},
      {"[\x80-\xff]", "\x90", true},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(GlobMatch(one.pattern, one.text), one.match) << one.pattern << " " << one.text;
  }
}

// Goal:   kAnyCase folds letters everywhere but behind a backslash in a class, as Redis does.
TEST(Glob, FoldsCase) {
  EXPECT_FALSE(GlobMatch("MAX*", "maxmemory"));
  EXPECT_TRUE(GlobMatch("MAX*", "maxmemory", Letters::kAnyCase));
  EXPECT_TRUE(GlobMatch("max*", "MAXMEMORY", Letters::kAnyCase));
  EXPECT_TRUE(GlobMatch("[A-C]", "b", Letters::kAnyCase));
  EXPECT_TRUE(GlobMatch("[abc]", "B", Letters::kAnyCase));
  EXPECT_TRUE(GlobMatch("\\A", "a", Letters::kAnyCase));
}

// Goal:   no pattern takes more than text times pattern steps.
// Method: patterns that blow up a matcher which tries every split, on texts that nearly match; done
//         at all is done in time.
TEST(Glob, TakesBoundedTime) {
  const std::string text(20'000, 'a');
  std::string stars;
  for (int i = 0; i < 100; ++i) stars += "a*";
  EXPECT_FALSE(GlobMatch(stars + "b", text));
  EXPECT_TRUE(GlobMatch(stars, text));
  EXPECT_FALSE(GlobMatch("*" + std::string(1'000, '?') + "*b*c*d", text));
  std::string classes;
  for (int i = 0; i < 100; ++i) classes += "*[ab]";
  EXPECT_FALSE(GlobMatch(classes + "c", text));
}

// Goal:   no bytes make it read outside pattern or text (under a sanitizer).
TEST(Glob, TakesAnyBytes) {
  Prng prng(2);
  for (int round = 0; round < 100'000; ++round) {
    std::string pattern, text;
    for (uint64_t n = prng.Below(10); n > 0; --n) pattern += "[]^-\\*?a\xff"[prng.Below(10)];
    for (uint64_t n = prng.Below(5); n > 0; --n) text += "]^-\\a\xff"[prng.Below(7)];
    const std::vector<char> tight(pattern.begin(), pattern.end());
    GlobMatch(std::string_view(tight.data(), tight.size()), text);
    GlobMatch(std::string_view(tight.data(), tight.size()), text, Letters::kAnyCase);
  }
}

}  // namespace
}  // namespace sluice
