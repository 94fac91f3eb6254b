#include "store/pieces.h"

#include <thread>
#include <utility>

namespace sluice::store {

void Pieces::Return::operator()(char* piece) const {
  if (to == nullptr) {
    delete[] piece;
    return;
  }
  const std::lock_guard lock(to->mutex_);
  to->ready_.push_back(piece);
}

Pieces::Piece Pieces::Take() {
  std::unique_lock lock(mutex_);
  const bool few = ready_.size() <= kAhead / 2;
  char* piece = nullptr;
  if (!ready_.empty()) {
    piece = ready_.back();
    ready_.pop_back();
  }
  lock.unlock();
  if (few) few_.notify_one();
  return piece != nullptr ? Piece(piece, Return{this}) : OfHeap(kBytes);
}

void Pieces::Feed() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (ready_.size() >= kAhead) {
      few_.wait(lock);
      continue;
    }
    lock.unlock();
    env::HugePages page(env::HugePages::kPageBytes);
    lock.lock();
    for (size_t at = 0; at < env::HugePages::kPageBytes; at += kBytes) {
      ready_.push_back(page.data() + at);
    }
    pages_.push_back(std::move(page));
    lock.unlock();
    std::this_thread::yield();  // as Breaks
    lock.lock();
  }
}

void Pieces::Stop() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  few_.notify_one();
}

}  // namespace sluice::store
