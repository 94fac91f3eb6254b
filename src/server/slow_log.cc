#include "server/slow_log.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::server {

void SlowLog::Add(command::Args args, uint64_t unix_s, uint64_t microseconds, std::string_view peer,
                  std::string_view client_name) {
  SlowCommand slow{0, unix_s, microseconds, {}, std::string(peer), std::string(client_name)};
  const size_t kept = args.size() > kArgsMax ? kArgsMax - 1 : args.size();
  for (const std::string_view arg : args.first(kept)) {
    slow.args.emplace_back(arg.substr(0, kArgBytesMax));
    if (arg.size() > kArgBytesMax) {
      slow.args.back() += fmt::format("... ({} more bytes)", arg.size() - kArgBytesMax);
    }
  }
  if (kept < args.size()) {
    slow.args.push_back(fmt::format("... ({} more arguments)", args.size() - kept));
  }
  const std::lock_guard lock(mutex_);
  slow.id = next_id_++;
  entries_.push_front(std::move(slow));
  const size_t most = static_cast<size_t>(max_entries.load(std::memory_order_relaxed));
  while (entries_.size() > most) entries_.pop_back();
}

std::vector<SlowCommand> SlowLog::Latest(size_t count) const {
  const std::lock_guard lock(mutex_);
  const size_t taken = std::min(count, entries_.size());
  return {entries_.begin(), entries_.begin() + static_cast<ptrdiff_t>(taken)};
}

size_t SlowLog::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

void SlowLog::Clear() {
  const std::lock_guard lock(mutex_);
  entries_.clear();
}

}  // namespace sluice::server
