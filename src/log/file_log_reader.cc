#include "log/file_log_reader.h"

#include <fmt/format.h>

#include <utility>

namespace sluice::log {

FileLogReader::FileLogReader(std::shared_ptr<const SegmentTable> table, const SegmentEntry& entry,
                             model::Lsn from)
    : table_(std::move(table)), from_(from) {
  Enter(entry);
}

Result<std::unique_ptr<Reader>> FileLogReader::Open(std::shared_ptr<const SegmentTable> table,
                                                    model::Lsn from) {
  const std::optional<SegmentEntry> entry = table->Find(from);
  if (!entry.has_value()) {
    return Fail(Code::kNotFound, fmt::format("LSN {} was trimmed away", from.value));
  }
  return std::unique_ptr<Reader>(new FileLogReader(std::move(table), *entry, from));
}

void FileLogReader::Enter(const SegmentEntry& entry) {
  segment_.emplace(entry.file, entry.header);
  end_ = entry.end;
  next_ = table_->After(entry.header.number);
}

Failure FileLogReader::Trimmed() const {
  return Fail(Code::kNotFound,
              fmt::format("LSN {} was trimmed away", segment_->place().next.value));
}

Result<bool> FileLogReader::Advance() {
  for (;;) {
    // A segment ends where its successor says that it begins, whatever lies behind that.
    const bool ended = next_.has_value() && segment_->place() == next_->header.start;
    if (ended) {
      const std::optional<SegmentEntry> entered = table_->At(next_->header.number);
      if (!entered.has_value()) return Trimmed();
      Enter(*entered);
      continue;
    }
    if (segment_->offset() < end_) return true;
    const uint64_t number = segment_->segment().number;
    const std::optional<SegmentEntry> now = table_->At(number);
    if (!now.has_value()) return Trimmed();
    next_ = table_->After(number);
    if (now->end == end_ && !(next_.has_value() && segment_->place() == next_->header.start)) {
      return false;
    }
    end_ = now->end;
  }
}

Result<const GroupView*> FileLogReader::Next() {
  for (;;) {
    SLUICE_ASSIGN(const bool more, Advance());
    if (!more) return nullptr;
    SLUICE_ASSIGN(const SegmentReader::Found found, segment_->Next(end_));
    // A segment that was trimmed meanwhile may have been overwritten while it was read.
    if (!table_->At(segment_->segment().number).has_value()) return Trimmed();
    if (found != SegmentReader::Found::kGroup) {
      return Fail(Code::kCorrupt, fmt::format("{}: damaged at offset {} (LSN {})",
                                              SegmentName(segment_->segment().number),
                                              segment_->offset(), segment_->place().next.value));
    }
    const GroupView& group = segment_->group();
    const bool before = segment_->place().next <= from_ && group.first < from_;
    if (!before) return &group;
  }
}

}  // namespace sluice::log
