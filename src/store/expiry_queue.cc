#include "store/expiry_queue.h"

#include <utility>

namespace sluice::store {
namespace {

// A key's share beside its bytes: its node in the table, its place in the heap.
constexpr size_t kItemBytes = 96;

}  // namespace

void ExpiryQueue::Add(uint64_t expire_at_ms, std::string_view stored_key, size_t row_bytes) {
  auto found = items_.find(stored_key);
  if (expire_at_ms == 0) {
    if (found != items_.end()) Remove(&found->second);
    return;
  }
  if (found == items_.end()) {
    found = items_.try_emplace(std::string(stored_key)).first;
    Item* item = &found->second;
    item->key = &found->first;
    item->expire_at_ms = expire_at_ms;
    item->row_bytes = row_bytes;
    heap_.push_back(item);
    bytes_ += stored_key.size() + kItemBytes;
    stored_bytes_ += stored_key.size() + row_bytes;
    Set(heap_.size() - 1, item);
    Up(item->at);
    return;
  }
  Item* item = &found->second;
  stored_bytes_ += row_bytes - std::exchange(item->row_bytes, row_bytes);
  const bool sooner = expire_at_ms < std::exchange(item->expire_at_ms, expire_at_ms);
  sooner ? Up(item->at) : Down(item->at);
}

std::vector<std::string> ExpiryQueue::PopDue(uint64_t now_ms, size_t max) {
  std::vector<std::string> due;
  while (due.size() < max && !heap_.empty() && heap_.front()->expire_at_ms <= now_ms) {
    due.push_back(*heap_.front()->key);
    Remove(heap_.front());
  }
  return due;
}

void ExpiryQueue::Clear() {
  heap_.clear();
  items_.clear();
  bytes_ = stored_bytes_ = 0;
}

void ExpiryQueue::Set(size_t at, Item* item) {
  heap_[at] = item;
  item->at = at;
}

void ExpiryQueue::Up(size_t at) {
  Item* item = heap_[at];
  for (; at > 0; at = (at - 1) / 2) {
    Item* parent = heap_[(at - 1) / 2];
    if (parent->expire_at_ms <= item->expire_at_ms) break;
    Set(at, parent);
  }
  Set(at, item);
}

void ExpiryQueue::Down(size_t at) {
  Item* item = heap_[at];
  for (size_t child = 2 * at + 1; child < heap_.size(); child = 2 * at + 1) {
    if (child + 1 < heap_.size() && heap_[child + 1]->expire_at_ms < heap_[child]->expire_at_ms) {
      ++child;
    }
    if (item->expire_at_ms <= heap_[child]->expire_at_ms) break;
    Set(at, heap_[child]);
    at = child;
  }
  Set(at, item);
}

void ExpiryQueue::Remove(Item* item) {
  const size_t at = item->at;
  Item* last = heap_.back();
  heap_.pop_back();
  if (last != item) {
    Set(at, last);
    Up(at);
    Down(last->at);
  }
  bytes_ -= item->key->size() + kItemBytes;
  stored_bytes_ -= item->key->size() + item->row_bytes;
  items_.erase(items_.find(*item->key));
}

}  // namespace sluice::store
