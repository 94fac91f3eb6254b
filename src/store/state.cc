#include "store/state.h"

#include <utility>

#include "base/check.h"

namespace sluice::store {
namespace {

Found FromHit(const Buffer::Hit& hit) {
  const bool row = hit.state == Buffer::Hit::State::kRow;
  return {row ? Answer::kFound : Answer::kMissing, hit.row, hit.turn};
}

}  // namespace

Result<Found> State::Find(const HashedKey& key, Tier tier, std::string* scratch) {
  if (const auto found = FindBuffered(key)) return *found;
  return Ask(key, tier, scratch);
}

void State::PrefetchSlot(uint32_t hash) const {
  active_->PrefetchSlot(hash);
  for (const auto& buffer : frozen_) buffer->PrefetchSlot(hash);
  recent_->PrefetchSlot(hash);
}

void State::PrefetchEntry(uint32_t hash) const {
  active_->PrefetchEntry(hash);
  for (const auto& buffer : frozen_) buffer->PrefetchEntry(hash);
  recent_->PrefetchEntry(hash);
}

std::optional<Found> State::FindBuffered(const HashedKey& key) const {
  Buffer::Hit hit = active_->Find(key);
  if (hit.state != Buffer::Hit::State::kMiss) return FromHit(hit);
  for (auto buffer = frozen_.rbegin(); buffer != frozen_.rend(); ++buffer) {
    hit = (*buffer)->Find(key);
    if (hit.state != Buffer::Hit::State::kMiss) return FromHit(hit);
  }
  return std::nullopt;
}

Result<Found> State::Ask(const HashedKey& key, Tier tier, std::string* scratch) {
  // Read before the store is asked: an answer of later runs is forgotten too soon, never too late.
  const uint64_t applied = store_.applied();
  if ((applied != recent_applied_ && !recent_->empty()) || recent_->bytes() > recent_bytes_) {
    recent_ = std::make_unique<Buffer>();
  }
  recent_applied_ = applied;
  const Buffer::Hit known = recent_->Find(key);
  if (known.state == Buffer::Hit::State::kDeleted) return Found{};
  if (known.state == Buffer::Hit::State::kRow) {
    scratch->assign(known.row);
    return Found{Answer::kFound, *scratch, model::Turn()};
  }
  SLUICE_ASSIGN(const Answer answer, store_.Get(key.bytes, tier, scratch));
  if (answer != Answer::kFound) {
    if (answer == Answer::kMissing) recent_->Delete(key, model::Turn());
    return Found{answer, {}, model::Turn()};
  }
  if (scratch->size() <= kRecentRowMax) recent_->Put(key, *scratch, model::Turn());
  return Found{answer, *scratch, model::Turn()};
}

size_t State::bytes() const {
  return active_->bytes() + frozen_bytes_;
}

size_t State::entries() const {
  size_t entries = active_->entries();
  for (const auto& buffer : frozen_) entries += buffer->entries();
  return entries;
}

Run State::Freeze(std::vector<Position> positions) {
  Run run{nullptr, std::move(positions)};
  // Asking also settles the count, which other threads may read from now on.
  if (active_->empty() && active_->entries() == 0) return run;
  frozen_bytes_ += active_->bytes();
  run.buffer = std::exchange(active_, std::make_shared<Buffer>());
  frozen_.push_back(run.buffer);
  return run;
}

void State::Flushed(const Run& run) {
  if (!run.buffer) return;
  SLUICE_CHECK(!frozen_.empty() && frozen_.front() == run.buffer);
  frozen_bytes_ -= run.buffer->bytes();
  frozen_.pop_front();
}

Snapshot State::Snap() {
  Snapshot snapshot{store_.NewCursor(), {active_}};
  snapshot.buffers.insert(snapshot.buffers.end(), frozen_.rbegin(), frozen_.rend());
  return snapshot;
}

}  // namespace sluice::store
