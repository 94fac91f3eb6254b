// Why: what recently held up a connection's writes, for SLUICE WHY.
//
// Causes that repeat are one entry with a count. The oldest gives way to a new one.
//
// Threads:  none; the session's own.
// Bounds:   kEntries entries, none until there is something to tell.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/keyspace.h"
#include "resp/reply.h"

namespace sluice::server {

class Why {
 public:
  static constexpr size_t kEntries = 16;

  // The error that a command was answered with, without the dash: noted if it is a refusal.
  void Refused(std::string_view error, std::string_view command, uint64_t now_us);
  // A limit that only observes would have refused the command: "reason=… scope=… …".
  void Observed(std::string_view words, std::string_view command, uint64_t now_us);
  // A command waited, and then ran or was refused.
  void Waited(std::string_view reason, model::Priority priority, uint64_t waited_us,
              uint64_t now_us);

  // An array of maps, what happened last first.
  void Tell(resp::Reply& reply, uint64_t now_us) const;
  void Clear() { entries_.reset(); }

 private:
  struct Entry {
    std::string_view outcome;
    std::string command;  // empty: any
    std::string words;    // "reason=limit scope=likes retry_ms=20 applied=no": those of the last
    uint64_t times = 0, last_us = 0, waited_us = 0;
  };

  Entry& Note(std::string_view outcome, std::string_view words, std::string_view command,
              uint64_t now_us);

  std::unique_ptr<std::vector<Entry>> entries_;  // by last_us, the last behind
};

}  // namespace sluice::server
