// SlowLog: the commands that took longest to run lately, for SLOWLOG GET.
//
// Counted is the time that the command kept its lane busy, not what its reply waited for the disk.
//
// Threads:  any; one short lock, taken only for a command that was slow, and by readers.
// Bounds:   the oldest entry goes when max_entries is reached; kArgsMax arguments of kArgBytesMax
//           bytes are kept of each.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "command/command.h"

namespace sluice::server {

struct SlowCommand {
  uint64_t id = 0;
  uint64_t unix_s = 0;
  uint64_t microseconds = 0;
  std::vector<std::string> args;
  std::string peer, client_name;
};

class SlowLog {
 public:
  static constexpr size_t kArgsMax = 32;
  static constexpr size_t kArgBytesMax = 128;
  static constexpr int64_t kEntriesMost = 10'000;  // of what max_entries may be set to

  // Negative: nothing is slow. Zero: everything is.
  std::atomic<int64_t> threshold_us{10'000};
  std::atomic<int64_t> max_entries{128};

  bool IsSlow(uint64_t microseconds) const {
    const int64_t threshold = threshold_us.load(std::memory_order_relaxed);
    return threshold >= 0 && microseconds >= static_cast<uint64_t>(threshold);
  }
  void Add(command::Args args, uint64_t unix_s, uint64_t microseconds, std::string_view peer,
           std::string_view client_name);
  std::vector<SlowCommand> Latest(size_t count) const;  // newest first
  size_t size() const;
  void Clear();

 private:
  mutable std::mutex mutex_;
  std::deque<SlowCommand> entries_;  // newest first
  uint64_t next_id_ = 0;
};

}  // namespace sluice::server
