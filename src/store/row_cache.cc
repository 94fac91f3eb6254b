#include "store/row_cache.h"

#include <utility>

namespace sluice::store {

using State = Buffer::Hit::State;

RowCache::RowCache(size_t bytes_max, std::shared_ptr<Pieces> pieces)
    : bytes_max_(bytes_max), pieces_(std::move(pieces)) {
  Begin(nullptr);
}

size_t RowCache::bytes() const {
  size_t bytes = 0;
  for (const Generation& generation : generations_) {
    bytes += generation.answers->bytes() + (generation.run ? generation.run->bytes() : 0);
  }
  return bytes;
}

void RowCache::Begin(std::shared_ptr<const Buffer> run) {
  generations_.push_front({std::move(run), std::make_unique<Buffer>(pieces_)});
  while (generations_.size() > 1 &&
         (generations_.size() > kGenerationsMax || bytes() > bytes_max_)) {
    generations_.pop_back();
  }
}

void RowCache::Clear() {
  generations_.clear();
  Begin(nullptr);
}

void RowCache::Stored(std::shared_ptr<const Buffer> run) {
  // A run that cannot be kept makes what is older doubtful.
  if (run->bytes() > bytes_max_) {
    generations_.clear();
    run = nullptr;
  }
  Begin(std::move(run));
}

// The buffer that takes answers, with room for one.
Buffer& RowCache::Youngest() {
  if (generations_.front().answers->bytes() > bytes_max_ / kGenerationsMax) Begin(nullptr);
  if (generations_.size() > 1 && bytes() > bytes_max_) generations_.pop_back();
  return *generations_.front().answers;
}

Answer RowCache::Find(const HashedKey& key, std::string* row) {
  for (const Generation& generation : generations_) {
    Buffer::Hit hit = generation.answers->Find(key);
    if (hit.state == State::kMiss && generation.run) hit = generation.run->Find(key);
    if (hit.state == State::kMiss) continue;
    const bool found = hit.state == State::kRow;
    const bool young = &generation == &generations_.front();
    if (found) row->assign(hit.row);
    if (!young) found ? KeepRow(key, *row) : KeepMissing(key);  // may drop this generation
    return found ? Answer::kFound : Answer::kMissing;
  }
  return Answer::kCold;
}

void RowCache::PrefetchSlot(uint32_t hash) const {
  for (const Generation& generation : generations_) {
    generation.answers->PrefetchSlot(hash);
    if (generation.run) generation.run->PrefetchSlot(hash);
  }
}

void RowCache::KeepRow(const HashedKey& key, std::string_view row) {
  if (row.size() <= kRowBytesMax) Youngest().Put(key, row, model::Turn());
}

void RowCache::KeepMissing(const HashedKey& key) {
  Youngest().Delete(key, model::Turn());
}

}  // namespace sluice::store
