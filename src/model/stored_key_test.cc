#include "model/stored_key.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/prng.h"

namespace sluice::model {
namespace {

std::string Bytes(Prng& random, uint64_t size_max) {
  std::string made(random.Below(size_max + 1), 0);
  for (char& c : made) c = static_cast<char>(random.OneIn(4) ? 0xff * random.Below(2) : random());
  return made;
}

Keyspace HashKeyspace(uint16_t id) {
  Keyspace keyspace;
  keyspace.id = KeyspaceId(id);
  keyspace.token = {{TokenPartKind::kHash, {}}};
  return keyspace;
}

// A region and an order-preserving code of bytes, which says itself where it ends.
Keyspace RangeKeyspace(uint16_t id) {
  Keyspace keyspace;
  keyspace.id = KeyspaceId(id);
  keyspace.token = {{TokenPartKind::kGeo, {}}, {TokenPartKind::kRange, {0}}};
  return keyspace;
}

std::string Token(Prng& random, const Keyspace& keyspace) {
  std::string token;
  if (keyspace.token[0].kind == TokenPartKind::kHash) {
    AppendBe64(token, random());
    return token;
  }
  AppendBe16(token, static_cast<uint16_t>(random()));
  token.push_back(2);
  for (const char c : Bytes(random, 6)) {
    token.push_back(c);
    if (c == 0) token.push_back('\xff');
  }
  return token.append("\0\1", 2);
}

// Goal:   each kind of key comes apart into what it was made of, and what is left is what the kind
//         has there; no prefix of a value or expiry key passes for one.
TEST(StoredKey, ComesApartAsMade) {
  Prng random(1);
  for (int round = 0; round < 3000; ++round) {
    const auto id = static_cast<uint16_t>(random.Below(0xffff));
    const Keyspace keyspace = random.OneIn(2) ? HashKeyspace(id) : RangeKeyspace(id);
    const std::string token = Token(random, keyspace), key = Bytes(random, 20);
    const uint64_t expire = random();
    std::string stored;
    StoredKeyParts parts;
    const auto same = [&](Kind kind, std::string_view rest) {
      ASSERT_EQ(KeyspaceOf(stored), keyspace.id);
      ASSERT_EQ(KindOf(stored), kind);
      ASSERT_TRUE(SplitStoredKey(keyspace, stored, &parts));
      ASSERT_EQ(parts.token, token);
      ASSERT_EQ(parts.key, key);
      ASSERT_EQ(parts.rest, rest);
      ASSERT_EQ(parts.expire_at_ms, kind == Kind::kExpiry ? expire : 0);
    };
    ValueKey(stored, keyspace.id, token, key);
    same(Kind::kValue, "");
    std::string derived;
    ExpiryKeyOfValue(derived, stored, expire);
    for (size_t cut = 0; cut < stored.size(); ++cut) {
      ASSERT_FALSE(SplitStoredKey(keyspace, std::string_view(stored).substr(0, cut), &parts));
    }
    ASSERT_FALSE(SplitStoredKey(keyspace, stored + "x", &parts));
    ASSERT_FALSE(SplitStoredKey(HashKeyspace(id + 1), stored, &parts)) << "another's keyspace";

    ExpiryKey(stored, keyspace.id, expire, token, key);
    ASSERT_EQ(stored, derived);
    same(Kind::kExpiry, "");
    for (size_t cut = 0; cut < stored.size(); ++cut) {
      ASSERT_FALSE(SplitStoredKey(keyspace, std::string_view(stored).substr(0, cut), &parts));
    }
    const Generation generation(random());
    FieldPrefix(stored, keyspace.id, token, key, generation);
    std::string rest;
    AppendBe64(rest, generation.value);
    stored += "field";
    same(Kind::kField, rest + "field");
    OnceKey(stored, keyspace.id, token, key, "me", "again");
    same(Kind::kOnce, "\2meagain");
    if (HasFatalFailure()) return;
  }
}

// Goal:   noise never passes its own end.
TEST(StoredKey, SurvivesNoise) {
  Prng random(2);
  const Keyspace keyspaces[] = {HashKeyspace(0), RangeKeyspace(0)};
  for (int round = 0; round < 20000; ++round) {
    std::string stored = Bytes(random, 40);
    if (stored.size() > 2) stored[0] = stored[1] = 0;
    if (stored.size() > 2) stored[2] = "vfxopPVh"[random.Below(8)];
    StoredKeyParts parts;
    for (const Keyspace& keyspace : keyspaces) {
      if (!SplitStoredKey(keyspace, stored, &parts)) continue;
      ASSERT_LE(parts.token.size() + parts.key.size() + parts.rest.size() + 5, stored.size());
    }
  }
}

// Goal:   a shard is one range per kind: keys of a kind lie in the order of their tokens, whatever
//         their bytes, and between the prefixes of the tokens that bound them.
TEST(StoredKey, LiesInTheOrderOfTokens) {
  Prng random(3);
  const Keyspace keyspace = HashKeyspace(3);
  for (int round = 0; round < 3000; ++round) {
    std::string tokens[3];
    for (std::string& token : tokens) token = Token(random, keyspace);
    std::sort(std::begin(tokens), std::end(tokens));
    if (tokens[0] == tokens[1] || tokens[1] == tokens[2]) continue;
    const std::string key = Bytes(random, 30);
    std::string begin, end, stored;
    for (const Kind kind : {Kind::kValue, Kind::kField, Kind::kOnce}) {
      KindPrefix(begin, keyspace.id, kind, tokens[1]);
      KindPrefix(end, keyspace.id, kind, tokens[2]);
      for (int i = 0; i < 3; ++i) {
        if (kind == Kind::kValue) ValueKey(stored, keyspace.id, tokens[i], key);
        if (kind == Kind::kField) {
          FieldPrefix(stored, keyspace.id, tokens[i], key, Generation(1));
        }
        if (kind == Kind::kOnce) OnceKey(stored, keyspace.id, tokens[i], key, "u", "t");
        ASSERT_EQ(stored >= begin && stored < end, i == 1);
      }
    }
  }
}

// Goal:   fields of one generation lie together: no key of another hash, however alike, and none of
//         another generation begins with their prefix.
TEST(StoredKey, GenerationsLieTogether) {
  Prng random(4);
  for (int round = 0; round < 3000; ++round) {
    std::string prefix, other;
    const std::string key = Bytes(random, 6);
    const Generation generation(random.Below(3));
    FieldPrefix(prefix, KeyspaceId(0), "tokentok", key, generation);
    const std::string near = random.OneIn(2) ? key + Bytes(random, 3) : Bytes(random, 6);
    const Generation another(random.Below(3));
    FieldPrefix(other, KeyspaceId(0), "tokentok", near, another);
    ASSERT_EQ((other + Bytes(random, 9)).starts_with(prefix), near == key && another == generation);
  }
}

// Goal:   PrefixEnd is the least key above all that begin with the prefix.
TEST(StoredKey, PrefixEndIsTight) {
  Prng random(5);
  for (int round = 0; round < 5000; ++round) {
    const std::string prefix = Bytes(random, 4), end = PrefixEnd(prefix);
    if (end.empty()) {
      ASSERT_EQ(prefix.find_first_not_of('\xff'), std::string::npos);
      continue;
    }
    ASSERT_LT(prefix + std::string(8, '\xff'), end);
    const std::string between = Bytes(random, 6);
    if (between >= prefix && between < end) {
      ASSERT_TRUE(between.starts_with(prefix));
    }
  }
}

// Goal:   rows about the store lie behind every other, and each producer's slot has its own key.
TEST(StoredKey, TheOthersHavePlacesOfTheirOwn) {
  std::string value, position, format, first, second;
  ValueKey(value, KeyspaceId(0xfffe), std::string(8, '\xff'), std::string(20, '\xff'));
  PositionKey(position, Lineage(0));
  FormatKey(format);
  EXPECT_LT(value, position);
  EXPECT_LT(position, format);
  ProducerKey(first, KeyspaceId(1), "", "ab", "c", 5);
  ProducerKey(second, KeyspaceId(1), "", "a", "bc", 5);
  EXPECT_NE(first, second);
}

}  // namespace
}  // namespace sluice::model
