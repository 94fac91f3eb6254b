// Refusals as data: what a client is told whose write is not taken.
//
//   THROTTLED reason=… scope=… retry_ms=… applied=no    a limit; the reason is the setting's name
//   OVERLOADED reason=… class=… retry_ms=… applied=no   there is not enough for all
//   ERR … can never pass … of …, whose burst is …       a limit; coming again is no use
//   NOSPACE …                                           a disk is full, or nearly
//
// Texts are without the dash, as resp::Reply::Error takes them.
//
// Threads:  any; plain values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "model/keyspace.h"

namespace sluice::admit {

std::string_view NameOf(model::Priority priority);  // "critical"

// `scope` is one word: see Shown.
std::string Throttled(std::string_view reason, std::string_view scope, uint64_t retry_ms);
std::string Overloaded(std::string_view reason, model::Priority priority, uint64_t retry_ms);
std::string NeverPasses(uint64_t writes, std::string_view reason, std::string_view scope,
                        uint64_t burst);
inline constexpr std::string_view kLogDiskFull =
    "NOSPACE the disk of the log is full; nothing was applied; reads go on";
inline constexpr std::string_view kStoreDiskFull =
    "NOSPACE the disk of the store is full; nothing was applied; reads go on";
inline constexpr std::string_view kDiskNearlyFull =
    "NOSPACE the disk is nearly full: what is left is kept for recovery and for what deletes; "
    "nothing was applied; reads go on";

// "reason=… scope=… …" of any of them; empty: it is another error.
std::string WordsOf(std::string_view refusal);

inline constexpr size_t kShownBytesMax = 64;  // of a client's bytes in a scope

// A client's bytes as one word of letters: what is none is shown as \xNN, and what is long is cut.
std::string Shown(std::string_view bytes);

// Why writes are not taken for the time being, whoever asks. The views are of constants.
struct Refusal {
  std::string_view text;    // the whole text; else
  std::string_view reason;  // of an OVERLOADED
  uint64_t retry_ms = 0;
  bool only_growth = false;  // what deletes or ends keys is taken all the same

  bool none() const { return text.empty() && reason.empty(); }
  // Requires: there is one. `priority`: of the write that is refused.
  std::string TextFor(model::Priority priority) const;
};

}  // namespace sluice::admit
