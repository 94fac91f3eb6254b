#include "log/segment_table.h"

#include <algorithm>
#include <utility>

namespace sluice::log {

void SegmentTable::Add(SegmentEntry entry) {
  const std::lock_guard lock(mutex_);
  entries_.push_back(std::move(entry));
}

void SegmentTable::ExtendLast(uint64_t end) {
  const std::lock_guard lock(mutex_);
  entries_.back().end = end;
}

void SegmentTable::RemoveFirst() {
  const std::lock_guard lock(mutex_);
  entries_.pop_front();
}

SegmentEntry SegmentTable::First() const {
  const std::lock_guard lock(mutex_);
  return entries_.front();
}

SegmentEntry SegmentTable::Last() const {
  const std::lock_guard lock(mutex_);
  return entries_.back();
}

size_t SegmentTable::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

uint64_t SegmentTable::bytes() const {
  const std::lock_guard lock(mutex_);
  uint64_t bytes = 0;
  for (const SegmentEntry& entry : entries_) bytes += entry.header.bytes;
  return bytes;
}

uint64_t SegmentTable::BytesAfter(model::Lsn lsn, model::Lsn next) const {
  const std::lock_guard lock(mutex_);
  double bytes = 0;
  uint64_t end = next.value;  // of the segment's records
  for (auto entry = entries_.rbegin(); entry != entries_.rend(); ++entry) {
    const uint64_t begin = entry->header.start.next.value;
    const uint64_t behind = end - std::clamp(lsn.value + 1, begin, end);
    if (behind == 0 && end > begin) break;
    const auto all = static_cast<double>(entry->end - kSegmentHeaderBytes);
    if (end > begin) bytes += all * static_cast<double>(behind) / static_cast<double>(end - begin);
    end = begin;
  }
  return static_cast<uint64_t>(bytes);
}

std::vector<model::Lsn> SegmentTable::Starts() const {
  const std::lock_guard lock(mutex_);
  std::vector<model::Lsn> starts;
  for (const SegmentEntry& entry : entries_) starts.push_back(entry.header.start.next);
  return starts;
}

std::optional<SegmentEntry> SegmentTable::Find(model::Lsn from) const {
  const std::lock_guard lock(mutex_);
  const auto after = std::upper_bound(
      entries_.begin(), entries_.end(), from,
      [](model::Lsn lsn, const SegmentEntry& entry) { return lsn < entry.header.start.next; });
  if (after == entries_.begin()) return std::nullopt;
  return *std::prev(after);
}

std::optional<SegmentEntry> SegmentTable::At(uint64_t number) const {
  const std::lock_guard lock(mutex_);
  const auto at = std::lower_bound(
      entries_.begin(), entries_.end(), number,
      [](const SegmentEntry& entry, uint64_t sought) { return entry.header.number < sought; });
  if (at == entries_.end() || at->header.number != number) return std::nullopt;
  return *at;
}

std::optional<SegmentEntry> SegmentTable::After(uint64_t number) const {
  const std::lock_guard lock(mutex_);
  const auto after = std::upper_bound(
      entries_.begin(), entries_.end(), number,
      [](uint64_t sought, const SegmentEntry& entry) { return sought < entry.header.number; });
  if (after == entries_.end()) return std::nullopt;
  return *after;
}

}  // namespace sluice::log
