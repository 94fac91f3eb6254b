#include "ingest/cursors.h"

#include <utility>

namespace sluice::ingest {
namespace {

size_t BytesOf(const ScanCursor& cursor) {
  size_t bytes = sizeof cursor + cursor.from.size();
  if (cursor.behind) bytes += cursor.behind->size();
  for (const ScanItem& item : cursor.page) bytes += item.bytes();
  return bytes;
}

// What stays when the page goes: the place where it began.
ScanCursor TakePage(ScanCursor& cursor) {
  ScanCursor taken = std::exchange(cursor, {});
  cursor.hash = taken.hash;
  cursor.from = taken.from;
  return taken;
}

}  // namespace

uint64_t Cursors::Put(ScanCursor cursor, uint64_t before) {
  const std::lock_guard lock(mutex_);
  const uint64_t number = next_++;
  const size_t bytes = BytesOf(cursor);
  waiting_.push_back({number, before, std::move(cursor), bytes});
  by_number_[number] = std::prev(waiting_.end());
  bytes_ += bytes;
  Shrink();
  return number;
}

std::optional<ScanCursor> Cursors::Use(uint64_t number) {
  const std::lock_guard lock(mutex_);
  const auto found = by_number_.find(number);
  if (found == by_number_.end()) return std::nullopt;
  const auto entry = found->second;
  waiting_.splice(waiting_.end(), entry->passed ? passed_ : waiting_, entry);
  entry->passed = false;
  Pass(entry->before);
  bytes_ -= entry->bytes;
  ScanCursor taken = TakePage(entry->cursor);
  entry->bytes = BytesOf(entry->cursor);
  bytes_ += entry->bytes;
  return taken;
}

// Whoever used the successor has the reply to this one.
void Cursors::Pass(uint64_t number) {
  const auto found = by_number_.find(number);
  if (found == by_number_.end() || found->second->passed) return;
  found->second->passed = true;
  passed_.splice(passed_.end(), waiting_, found->second);
}

void Cursors::Shrink() {
  for (Entries* entries : {&passed_, &waiting_}) {
    for (auto at = entries->begin(); at != entries->end() && bytes_ > kCursorBytesMax; ++at) {
      bytes_ -= at->bytes;
      TakePage(at->cursor);
      at->bytes = BytesOf(at->cursor);
      bytes_ += at->bytes;
    }
  }
  while (by_number_.size() > kCursorsMax || (bytes_ > kCursorBytesMax && by_number_.size() > 1)) {
    Forget(passed_.empty() ? waiting_ : passed_);
  }
}

void Cursors::Forget(Entries& from) {
  bytes_ -= from.front().bytes;
  by_number_.erase(from.front().number);
  from.pop_front();
}

size_t Cursors::size() const {
  const std::lock_guard lock(mutex_);
  return by_number_.size();
}

size_t Cursors::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace sluice::ingest
