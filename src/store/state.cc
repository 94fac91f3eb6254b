#include "store/state.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/check.h"

namespace sluice::store {
namespace {

constexpr int kAnswersLeast = 8;       // of the last 32 questions
constexpr uint32_t kAskedAnyway = 16;  // every so many one is asked, to see whether that changed

Found FromHit(const Buffer::Hit& hit) {
  const bool row = hit.state == Buffer::Hit::State::kRow;
  return {row ? Answer::kFound : Answer::kMissing, hit.row, hit.turn};
}

}  // namespace

Result<Found> State::Find(const HashedKey& key, Tier tier, std::string* scratch) {
  if (const auto found = FindBuffered(key)) return *found;
  if (!store_.MayHold(key.hash)) return Found{};
  Answer answer = cache_.Find(key, scratch);
  if (answer == Answer::kCold) {
    if (tier == Tier::kMemory && !WorthAsking()) return Found{Answer::kCold, {}, model::Turn()};
    SLUICE_ASSIGN(answer, store_.Get(key.bytes, tier, scratch));
    if (tier == Tier::kMemory) answers_ = answers_ << 1 | (answer != Answer::kCold ? 1 : 0);
    if (answer == Answer::kFound) cache_.KeepRow(key, *scratch);
    if (answer == Answer::kMissing) cache_.KeepMissing(key);
  }
  if (answer != Answer::kFound) return Found{answer, {}, model::Turn()};
  return Found{answer, *scratch, model::Turn()};
}

void State::PrefetchSlot(uint32_t hash) const {
  active_->PrefetchSlot(hash);
  for (const auto& buffer : frozen_) buffer->PrefetchSlot(hash);
  store_.PrefetchHold(hash);
}

void State::PrefetchEntry(uint32_t hash) const {
  active_->PrefetchEntry(hash);
  for (const auto& buffer : frozen_) buffer->PrefetchEntry(hash);
  if (store_.MayHold(hash)) cache_.PrefetchSlot(hash);
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

bool State::WorthAsking() {
  return std::popcount(answers_) >= kAnswersLeast || ++unasked_ % kAskedAnyway == 0;
}

void State::Keep(const HashedKey& key, std::optional<std::string_view> row) {
  row ? cache_.KeepRow(key, *row) : cache_.KeepMissing(key);
}

size_t State::bytes() const {
  return active_->bytes() + frozen_bytes_;
}

size_t State::entries() const {
  size_t entries = active_->entries();
  for (const auto& buffer : frozen_) entries += buffer->entries();
  return entries;
}

bool State::Hides(std::string_view begin, std::string_view end) const {
  if (active_->Clears(begin, end)) return true;
  return std::any_of(frozen_.begin(), frozen_.end(),
                     [&](const auto& buffer) { return buffer->Clears(begin, end); });
}

Run State::Freeze(std::vector<Position> positions) {
  Run run{nullptr, std::move(positions)};
  // Asking also settles the count, which other threads may read from now on.
  if (active_->empty() && active_->entries() == 0) return run;
  frozen_bytes_ += active_->bytes();
  run.buffer = std::exchange(active_, std::make_shared<Buffer>(pieces_));
  frozen_.push_back(run.buffer);
  return run;
}

void State::Flushed(const Run& run) {
  if (!run.buffer) return;
  SLUICE_CHECK(!frozen_.empty() && frozen_.front() == run.buffer);
  frozen_bytes_ -= run.buffer->bytes();
  frozen_.pop_front();
  cache_.Stored(run.buffer);
}

Snapshot State::Snap() {
  Snapshot snapshot{store_.NewCursor(), {active_}};
  snapshot.buffers.insert(snapshot.buffers.end(), frozen_.rbegin(), frozen_.rend());
  return snapshot;
}

}  // namespace sluice::store
