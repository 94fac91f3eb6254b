// The words of SCAN and HSCAN, as Redis reads them.
#pragma once

#include <cstdint>
#include <string_view>

#include "command/command.h"

namespace sluice::command {

struct ScanWords {
  uint64_t count = 10;
  bool has_match = false;
  std::string_view match;
  std::string_view type;  // SCAN only; empty: all
};

// Replies and answers false if `word` is no cursor.
bool ParseCursor(std::string_view word, resp::Reply& reply, uint64_t* cursor);

// Reads MATCH, COUNT and, for SCAN, TYPE. Replies and answers false on any other words.
enum class ScanOf : uint8_t { kKeys, kFields };
bool ParseScanWords(Args words, ScanOf of, resp::Reply& reply, ScanWords* parsed);

}  // namespace sluice::command
