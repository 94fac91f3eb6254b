// State: what one lane knows of its shards: the active buffer, frozen buffers on their way into the
// store, rows kept from what the store holds, and the store. Reads look in that order.
//
//   Find()    a row, or kCold when only the disk knows. Keep() takes over what was read from there.
//   Freeze()  the active buffer becomes a run; a new one takes its place.
//   Flushed() the run is in the store; its buffer is forgotten.
//
// When a shard comes from another lane, that lane lends the frozen buffers that have its rows, and
// this one looks into them as well until they are in the store.
//
// Threads:  the lane's own. The flusher uses the Run only. A Snapshot may be used on any thread.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "store/buffer.h"
#include "store/row_cache.h"
#include "store/store.h"

namespace sluice::store {

struct Found {
  Answer answer = Answer::kMissing;
  std::string_view row;  // kFound: valid until the next write to this state or to the scratch
  model::Turn turn;      // the turn that a reader of this answer must wait for; 0: durable
};

// What a walk over stored rows needs so that nothing slips between buffers and store while it runs
// elsewhere: a cursor and the buffers of the same moment, newest first. The first was active then:
// only the lane may read it.
struct Snapshot {
  std::unique_ptr<Cursor> cursor;
  std::vector<std::shared_ptr<const Buffer>> buffers;
  std::vector<model::Turn>
      lent;  // beside them: what readers of it wait for; 0: it is the lane's own
};

class State {
 public:
  static constexpr size_t kCacheBytes = size_t{32} << 20;

  // `pieces`: as of Buffer.
  explicit State(Store& store, size_t cache_bytes = kCacheBytes,
                 const std::shared_ptr<Pieces>& pieces = nullptr)
      : store_(store),
        pieces_(pieces),
        active_(std::make_shared<Buffer>(pieces)),
        cache_(cache_bytes, pieces) {}

  // `scratch` holds the row when it comes from the store.
  Result<Found> Find(const HashedKey& key, Tier tier, std::string* scratch);

  // The same from the buffers alone; none: only the store knows.
  std::optional<Found> FindBuffered(const HashedKey& key) const;

  // As of Buffer, in all that a look-up asks.
  void PrefetchSlot(uint32_t hash) const;
  void PrefetchEntry(uint32_t hash) const;

  // What was read from the store elsewhere, none for no row. Requires: the key was not written
  // since, and no run was Flushed.
  void Keep(const HashedKey& key, std::optional<std::string_view> row);

  Buffer& active() { return *active_; }  // all writes go here
  const Buffer& active() const { return *active_; }
  size_t frozen() const { return frozen_.size() - lent_; }  // runs with rows on their way
  size_t frozen_bytes() const { return frozen_bytes_; }
  size_t bytes() const;    // active and frozen
  size_t entries() const;  // the same; see Buffer::entries
  // What the store has in [begin, end) was cleared since.
  bool Hides(std::string_view begin, std::string_view end) const;

  // Without rows to store, the run has no buffer. Requires: nothing else writes the active buffer
  // afterwards.
  Run Freeze(std::vector<Position> positions);
  // The run is in the store, and all that were to reach it before. It is the lane's oldest.
  void Flushed(const Run& run);

  // --- Shards that change hands. ---

  using Buffers = std::vector<std::shared_ptr<const Buffer>>;
  // All frozen ones, oldest first. Requires: none of them is lent.
  Buffers Lend() const;
  bool borrows() const { return lent_ > 0; }
  // Rows of shards that come to this lane, newer than what its buffers know of them. They reach the
  // store before any run that is frozen here from now on. Who sees them waits for `turn`.
  void Borrow(const Buffers& buffers, model::Turn turn);
  // That buffer is in the store.
  void GiveBack(const Buffer* buffer);

  Snapshot Snap();
  Store& store() { return store_; }

 private:
  // Where rows are rarely in the store's memory, asking there first only costs.
  bool WorthAsking();

  Store& store_;
  std::shared_ptr<Pieces> pieces_;
  std::shared_ptr<Buffer> active_;
  struct Frozen {
    std::shared_ptr<const Buffer> buffer;
    model::Turn lent;  // 0: the lane's own
  };
  std::deque<Frozen> frozen_;  // oldest first
  size_t lent_ = 0;            // of them
  size_t frozen_bytes_ = 0;
  RowCache cache_;
  uint32_t answers_ = ~uint32_t{0};  // of the last questions to its memory: one bit each
  uint32_t unasked_ = 0;
};

}  // namespace sluice::store
