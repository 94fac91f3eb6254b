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

Result<Found> State::Find(std::string_view key, Tier tier, std::string* scratch) {
  const uint32_t hash = Buffer::HashOf(key);
  Buffer::Hit hit = active_->Find(key, hash);
  if (hit.state != Buffer::Hit::State::kMiss) return FromHit(hit);
  for (auto buffer = frozen_.rbegin(); buffer != frozen_.rend(); ++buffer) {
    hit = (*buffer)->Find(key, hash);
    if (hit.state != Buffer::Hit::State::kMiss) return FromHit(hit);
  }
  SLUICE_ASSIGN(const Answer answer, store_.Get(key, tier, scratch));
  Found found{answer, {}, model::Turn()};
  if (answer == Answer::kFound) found.row = *scratch;
  return found;
}

size_t State::bytes() const {
  return active_->bytes() + frozen_bytes_;
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
