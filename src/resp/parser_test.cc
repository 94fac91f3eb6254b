#include "resp/parser.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/prng.h"
#include "resp/kit_test.h"

namespace sluice::resp {
namespace {

using Got = Parser::Got;

std::string Bulk(std::string_view bytes) {
  return "$" + std::to_string(bytes.size()) + "\r\n" + std::string(bytes) + "\r\n";
}

std::string RandomBytes(Prng& prng, size_t size_max) {
  std::string bytes(prng.Below(size_max + 1), '\0');
  for (char& byte : bytes) byte = static_cast<char>(prng());
  return bytes;
}

// One random request, and the command that it means (none for an empty one).
std::string RandomRequest(Prng& prng, std::vector<Command>* meaning) {
  static const char* const kNothing[] = {"\r\n", "\n", "*0\r\n", "*-1\r\n", "   \r\n", "*-77\r\n"};
  if (prng.OneIn(8)) return kNothing[prng.Below(std::size(kNothing))];
  Command command;
  const size_t size = 1 + prng.Below(prng.OneIn(20) ? 300 : 6);
  std::string request;
  if (prng.OneIn(3)) {
    static const std::pair<const char*, const char*> kWords[] = {{"GET", "GET"},
                                                                 {"\"\"", ""},
                                                                 {"''", ""},
                                                                 {"\"a b\"", "a b"},
                                                                 {"'it\\'s'", "it's"},
                                                                 {"pre\"fix\"", "prefix"},
                                                                 {"\"\\x41\\n\\\"\"", "A\n\""},
                                                                 {"'\\n'", "\\n"},
                                                                 {"\"\\xzz\"", "xzz"},
                                                                 {"k:1", "k:1"},
                                                                 {"\"\\q\\\\\"", "q\\"}};
    for (size_t i = 0; i < size; ++i) {
      const auto& [text, word] = kWords[prng.Below(std::size(kWords))];
      request += std::string(prng.Below(3) + (i > 0 ? 1 : 0), prng.OneIn(2) ? ' ' : '\t') + text;
      command.emplace_back(word);
    }
    request += prng.OneIn(2) ? "\r\n" : "\n";
  } else {
    request = "*" + std::to_string(size) + "\r\n";
    for (size_t i = 0; i < size; ++i) {
      command.push_back(RandomBytes(prng, prng.OneIn(10) ? 5000 : 12));
      request += Bulk(command.back());
    }
  }
  meaning->push_back(std::move(command));
  return request;
}

// Goal:   the reads that bytes arrive in make no difference, and every command is what was sent.
// Method: random streams of requests of every kind, each fed whole, cut in two at every byte, byte
//         by byte and in random reads; the meaning is known from making them.
TEST(Parser, AnySplitIntoReadsGivesTheSameCommands) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    Prng prng(seed);
    std::string stream;
    Meaning sent;
    for (int i = 0; i < 12; ++i) stream += RandomRequest(prng, &sent.commands);
    ASSERT_EQ(Whole(stream), sent) << "seed " << seed;
    ASSERT_EQ(Feed(stream, kLimits, [&] { return 1 + prng.Below(40); }), sent) << "seed " << seed;
    if (stream.size() > 4000) continue;
    ASSERT_EQ(Feed(stream, kLimits, [] { return 1; }), sent) << "seed " << seed;
    if (stream.size() > 600) continue;
    for (size_t cut = 1; cut < stream.size(); ++cut) {
      ASSERT_EQ(Feed(stream, kLimits,
                     [&, first = true]() mutable {
                       return std::exchange(first, false) ? cut : SIZE_MAX;
                     }),
                sent)
          << "seed " << seed << " cut " << cut;
    }
  }
}

