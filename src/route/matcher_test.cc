#include "route/matcher.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/prng.h"

namespace sluice::route {
namespace {

model::Keyspace KeyspaceOf(std::string_view text) {
  const auto pieces = config::ParseTemplate(text);
  EXPECT_TRUE(pieces.has_value()) << text;
  model::Keyspace keyspace;
  keyspace.name = text;
  keyspace.key = {std::string(text), pieces->literals, pieces->segments};
  return keyspace;
}

std::string RandomTemplate(Prng& prng) {
  std::string text;
  const uint64_t segments = 1 + prng.Below(3);
  for (uint64_t i = 0; i <= segments; ++i) {
    for (uint64_t n = (i == segments ? 0 : 1) + prng.Below(3); n > 0; --n) {
      text += "ab:"[prng.Below(3)];
    }
    if (i < segments) text += fmt::format("{{s{}}}", i);
  }
  return text;
}

std::string RandomKey(Prng& prng) {
  std::string key;
  for (uint64_t n = prng.Below(12); n > 0; --n) key += "ab:x"[prng.Below(4)];
  return key;
}

// Goal:   matching accepts what the automaton that compares templates accepts, and its segments put
//         between the literals are the key again.
// Method: random templates, random keys and keys made to match.
TEST(Matcher, AgreesWithTheAutomaton) {
  Prng prng(1);
  int matched = 0;
  for (int round = 0; round < 100'000; ++round) {
    const model::Keyspace keyspace = KeyspaceOf(RandomTemplate(prng));
    const config::KeyTemplate pieces = {keyspace.key.literals, keyspace.key.segments};
    std::string key = RandomKey(prng);
    if (prng.OneIn(2)) {
      key = pieces.literals[0];
      for (size_t i = 0; i < pieces.segments.size(); ++i) {
        key += RandomKey(prng).substr(0, 2) + pieces.literals[i + 1];
      }
    }
    Segments segments;
    const bool matches = Match(keyspace.key, key, &segments);
    ASSERT_EQ(matches, config::Accepts(pieces, key)) << keyspace.name << " " << key;
    ASSERT_EQ(Matches(keyspace, key), matches);
    if (!matches) continue;
    ++matched;
    std::string again = pieces.literals[0];
    for (size_t i = 0; i < pieces.segments.size(); ++i) {
      ASSERT_FALSE(segments[i].empty());
      again += std::string(segments[i]) + pieces.literals[i + 1];
    }
    ASSERT_EQ(again, key);
  }
  EXPECT_GT(matched, 10'000);
}

// Goal:   the index finds what trying every template finds.
// Method: random sets of templates that share beginnings and no key, random keys.
TEST(Matcher, IndexFindsTheOneTemplate) {
  Prng prng(2);
  int found = 0;
  for (int round = 0; round < 300; ++round) {
    std::vector<model::Keyspace> keyspaces(1);  // `default`, without a template
    for (uint64_t n = prng.Below(40); n > 0; --n) {
      model::Keyspace one = KeyspaceOf(RandomTemplate(prng));
      const config::KeyTemplate pieces = {one.key.literals, one.key.segments};
      bool alone = true;
      for (const model::Keyspace& other : keyspaces) {
        if (other.key.segments.empty()) continue;
        alone = alone && !config::CommonKey(pieces, {other.key.literals, other.key.segments});
      }
      if (alone) keyspaces.push_back(std::move(one));
    }
    const TemplateIndex index(keyspaces);
    for (int i = 0; i < 300; ++i) {
      const std::string key = RandomKey(prng);
      int expected = -1;
      for (size_t at = 0; at < keyspaces.size(); ++at) {
        if (!Matches(keyspaces[at], key)) continue;
        ASSERT_EQ(expected, -1) << key << " matches two";
        expected = static_cast<int>(at);
      }
      Segments segments;
      ASSERT_EQ(index.Find(key, &segments), expected) << key;
      found += expected >= 0 ? 1 : 0;
    }
  }
  EXPECT_GT(found, 1'000);
}

// Goal:   keys of any bytes, and none, are handled.
TEST(Matcher, TakesAnyBytes) {
  const model::Keyspace keyspace = KeyspaceOf("k:{a}:{b}");
  Segments segments;
  const std::string key("k:\0\xff\r\n:\0", 8);
  ASSERT_TRUE(Match(keyspace.key, key, &segments));
  EXPECT_EQ(segments[0], std::string_view("\0\xff\r\n", 4));
  EXPECT_EQ(segments[1], std::string_view("\0", 1));
  EXPECT_FALSE(Match(keyspace.key, "", &segments));
  EXPECT_FALSE(Match(keyspace.key, "k:", &segments));
  EXPECT_FALSE(Match(keyspace.key, "k::", &segments));
  EXPECT_FALSE(Match(keyspace.key, "k:a:", &segments));
  EXPECT_FALSE(Match(keyspace.key, "k:a:b:c", &segments));
}

}  // namespace
}  // namespace sluice::route
