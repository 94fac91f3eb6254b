#include "model/keyspace.h"

#include <gtest/gtest.h>

#include <string>

#include "base/prng.h"

namespace sluice::model {
namespace {

std::string RandomCode(Prng& prng) {
  std::string code;
  if (prng.OneIn(2)) {
    const size_t digits = prng.Below(21);
    code = std::string("\x01") + static_cast<char>(digits) + std::string(digits, '7');
    return code + static_cast<char>(prng.Below(256));
  }
  code = "\x02";
  for (uint64_t n = prng.Below(6); n > 0; --n) {
    const char c =
        "\0\x01\xff"
        "ab"[prng.Below(5)];
    code += c;
    if (c == 0) code += '\xff';
  }
  return code + std::string("\0\x01", 2);
}

Keyspace RandomKeyspace(Prng& prng) {
  Keyspace keyspace;
  if (prng.OneIn(2)) keyspace.token.push_back({TokenPartKind::kGeo, {0}});
  if (prng.OneIn(2)) {
    keyspace.token.push_back({TokenPartKind::kHash, {1}});
  } else {
    keyspace.token.push_back({TokenPartKind::kRange, {}});
    for (uint64_t n = 1 + prng.Below(3); n > 0; --n) keyspace.token.back().segments.push_back(1);
  }
  return keyspace;
}

// Goal:   a token delimits itself: its size is found whatever follows, and no shorter part of it
//         passes for a whole one.
// Method: random token shapes and tokens, with every shorter piece, and with bytes behind.
TEST(Keyspace, TokenSizeDelimits) {
  Prng prng(1);
  for (int round = 0; round < 20'000; ++round) {
    const Keyspace keyspace = RandomKeyspace(prng);
    std::string token;
    for (const TokenPart& part : keyspace.token) {
      if (part.kind == TokenPartKind::kGeo) token += std::string(2, static_cast<char>(prng()));
      if (part.kind == TokenPartKind::kHash) token += std::string(8, static_cast<char>(prng()));
      if (part.kind != TokenPartKind::kRange) continue;
      for (size_t i = 0; i < part.segments.size(); ++i) token += RandomCode(prng);
    }
    std::string behind;
    for (uint64_t n = prng.Below(5); n > 0; --n) behind += static_cast<char>(prng.Below(256));
    ASSERT_EQ(TokenSize(keyspace, token + behind), token.size());
    for (size_t size = 0; size < token.size(); ++size) {
      ASSERT_EQ(TokenSize(keyspace, std::string_view(token).substr(0, size)), 0u);
    }
  }
}

// Goal:   bytes that are no token are told from one, and none makes it read past their end (under a
//         sanitizer).
TEST(Keyspace, TokenSizeRefusesOtherBytes) {
  Prng prng(2);
  for (int round = 0; round < 50'000; ++round) {
    const Keyspace keyspace = RandomKeyspace(prng);
    std::vector<char> bytes;
    for (uint64_t n = prng.Below(14); n > 0; --n) {
      bytes.push_back(prng.OneIn(2) ? static_cast<char>(prng.Below(256))
                                    : static_cast<char>(prng.Below(3)));
    }
    const size_t size = TokenSize(keyspace, std::string_view(bytes.data(), bytes.size()));
    ASSERT_LE(size, bytes.size());
  }
  Keyspace range;
  range.token.push_back({TokenPartKind::kRange, {0}});
  EXPECT_EQ(TokenSize(range, std::string_view("\x03"
                                              "abc\0\x01",
                                              6)),
            0u);
  EXPECT_EQ(TokenSize(range, ""), 0u);
}

}  // namespace
}  // namespace sluice::model
