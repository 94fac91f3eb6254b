#include "store/state.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/check.h"

namespace sluice::store {
namespace {

constexpr int kAnswersLeast = 8;       // of the last 32 questions
constexpr uint32_t kAskedAnyway = 16;  // every so many one is asked, to see whether that changed

// `lent`: the turn to wait for, if the buffer is another lane's.
Found FromHit(const Buffer::Hit& hit, model::Turn lent = {}) {
  const bool row = hit.state == Buffer::Hit::State::kRow;
  return {row ? Answer::kFound : Answer::kMissing, hit.row,
          lent == model::Turn() ? hit.turn : lent};
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
  for (const Frozen& frozen : frozen_) frozen.buffer->PrefetchSlot(hash);
  store_.PrefetchHold(hash);
}

void State::PrefetchEntry(uint32_t hash) const {
  active_->PrefetchEntry(hash);
  for (const Frozen& frozen : frozen_) frozen.buffer->PrefetchEntry(hash);
  if (store_.MayHold(hash)) cache_.PrefetchSlot(hash);
}

std::optional<Found> State::FindBuffered(const HashedKey& key) const {
  Buffer::Hit hit = active_->Find(key);
  if (hit.state != Buffer::Hit::State::kMiss) return FromHit(hit);
  for (auto frozen = frozen_.rbegin(); frozen != frozen_.rend(); ++frozen) {
    hit = frozen->buffer->Find(key);
    if (hit.state != Buffer::Hit::State::kMiss) return FromHit(hit, frozen->lent);
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
  for (const Frozen& frozen : frozen_) {
    if (frozen.lent == model::Turn()) entries += frozen.buffer->entries();
  }
  return entries;
}

bool State::Hides(std::string_view begin, std::string_view end) const {
  if (active_->Clears(begin, end)) return true;
  return std::any_of(frozen_.begin(), frozen_.end(),
                     [&](const Frozen& frozen) { return frozen.buffer->Clears(begin, end); });
}

Run State::Freeze(std::vector<Position> positions) {
  Run run{nullptr, std::move(positions)};
  // Asking also settles the count, which other threads may read from now on.
  if (active_->empty() && active_->entries() == 0) return run;
  frozen_bytes_ += active_->bytes();
  run.buffer = std::exchange(active_, std::make_shared<Buffer>(pieces_));
  frozen_.push_back({run.buffer, model::Turn()});
  return run;
}

State::Buffers State::Lend() const {
  SLUICE_CHECK(lent_ == 0);
  Buffers buffers;
  for (const Frozen& frozen : frozen_) buffers.push_back(frozen.buffer);
  return buffers;
}

void State::Borrow(const Buffers& buffers, model::Turn turn) {
  SLUICE_CHECK(turn != model::Turn());
  for (const auto& buffer : buffers) frozen_.push_back({buffer, turn});
  lent_ += buffers.size();
  // It may know the rows of those shards as they were when the lane had them before.
  cache_.Clear();
}

void State::GiveBack(const Buffer* buffer) {
  const auto at = std::find_if(frozen_.begin(), frozen_.end(), [&](const Frozen& frozen) {
    return frozen.buffer.get() == buffer && frozen.lent != model::Turn();
  });
  if (at == frozen_.end()) return;  // a later run of this lane said so already
  frozen_.erase(at);
  --lent_;
}

void State::Flushed(const Run& run) {
  if (!run.buffer) return;
  while (!frozen_.empty() && frozen_.front().lent != model::Turn()) {
    frozen_.pop_front();
    --lent_;
  }
  SLUICE_CHECK(!frozen_.empty() && frozen_.front().buffer == run.buffer);
  frozen_bytes_ -= run.buffer->bytes();
  frozen_.pop_front();
  cache_.Stored(run.buffer);
}

Snapshot State::Snap() {
  Snapshot snapshot{store_.NewCursor(), {active_}, {model::Turn()}};
  for (auto frozen = frozen_.rbegin(); frozen != frozen_.rend(); ++frozen) {
    snapshot.buffers.push_back(frozen->buffer);
    snapshot.lent.push_back(frozen->lent);
  }
  return snapshot;
}

}  // namespace sluice::store
