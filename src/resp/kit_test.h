// What the tests of this room share: what a stream of requests means, in whatever reads it comes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "resp/parser.h"

namespace sluice::resp {

using Command = std::vector<std::string>;

// What a stream of bytes means: its commands, and how it ended.
struct Meaning {
  std::vector<Command> commands;
  Parser::Got end = Parser::Got::kNeedMore;
  std::string error;

  bool operator==(const Meaning&) const = default;
};

// Feeds `bytes` in reads of the sizes that `next_read` gives, as a connection would: unconsumed
// bytes stay, and the buffer is a new allocation of the exact size each time, so that a sanitizer
// sees every read past its end and every view kept across calls.
template <class NextRead>
Meaning Feed(std::string_view bytes, const Limits& limits, NextRead next_read) {
  Meaning meaning;
  Parser parser(limits);
  std::string pending;
  std::vector<std::string_view> args;
  while (!bytes.empty()) {
    const size_t size = std::min<size_t>(next_read(), bytes.size());
    pending += bytes.substr(0, size);
    bytes.remove_prefix(size);
    for (;;) {
      const auto buffer = std::make_unique<char[]>(pending.size());
      std::copy(pending.begin(), pending.end(), buffer.get());
      size_t consumed = 0;
      const Parser::Got got = parser.Next({buffer.get(), pending.size()}, &consumed, &args);
      if (got == Parser::Got::kCommand) meaning.commands.emplace_back(args.begin(), args.end());
      pending.erase(0, consumed);
      if (got == Parser::Got::kNeedMore) break;
      if (got == Parser::Got::kCommand) continue;
      meaning.end = got;
      meaning.error = parser.error();
      return meaning;
    }
  }
  return meaning;
}

inline Meaning Whole(std::string_view bytes, const Limits& limits = kLimits) {
  return Feed(bytes, limits, [] { return SIZE_MAX; });
}

}  // namespace sluice::resp
