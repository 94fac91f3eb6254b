// MemoryLog is a log that lives as long as its object: for tests and for trying things out.
//
// Threads:  as Log says.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/status.h"
#include "log/log.h"
#include "model/ids.h"

namespace sluice::log {

class MemoryLog final : public Log {
 public:
  explicit MemoryLog(model::LogId id) : id_(id) {}

  Status Append(model::Lsn expected_first, model::Term term, const GroupToWrite& group) override;
  Status Seal(model::Term term) override;
  Result<std::unique_ptr<Reader>> Read(model::Lsn from) override;
  Status Trim(model::Lsn below) override;

  model::LogId id() const override { return id_; }
  model::Term term() const override;
  model::Lsn first() const override;
  model::Lsn next() const override;
  model::LogTime time() const override;
  uint64_t bytes() const override;
  uint64_t bytes_after(model::Lsn lsn) const override;
  std::vector<model::Lsn> starts() const override;

 private:
  friend class MemoryLogReader;

  // A group with what its view points into.
  struct Kept {
    GroupView view;
    std::string bytes;
    std::vector<BatchView> batches;
    std::vector<ShardSpan> spans;
  };
  void Keep(const GroupToWrite& group, model::Term term);  // requires the lock
  std::shared_ptr<const Kept> At(uint64_t number, bool* trimmed) const;

  const model::LogId id_;
  mutable std::mutex mutex_;
  std::deque<std::shared_ptr<const Kept>> groups_;
  uint64_t trimmed_ = 0;  // groups forgotten; the oldest kept one's number
  uint64_t bytes_ = 0;
  model::Lsn first_{1}, next_{1};
  model::Term term_;
  model::LogTime time_;
};

}  // namespace sluice::log
