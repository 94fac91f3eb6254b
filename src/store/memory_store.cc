#include "store/memory_store.h"

#include <iterator>
#include <utility>

#include "model/stored_key.h"
#include "store/run_rows.h"

namespace sluice::store {
namespace {

Status Unreadable() {
  return Fail(Code::kIo, "a read failed on purpose");
}

}  // namespace

// Walks the rows of its moment: whoever changes rows that a cursor sees, changes a copy.
class MemoryStore::WalkCursor : public Cursor {
 public:
  WalkCursor(std::shared_ptr<Shared> shared, std::function<bool()> unreadable)
      : shared_(std::move(shared)), unreadable_(std::move(unreadable)) {
    const std::lock_guard lock(shared_->mutex);
    ++shared_->cursors;
    rows_ = shared_->medium->rows;
    at_ = rows_->end();
  }
  ~WalkCursor() override {
    const std::lock_guard lock(shared_->mutex);
    if (rows_ == shared_->medium->rows) --shared_->cursors;
  }

  void Seek(std::string_view key) override {
    failed_ = unreadable_ && unreadable_();
    at_ = rows_->lower_bound(key);
  }
  void SeekBefore(std::string_view key) override {
    Seek(key);
    Prev();
  }
  bool Valid() const override { return !failed_ && at_ != rows_->end(); }
  void Next() override { ++at_; }
  void Prev() override { at_ = at_ == rows_->begin() ? rows_->end() : std::prev(at_); }
  std::string_view key() const override { return at_->first; }
  std::string_view row() const override { return at_->second; }
  Status status() const override { return failed_ ? Unreadable() : Ok(); }

 private:
  std::shared_ptr<Shared> shared_;
  std::function<bool()> unreadable_;
  bool failed_ = false;
  std::shared_ptr<const Rows> rows_;
  Rows::const_iterator at_;
};

Result<std::unique_ptr<MemoryStore>> MemoryStore::Open(std::shared_ptr<Medium> medium,
                                                       Options options) {
  std::string key;
  model::FormatKey(key);
  const auto format = medium->rows->find(key);
  const bool found = format != medium->rows->end();
  SLUICE_TRY(CheckFormat(found ? format->second : std::string(), !medium->rows->empty()));
  auto shared = std::make_shared<Shared>();
  shared->medium = std::move(medium);
  return std::unique_ptr<MemoryStore>(new MemoryStore(std::move(shared), std::move(options)));
}

Result<Answer> MemoryStore::Get(std::string_view key, Tier tier, std::string* row) {
  if (tier == Tier::kMemory && options_.cold && options_.cold(key)) return Answer::kCold;
  if (tier == Tier::kDisk && options_.unreadable && options_.unreadable()) {
    return Fail(Unreadable().error());
  }
  const std::lock_guard lock(shared_->mutex);
  const auto found = shared_->medium->rows->find(key);
  if (found == shared_->medium->rows->end()) return Answer::kMissing;
  *row = found->second;
  return Answer::kFound;
}

std::unique_ptr<Cursor> MemoryStore::NewCursor() {
  return std::make_unique<WalkCursor>(shared_, options_.unreadable);
}

Status MemoryStore::Apply(const Run& run) {
  Breaks breaks;
  SLUICE_ASSIGN(RunRows rows, RunRows::Of(run, breaks));
  const Fate fate = options_.fate ? options_.fate(run) : Fate::kApplied;
  const std::lock_guard lock(shared_->mutex);
  if (shared_->cut) return Fail(Code::kIo, "the power is off");
  if (fate == Fate::kNoSpace) return Fail(Code::kNoSpace, "no space for the run");
  if (fate == Fate::kFailed) return Fail(Code::kIo, "the run failed on purpose");
  shared_->cut = fate != Fate::kApplied;
  if (fate == Fate::kLostInCut) return Fail(Code::kIo, "the power failed");

  auto& held = shared_->medium->rows;
  if (shared_->cursors > 0) held = std::make_shared<Rows>(*held);
  shared_->cursors = 0;
  if (run.buffer) {
    for (const Buffer::Range& range : run.buffer->cleared()) {
      held->erase(held->lower_bound(range.begin), held->lower_bound(range.end));
    }
  }
  while (rows.Next()) {
    if (rows.deleted()) {
      const auto found = held->find(rows.key());
      if (found != held->end()) held->erase(found);
    } else {
      held->insert_or_assign(std::string(rows.key()), std::string(rows.row()));
    }
  }
  if (shared_->cut) return Fail(Code::kIo, "the power failed");
  return Ok();
}

Result<std::vector<Position>> MemoryStore::Positions() {
  std::string prefix;
  model::KindPrefix(prefix, model::kMetaKeyspace, model::Kind::kPosition, {});
  std::vector<Position> positions;
  const std::lock_guard lock(shared_->mutex);
  const Rows& rows = *shared_->medium->rows;
  for (auto at = rows.lower_bound(prefix); at != rows.end() && at->first.starts_with(prefix);
       ++at) {
    Position position;
    if (!DecodePosition(at->first, at->second, &position)) {
      return Fail(Code::kCorrupt, "a position in the store is damaged");
    }
    positions.push_back(position);
  }
  return positions;
}

uint64_t MemoryStore::ApproximateKeys(std::string_view begin, std::string_view end) {
  const std::lock_guard lock(shared_->mutex);
  const Rows& rows = *shared_->medium->rows;
  return begin < end ? std::distance(rows.lower_bound(begin), rows.lower_bound(end)) : 0;
}

uint64_t MemoryStore::ApproximateBytes(std::string_view begin, std::string_view end) {
  const std::lock_guard lock(shared_->mutex);
  const Rows& rows = *shared_->medium->rows;
  uint64_t bytes = 0;
  for (auto at = rows.lower_bound(begin); at != rows.end() && at->first < end; ++at) {
    bytes += at->first.size() + at->second.size();
  }
  return bytes;
}

}  // namespace sluice::store
