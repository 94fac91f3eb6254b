#include "log/memory_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "log/format.h"

namespace sluice::log {
namespace {

constexpr size_t kPieceGroups = 64;

}  // namespace

class MemoryLogReader final : public Reader {
 public:
  MemoryLogReader(const MemoryLog& log, uint64_t number) : log_(log), number_(number) {}

  Result<const GroupView*> Next() override {
    bool trimmed = false;
    group_ = log_.At(number_, &trimmed);
    if (trimmed) return Fail(Code::kNotFound, "trimmed away");
    if (group_ == nullptr) return nullptr;
    ++number_;
    return &group_->view;
  }

 private:
  const MemoryLog& log_;
  uint64_t number_;
  std::shared_ptr<const MemoryLog::Kept> group_;
};

Status MemoryLog::Append(model::Lsn expected_first, model::Term term, const GroupToWrite& group) {
  SLUICE_CHECK(group.first == expected_first);
  const std::lock_guard lock(mutex_);
  if (term != term_) {
    return Fail(Code::kFenced, fmt::format("the log is sealed for term {}", term_.value));
  }
  if (expected_first != next_) {
    return Fail(Code::kConflict, fmt::format("the next LSN is {}", next_.value));
  }
  Keep(group, term);
  return Ok();
}

Status MemoryLog::Seal(model::Term term) {
  const std::lock_guard lock(mutex_);
  if (term <= term_) {
    return Fail(Code::kFenced, fmt::format("the log is sealed for term {}", term_.value));
  }
  GroupToWrite fence;
  fence.first = next_;
  fence.durable = model::Lsn(next_.value - 1);
  fence.flags = kGroupFence;
  Keep(fence, term);
  term_ = term;
  return Ok();
}

void MemoryLog::Keep(const GroupToWrite& group, model::Term term) {
  auto kept = std::make_shared<Kept>();
  kept->bytes.assign(kGroupHeaderBytes, '\0');
  kept->bytes.append(group.batches);
  for (const ShardSpan& span : group.shards) {
    char bytes[kShardSpanBytes];
    EncodeShardSpan(bytes, span);
    kept->bytes.append(bytes, sizeof bytes);
  }
  time_ = std::max(time_, group.time);
  GroupHeader header;
  uint64_t records = 0;
  const bool sound = CountBatches(group.batches, &header.batches, &records);
  SLUICE_CHECK(sound && records == group.records);
  header.flags = group.flags;
  header.bytes = static_cast<uint32_t>(kept->bytes.size());
  header.records = group.records;
  header.spans = static_cast<uint32_t>(group.shards.size());
  header.place.next = next_;
  SLUICE_CHECK(ParseBody(header, kept->bytes, &kept->batches, &kept->spans));
  kept->view = {next_,       group.records, group.durable, time_,
                group.flags, term,          kept->spans,   kept->batches};
  next_ = header.after().next;
  bytes_ += kept->bytes.size();
  groups_.push_back(std::move(kept));
}

std::shared_ptr<const MemoryLog::Kept> MemoryLog::At(uint64_t number, bool* trimmed) const {
  const std::lock_guard lock(mutex_);
  *trimmed = number < trimmed_;
  if (*trimmed || number - trimmed_ >= groups_.size()) return nullptr;
  return groups_[number - trimmed_];
}

Result<std::unique_ptr<Reader>> MemoryLog::Read(model::Lsn from) {
  const std::lock_guard lock(mutex_);
  if (from < first_) {
    return Fail(Code::kNotFound, fmt::format("LSN {} was trimmed away", from.value));
  }
  const auto at = std::find_if(groups_.begin(), groups_.end(), [from](const auto& kept) {
    return kept->view.first >= from || kept->view.first.value + kept->view.records > from.value;
  });
  return std::unique_ptr<Reader>(
      std::make_unique<MemoryLogReader>(*this, trimmed_ + (at - groups_.begin())));
}

Status MemoryLog::Trim(model::Lsn below) {
  const std::lock_guard lock(mutex_);
  while (!groups_.empty() &&
         groups_.front()->view.first.value + groups_.front()->view.records <= below.value) {
    bytes_ -= groups_.front()->bytes.size();
    first_ = model::Lsn(groups_.front()->view.first.value + groups_.front()->view.records);
    groups_.pop_front();
    ++trimmed_;
  }
  return Ok();
}

model::Term MemoryLog::term() const {
  const std::lock_guard lock(mutex_);
  return term_;
}
model::Lsn MemoryLog::first() const {
  const std::lock_guard lock(mutex_);
  return first_;
}
model::Lsn MemoryLog::next() const {
  const std::lock_guard lock(mutex_);
  return next_;
}
model::LogTime MemoryLog::time() const {
  const std::lock_guard lock(mutex_);
  return time_;
}
uint64_t MemoryLog::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}
uint64_t MemoryLog::bytes_after(model::Lsn lsn) const {
  const std::lock_guard lock(mutex_);
  uint64_t bytes = 0;
  for (auto group = groups_.rbegin(); group != groups_.rend(); ++group) {
    if ((*group)->view.first.value + (*group)->view.records <= lsn.value + 1) break;
    bytes += (*group)->bytes.size();
  }
  return bytes;
}
std::vector<model::Lsn> MemoryLog::starts() const {
  const std::lock_guard lock(mutex_);
  std::vector<model::Lsn> starts = {first_};
  for (size_t i = 0; i < groups_.size(); ++i) {
    const model::Lsn first = groups_[i]->view.first;
    if ((trimmed_ + i) % kPieceGroups == 0 && first > starts.back()) starts.push_back(first);
  }
  return starts;
}

}  // namespace sluice::log
