// ExpiryQueue: which keys written lately end next, soonest first; the store's expiry index knows of
// the others.
//
// Each key stands in it once, with the time and the size it was given last: it holds no more than
// the buffer beside it.
//
// Threads:  none; the lane's own.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sluice::store {

class ExpiryQueue {
 public:
  // The key now ends at this time; 0: never, so it leaves the queue. Its row has `row_bytes`.
  void Add(uint64_t expire_at_ms, std::string_view stored_key, size_t row_bytes = 0);
  bool Contains(std::string_view stored_key) const { return items_.contains(stored_key); }

  // Takes out up to `max` keys that end at `now_ms` or before, soonest first.
  std::vector<std::string> PopDue(uint64_t now_ms, size_t max);

  void Clear();
  size_t size() const { return heap_.size(); }
  size_t bytes() const { return bytes_; }
  size_t stored_bytes() const { return stored_bytes_; }  // of the keys and rows it stands for

 private:
  struct Item {
    uint64_t expire_at_ms = 0;
    size_t row_bytes = 0;
    size_t at = 0;  // its place in the heap
    const std::string* key = nullptr;
  };
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view key) const { return std::hash<std::string_view>{}(key); }
  };

  void Set(size_t at, Item* item);
  void Up(size_t at);
  void Down(size_t at);
  void Remove(Item* item);

  std::unordered_map<std::string, Item, Hash, std::equal_to<>> items_;
  std::vector<Item*> heap_;
  size_t bytes_ = 0, stored_bytes_ = 0;
};

}  // namespace sluice::store
