// FileLogReader reads a FileLog's durable groups, also while it grows and is trimmed.
//
// Threads:  one caller at a time, beside the log's writer.
#pragma once

#include <memory>
#include <optional>

#include "base/status.h"
#include "log/log.h"
#include "log/segment_reader.h"
#include "log/segment_table.h"
#include "model/ids.h"

namespace sluice::log {

class FileLogReader final : public Reader {
 public:
  // kNotFound: `from` was trimmed away.
  static Result<std::unique_ptr<Reader>> Open(std::shared_ptr<const SegmentTable> table,
                                              model::Lsn from);

  Result<const GroupView*> Next() override;

 private:
  FileLogReader(std::shared_ptr<const SegmentTable> table, const SegmentEntry& entry,
                model::Lsn from);
  void Enter(const SegmentEntry& entry);
  Result<bool> Advance();  // to more to read; false: there is none yet
  Failure Trimmed() const;

  const std::shared_ptr<const SegmentTable> table_;
  const model::Lsn from_;
  std::optional<SegmentReader> segment_;
  uint64_t end_ = 0;                  // of what may be read in it
  std::optional<SegmentEntry> next_;  // the segment after it, once there is one
};

}  // namespace sluice::log
