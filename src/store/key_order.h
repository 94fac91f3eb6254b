// KeyOrder: the keys of a buffer in order, made once and brought up to date with what was added
// since. A walk over a buffer that is written meanwhile costs what it shows and what is new, not
// the whole buffer.
//
//   Add()   takes in entries that were added; on any thread, while the buffer is written.
//   KeyWalk a walk over them, up or down; the entries say themselves what they still hold.
//
// Borrows:  the buffer's entries: it lies in the buffer (Buffer::KeepOrder) or beside it.
// Threads:  a value; its runs are immutable and shared between copies.
// Bounds:   8 bytes per entry. A run is at least kRunRatio times as long as the next one, so there
//           are few.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "store/breaks.h"
#include "store/buffer.h"

namespace sluice::store {

// Sorts them by key.
void SortByKey(std::vector<Buffer::Place>& places, Breaks& breaks);

class KeyOrder {
 public:
  static constexpr size_t kRunRatio = 8;
  using Run = std::vector<Buffer::Place>;  // ascending by key; of one key the moved entries too

  // Takes in `places`, which reach up to `mark`.
  void Add(std::vector<Buffer::Place> places, Buffer::Mark mark);
  // How far it reaches.
  const Buffer::Mark& mark() const { return mark_; }
  const std::vector<std::shared_ptr<const Run>>& runs() const { return runs_; }

 private:
  std::vector<std::shared_ptr<const Run>> runs_;  // longest first
  Buffer::Mark mark_;
};

// Walks the entries of one buffer with keys in [begin, end), in the direction asked for.
class KeyWalk {
 public:
  KeyWalk(std::span<const KeyOrder* const> orders, std::string_view begin, std::string_view end,
          bool reverse);

  bool Valid() const { return now_ != nullptr; }
  Buffer::Place place() const { return now_; }
  std::string_view key() const { return key_; }
  void Next();

 private:
  struct Head {
    std::shared_ptr<const KeyOrder::Run> run;
    size_t first, last;  // what is left: [first, last)
    std::string_view key;
  };
  void Show(Head& head) const;
  void Choose();

  const bool reverse_;
  std::vector<Head> heads_;
  size_t chosen_ = 0;
  Buffer::Place now_ = nullptr;
  std::string_view key_;
};

}  // namespace sluice::store