// Goal:   hostile bytes are answered, never a crash or a read outside the buffer, and mean the same
//         in any reads.
// Method: random streams spoiled in a few places, and random bytes of the protocol's alphabet; a
//         sanitizer watches. Small limits, so that every limit is met.
TEST(Parser, HostileBytesMeanTheSameInAnyReads) {
  const Limits small = {6, 40, 64, 200, true};
  static constexpr char kAlphabet[] = "*$\r\n0123456789-\"'\\x aGETpost:host";
  for (uint64_t seed = 0; seed < 4000; ++seed) {
    Prng prng(seed);
    std::string stream;
    if (prng.OneIn(2)) {
      std::vector<Command> unused;
      for (int i = 0; i < 4; ++i) stream += RandomRequest(prng, &unused);
      for (int i = 0; i < 5; ++i) {
        stream[prng.Below(stream.size())] = kAlphabet[prng.Below(sizeof kAlphabet)];
      }
    } else {
      for (size_t i = prng.Below(300); i > 0; --i) {
        stream += kAlphabet[prng.Below(sizeof kAlphabet - 1)];
      }
    }
    const Meaning whole = Whole(stream, small);
    ASSERT_EQ(Feed(stream, small, [] { return 1; }), whole) << "seed " << seed;
    ASSERT_EQ(Feed(stream, small, [&] { return 1 + prng.Below(9); }), whole) << "seed " << seed;
  }
}

// Goal:   each broken request gets Redis' own words.
// Method: one stream per error, after a good command that must come through.
TEST(Parser, ProtocolErrorsHaveRedisTexts) {
  const std::string good = "*1\r\n$4\r\nPING\r\n";
  const std::pair<std::string, std::string> cases[] = {
      {"*x\r\n", "invalid multibulk length"},
      {"*\r\n", "invalid multibulk length"},
      {"*1 \r\n", "invalid multibulk length"},
      {"*01\r\n", "invalid multibulk length"},
      {"*2147483648\r\n", "invalid multibulk length"},
      {"*1048577\r\n", "invalid multibulk length"},
      {"*99999999999999999999\r\n", "invalid multibulk length"},
      {"*1\r\nx3\r\n", "expected '$', got 'x'"},
      {"*1\r\n\r\n", "expected '$', got '\r'"},
      {"*1\r\n$-1\r\n", "invalid bulk length"},
      {"*1\r\n$x\r\n", "invalid bulk length"},
      {"*1\r\n$16777217\r\n", "invalid bulk length"},
      {"*1\r\n$9223372036854775807\r\n", "invalid bulk length"},
      {"SET \"a\r\n", "unbalanced quotes in request"},
      {"SET 'a\r\n", "unbalanced quotes in request"},
      {"SET \"a\"b\r\n", "unbalanced quotes in request"},
      {"SET 'a'b\r\n", "unbalanced quotes in request"},
      {"SET \"a\\\r\n", "unbalanced quotes in request"},
      {std::string(65537, 'a'), "too big inline request"},
      {std::string(65537, 'a') + "\r\n", "too big inline request"},
      {"*" + std::string(65537, '1'), "too big mbulk count string"},
      {"*1\r\n$" + std::string(65537, '1'), "too big bulk count string"},
  };
  for (const auto& [bytes, text] : cases) {
    const Meaning meaning = Whole(good + bytes);
    EXPECT_EQ(meaning.commands, std::vector<Command>{{"PING"}}) << text;
    EXPECT_EQ(meaning.end, Got::kError) << text;
    EXPECT_EQ(meaning.error, "ERR Protocol error: " + text);
  }
}

