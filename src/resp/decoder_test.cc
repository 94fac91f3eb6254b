#include "resp/decoder.h"

#include <gtest/gtest.h>

#include "base/prng.h"
#include "resp/reply.h"

namespace sluice::resp {
namespace {

using Got = Decoder::Got;

// A value as text, so that whole trees compare and print.
std::string Show(const Value& value) {
  std::string text = std::to_string(static_cast<int>(value.type)) + "<" + value.text + ">";
  if (value.type == Value::Type::kInt || value.type == Value::Type::kBool) {
    text += std::to_string(value.number);
  }
  for (const Value& item : value.items) text += "(" + Show(item) + ")";
  return text;
}

std::vector<std::string> Decode(std::string_view bytes, Prng* reads, Got* end = nullptr) {
  Decoder decoder;
  std::vector<std::string> replies;
  std::string pending;
  while (!bytes.empty()) {
    const size_t size = reads ? std::min<size_t>(1 + reads->Below(7), bytes.size()) : bytes.size();
    pending += bytes.substr(0, size);
    bytes.remove_prefix(size);
    Got got = Got::kReply;
    while (got == Got::kReply) {
      Value value;
      size_t consumed = 0;
      got = decoder.Next(pending, &consumed, &value);
      pending.erase(0, consumed);
      if (got == Got::kReply) replies.push_back(Show(value));
    }
    if (end) *end = got;
    if (got == Got::kError) break;
  }
  return replies;
}

// One random reply of any depth; returns how it is to be shown.
std::string WriteRandom(Prng& prng, Reply& reply, int depth) {
  const auto nested = [&](size_t n) {
    std::string text;
    for (size_t i = 0; i < n; ++i) text += "(" + WriteRandom(prng, reply, depth - 1) + ")";
    return text;
  };
  const bool three = reply.version() == Version::k3;
  const std::string bytes(prng.Below(20), static_cast<char>(prng()));
  const size_t n = prng.Below(4);
  switch (prng.Below(depth > 0 ? 9 : 6)) {
    case 0:
      return reply.Simple("fine"), "1<fine>";
    case 1:
      return reply.Error("ERR no"), "2<ERR no>";
    case 2: {
      const int64_t number = static_cast<int64_t>(prng());
      return reply.Int(number), "3<" + std::to_string(number) + ">" + std::to_string(number);
    }
    case 3:
      return reply.Bulk(bytes), "4<" + bytes + ">";
    case 4:
      return reply.Null(), "0<>";
    case 5:
      return reply.Verbatim(bytes), "4<" + bytes + ">";
    case 6:
      return reply.Array(n), "8<>" + nested(n);
    case 7:
      return reply.Map(n), (three ? "9<>" : "8<>") + nested(2 * n);
    default:
      return reply.Set(n), (three ? "10<>" : "8<>") + nested(n);
  }
}

// Goal:   what Reply writes, Decoder reads, in any reads.
// Method: random replies of both versions, several in a stream.
TEST(Decoder, ReadsWhatReplyWritesInAnyReads) {
  for (uint64_t seed = 0; seed < 500; ++seed) {
    Prng prng(seed);
    std::string bytes;
    Reply reply(bytes, prng.OneIn(2) ? Version::k2 : Version::k3);
    std::vector<std::string> expected;
    for (int i = 0; i < 5; ++i) expected.push_back(WriteRandom(prng, reply, 4));
    ASSERT_EQ(Decode(bytes, nullptr), expected) << "seed " << seed;
    ASSERT_EQ(Decode(bytes, &prng), expected) << "seed " << seed;
  }
}

// Goal:   the kinds that Reply does not write, and nulls of RESP2, are read too.
// Method: bytes by hand.
TEST(Decoder, ReadsTheOtherKinds) {
  EXPECT_EQ(Decode("*-1\r\n$-1\r\n,1.5\r\n#t\r\n(123\r\n>1\r\n:1\r\n!5\r\nERR x\r\n", nullptr),
            (std::vector<std::string>{"0<>", "0<>", "5<1.5>", "6<t>1", "7<123>", "11<>(3<1>1)",
                                      "2<ERR x>"}));
}

// Goal:   bytes that are no replies, or pass a bound, are an error and never a crash.
// Method: a list by hand, and random bytes of the protocol's alphabet.
TEST(Decoder, RefusesWhatIsNoReply) {
  std::string deep;
  for (size_t i = 0; i <= Decoder::kDepthMax; ++i) deep += "*1\r\n";
  for (const std::string& bytes :
       {std::string("?\r\n"), std::string("\r\n"), std::string(":x\r\n"), std::string("$-2\r\n"),
        std::string("$99999999999\r\n"), std::string("*-5\r\n"), std::string("+a\n"), deep,
        std::string(Decoder::kLineBytesMax, '+')}) {
    Got end = Got::kReply;
    Decode(bytes, nullptr, &end);
    EXPECT_EQ(end, Got::kError) << bytes.substr(0, 40);
  }
  static constexpr char kAlphabet[] = "*$+-:_#,%~=!(>\r\n0123456789ab";
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    Prng prng(seed);
    std::string bytes;
    for (int i = 0; i < 60; ++i) bytes += kAlphabet[prng.Below(sizeof kAlphabet - 1)];
    Decode(bytes, &prng);
  }
}

}  // namespace
}  // namespace sluice::resp
