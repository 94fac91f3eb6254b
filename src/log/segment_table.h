// SegmentTable is what the log's writer and its readers share: which segments there are, and how
// far each is durable.
//
// Threads:  any; one short lock per call, never held during I/O.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "env/env.h"
#include "log/format.h"
#include "model/ids.h"

namespace sluice::log {

struct SegmentEntry {
  SegmentHeader header;
  std::shared_ptr<env::File> file;
  uint64_t end = 0;  // groups before this offset are durable
};

class SegmentTable {
 public:
  void Add(SegmentEntry entry);
  void ExtendLast(uint64_t end);
  void RemoveFirst();

  SegmentEntry First() const;
  SegmentEntry Last() const;
  size_t size() const;
  uint64_t bytes() const;
  // About how many bytes of groups lie behind that record, if `next` comes next: within a segment,
  // records are taken to be of one size.
  uint64_t BytesAfter(model::Lsn lsn, model::Lsn next) const;
  std::vector<model::Lsn> Starts() const;  // each segment's first LSN, ascending

  // The segment whose stretch of the log holds `from`; nothing when that was trimmed away.
  std::optional<SegmentEntry> Find(model::Lsn from) const;
  // The segment `number`, or the one after it; nothing when there is none.
  std::optional<SegmentEntry> At(uint64_t number) const;
  std::optional<SegmentEntry> After(uint64_t number) const;

 private:
  mutable std::mutex mutex_;
  std::deque<SegmentEntry> entries_;  // oldest first; numbers ascend
};

}  // namespace sluice::log
