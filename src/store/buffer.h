// Buffer: the in-memory part of the state of one lane's shards, from the log's past that the store
// does not hold yet. A hash table over rows in an arena: a write costs a probe and a copy.
//
// Each entry carries the turn that wrote it last; a reader of the entry waits for that turn.
//
// A row may grow in place up to the space its entry was given; past that it moves to a new entry,
// and the old one's bytes are wasted until the buffer goes. A cleared range costs nothing per
// entry: entries remember how many ranges were cleared before them.
//
// Owns:     all bytes. A frozen buffer is immutable and shared (readers, the flusher).
// Threads:  none; one lane writes, until Freeze. Frozen: any.
// Bounds:   8 GiB of entries (checked); whoever writes freezes long before, by bytes().
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/ids.h"
#include "store/pieces.h"

namespace sluice::store {

class KeyOrder;

// A stored key and the hash that every buffer looks it up by: made once, used for each.
struct HashedKey {
  std::string_view bytes;
  uint32_t hash = 0;

  HashedKey() = default;
  template <std::convertible_to<std::string_view> Bytes>
  HashedKey(const Bytes& key) : bytes(key), hash(HashOf(bytes)) {}  // NOLINT: bytes are a key

  static uint32_t HashOf(std::string_view key);
};

class Buffer {
 public:
  struct Hit {
    enum class State : uint8_t { kMiss, kRow, kDeleted } state = State::kMiss;
    std::string_view row;  // valid until the entry is written again
    model::Turn turn;
  };

  // Takes memory from `pieces`; null: from the heap.
  explicit Buffer(std::shared_ptr<Pieces> pieces = nullptr);
  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  // kMiss: not here; look further. A key inside a cleared range that was not written since:
  // kDeleted.
  Hit Find(const HashedKey& key) const;

  // For many keys that will be looked up or written soon: first one, then the other for each, so
  // that the memory they lie in is fetched at the same time and not one after the other.
  void PrefetchSlot(uint32_t hash) const;
  void PrefetchEntry(uint32_t hash) const;

  // Sets the row of a key. `group` > 0: the first `group` bytes of the key name a group (a large
  // hash's generation) whose members ForEachOf walks.
  void Put(const HashedKey& key, std::string_view row, model::Turn turn, size_t group = 0);
  // The same with the row's bytes left to the caller to fill, before any other call.
  char* PutSpace(const HashedKey& key, size_t row_size, model::Turn turn, size_t group = 0);
  void Delete(const HashedKey& key, model::Turn turn, size_t group = 0);
  // Forgets all entries in [begin, end) and hides what lies below. Costs the ranges cleared so far,
  // however many entries there are. Nothing if begin >= end.
  void ClearRange(std::string_view begin, std::string_view end, model::Turn turn);

  struct Range {
    std::string begin, end;
    model::Turn turn;
    uint32_t era = 0;  // entries of an earlier era were written before this was cleared
  };
  // In key order, disjoint; where clears overlapped, the last one's.
  const std::vector<Range>& cleared() const { return cleared_; }
  // One of them covers [begin, end).
  bool Clears(std::string_view begin, std::string_view end) const;

  // Every entry, in no order; return false to stop.
  using Visit = std::function<bool(std::string_view key, std::string_view row, bool deleted,
                                   model::Turn turn)>;
  void ForEach(const Visit& visit) const;
  void ForEachOf(std::string_view group, const Visit& visit) const;

  // --- Entries one by one, for runs and walks in key order (store/key_order.h). ---

  struct Node;
  // Where an entry lies, for as long as the buffer does, whatever becomes of it.
  using Place = const Node*;
  // The entry's key. Any thread, while others write.
  static std::string_view KeyAt(Place place);
  // What the entry says; kMiss: a later one took its place, or its range was cleared since.
  Hit Read(Place place) const;
  // How far a reader came: bytes of each chunk.
  struct Mark {
    std::vector<size_t> read;
  };
  // Appends entries that were added since the mark, 1 MiB of them or a single larger one, and moves
  // the mark behind them. False: there were none.
  bool ReadOn(Mark& mark, std::vector<Place>* places) const;
  // The order of its keys as far as a walk made it; null: none did. Kept by whoever writes the
  // buffer, also once it is frozen.
  const std::shared_ptr<const KeyOrder>& order() const { return order_; }
  void KeepOrder(std::shared_ptr<const KeyOrder> order) const { order_ = std::move(order); }

  size_t bytes() const;  // memory held, table included; what is allocated ahead adds 1 MiB at most
  // Deletions included. Costs the entries of the buffer after a ClearRange, else nothing.
  size_t entries() const;
  bool empty() const { return cleared_.empty() && entries() == 0; }

 private:
  struct Slot {
    uint32_t hash;
    uint32_t ref;
  };
  struct Chunk {
    Pieces::Piece bytes;
    size_t used;
  };
  // Open addressing; its size is a power of two, and at most five eighths of it are taken.
  class Table {
   public:
    Table() = default;
    Table(size_t slots, Pieces* pieces);

    size_t size() const { return parts_.empty() ? 0 : mask_ + 1; }
    size_t Home(uint32_t hash) const { return hash & mask_; }
    size_t After(size_t slot) const { return (slot + 1) & mask_; }
    Slot& operator[](size_t slot) const {
      return reinterpret_cast<Slot*>(parts_[slot / kPartSlots].get())[slot % kPartSlots];
    }

   private:
    static constexpr size_t kPartSlots = Pieces::kBytes / sizeof(Slot);
    std::vector<Pieces::Piece> parts_;
    size_t mask_ = 0;
  };

  Node* At(uint32_t ref) const;
  Slot* Probe(const HashedKey& key) const;
  const Range* Covering(std::string_view key) const;
  bool Hidden(const Node& node) const;
  Node* Upsert(const HashedKey& key, size_t row_size, model::Turn turn, size_t group);
  uint32_t NewNode(std::string_view key, size_t row_size, size_t capacity);
  uint32_t Allocate(size_t size);
  void Link(uint32_t ref, size_t group);
  void Grow();
  template <class Fn>
  void Walk(Fn&& fn) const;

  std::shared_ptr<Pieces> pieces_;  // may be null
  std::vector<Chunk> chunks_;       // [0] is a stand-in, so that no entry has reference 0
  size_t open_ = 0;                 // the chunk that small entries go to
  size_t used_ = 0;                 // bytes of the chunks that are taken
  Table table_;
  size_t taken_ = 0;
  boost::unordered_flat_map<uint64_t, uint32_t> groups_;  // hash of the group: its newest entry
  std::vector<Range> cleared_;
  size_t cleared_bytes_ = 0;
  uint32_t era_ = 0;
  bool written_in_era_ = false;
  mutable size_t live_ = 0;
  mutable bool recount_ = false;  // a clear hid entries that live_ still counts
  mutable std::shared_ptr<const KeyOrder> order_;
};

}  // namespace sluice::store