// Goal:   what is at a limit passes, what is one beyond does not; before AUTH the limits are low
//         and say so.
// Method: each limit and its neighbour.
TEST(Parser, LimitsHoldExactly) {
  const auto args = [](int n) {
    std::string bytes = "*" + std::to_string(n) + "\r\n";
    for (int i = 0; i < n; ++i) bytes += "$1\r\na\r\n";
    return bytes;
  };
  const auto error = [](const std::string& bytes, const Limits& limits) {
    return Whole(bytes, limits).error;
  };
  EXPECT_EQ(error(args(10), kLimitsBeforeAuth), "");
  EXPECT_EQ(error(args(11), kLimitsBeforeAuth),
            "ERR Protocol error: unauthenticated multibulk length");
  EXPECT_EQ(error("*2147483648\r\n", kLimitsBeforeAuth),
            "ERR Protocol error: invalid multibulk length");
  EXPECT_EQ(error(args(1 << 16), kLimits), "");
  const std::string most(16 << 10, 'v');
  EXPECT_EQ(error("*1\r\n" + Bulk(most), kLimitsBeforeAuth), "");
  EXPECT_EQ(error("*1\r\n" + Bulk(most + "v"), kLimitsBeforeAuth),
            "ERR Protocol error: unauthenticated bulk length");
  EXPECT_EQ(error("*1\r\n" + Bulk(most + "v"), kLimits), "");
  EXPECT_EQ(Whole(std::string(65535, 'a') + "\n").commands.size(), 1u);
  EXPECT_EQ(Whole(std::string(65536, 'a') + "\n").commands.size(), 1u);
  const Limits tight = {10, 1000, 1000, 1020, true};
  EXPECT_EQ(error("*1\r\n" + Bulk(std::string(1000, 'a')), tight), "");
  EXPECT_EQ(error("*2\r\n" + Bulk("abcdef") + Bulk(std::string(1000, 'a')), tight),
            "ERR Protocol error: too big request");
}

// Goal:   a value that arrives in many reads is not parsed again from its start.
// Method: once a header was parsed its digits are overwritten; only a parser that goes on where it
//         stopped still finds the command.
TEST(Parser, GoesOnWhereItStopped) {
  const std::string value(100'000, 'v');
  std::string bytes = "*3\r\n" + Bulk("SET") + Bulk("key") + "$100000\r\n";
  const size_t head = bytes.size();
  bytes += value + "\r\n";
  Parser parser(kLimits);
  std::vector<std::string_view> args;
  size_t consumed = 0;
  ASSERT_EQ(parser.Next(std::string_view(bytes).substr(0, head), &consumed, &args), Got::kNeedMore);
  for (size_t i = 0; i < head; ++i) {
    if (bytes[i] >= '0' && bytes[i] <= '9') bytes[i] = '?';
  }
  for (size_t size = head; size < bytes.size(); size += 1000) {
    ASSERT_EQ(parser.Next(std::string_view(bytes).substr(0, size), &consumed, &args),
              Got::kNeedMore);
    ASSERT_EQ(consumed, 0u);
  }
  ASSERT_EQ(parser.Next(bytes, &consumed, &args), Got::kCommand);
  EXPECT_EQ(consumed, bytes.size());
  EXPECT_EQ(args, (std::vector<std::string_view>{"SET", "key", value}));
}

// Goal:   the parser hands out views of the caller's buffer, not copies.
// Method: compare addresses.
TEST(Parser, ArgumentsAreViewsOfTheInput) {
  const std::string bytes = "*2\r\n$3\r\nGET\r\n$1\r\nk\r\nGET k\r\n";
  Parser parser(kLimits);
  std::vector<std::string_view> args;
  std::string_view rest = bytes;
  for (int i = 0; i < 2; ++i) {
    size_t consumed = 0;
    ASSERT_EQ(parser.Next(rest, &consumed, &args), Got::kCommand);
    for (const std::string_view arg : args) {
      EXPECT_GE(arg.data(), bytes.data());
      EXPECT_LE(arg.data() + arg.size(), bytes.data() + bytes.size());
    }
    rest.remove_prefix(consumed);
  }
  EXPECT_TRUE(rest.empty());
}

// Goal:   HTTP sent to this port is told apart.
// Method: a browser's requests; words that only look alike are commands.
TEST(Parser, HttpIsToldApart) {
  EXPECT_EQ(Whole("POST / HTTP/1.1\r\nHost: x\r\n").end, Got::kCrossProtocol);
  const Meaning get = Whole("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(get.commands.size(), 1u);
  EXPECT_EQ(get.end, Got::kCrossProtocol);
  EXPECT_EQ(Whole("*1\r\n$5\r\nhOsT:\r\n").end, Got::kCrossProtocol);
  EXPECT_EQ(Whole("host x\r\npos t\r\nposts\r\n").commands.size(), 3u);
}

}  // namespace
}  // namespace sluice::resp
