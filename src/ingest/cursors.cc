#include "ingest/cursors.h"

namespace sluice::ingest {

uint64_t Cursors::Put(ScanCursor cursor) {
  const std::lock_guard lock(mutex_);
  if (cursors_.size() == kCursorsMax) {
    by_number_.erase(cursors_.front().first);
    cursors_.pop_front();
  }
  const uint64_t number = next_++;
  cursors_.emplace_back(number, std::move(cursor));
  by_number_[number] = std::prev(cursors_.end());
  return number;
}

std::optional<ScanCursor> Cursors::Take(uint64_t number) {
  const std::lock_guard lock(mutex_);
  const auto at = by_number_.find(number);
  if (at == by_number_.end()) return std::nullopt;
  ScanCursor cursor = std::move(at->second->second);
  cursors_.erase(at->second);
  by_number_.erase(at);
  return cursor;
}

}  // namespace sluice::ingest
