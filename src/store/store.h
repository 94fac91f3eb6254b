// What outlives the write buffer: sorted rows, with the position of each shard they reflect.
//
// A run (the content of one frozen write buffer) goes in as one atomic, durable step together with
// its positions; nothing else is ever written. RocksDB behind the real one, a sorted map with crash
// semantics in simulation; one conformance suite proves both.
//
// Threads:  Get, Seek, Positions from any thread; Apply from one thread at once.
// Failure:  Apply: kNoSpace and kIo leave the content as it was; the run may be tried again.
//           kCorrupt: stored bytes fail their check; the message names the file.
// Format:   docs/formats/keys.md
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "model/ids.h"
#include "store/buffer.h"

namespace sluice::store {

// How far into the log a shard's stored rows reach: all its records up to `seq`, and no record of
// it lies in (the LSN of that record, lsn].
struct Position {
  model::Lineage lineage;
  model::ShardSeq seq;  // 0: none yet
  model::Lsn lsn;
};

// One step to apply: a frozen buffer's rows, deletions and cleared ranges (ranges first), and
// positions.
struct Run {
  std::shared_ptr<const Buffer> buffer;  // null: positions only
  std::vector<Position> positions;
};

// Walks stored rows of one moment in key order. Does I/O: never used on a lane.
class Cursor {
 public:
  virtual ~Cursor() = default;
  virtual void Seek(std::string_view key) = 0;        // first key >= `key`
  virtual void SeekBefore(std::string_view key) = 0;  // last key < `key`
  virtual bool Valid() const = 0;
  virtual void Next() = 0;
  virtual void Prev() = 0;
  virtual std::string_view key() const = 0;  // valid until the cursor moves
  virtual std::string_view row() const = 0;
  virtual Status status() const = 0;  // why it is not Valid, if not the end
};

enum class Tier : uint8_t { kMemory, kDisk };  // kMemory: answer only what needs no I/O
enum class Answer : uint8_t { kFound, kMissing, kCold };

class Store {
 public:
  virtual ~Store() = default;
  // False: there is no row of a key with this hash (HashedKey), for sure. Costs far less than
  // asking for the row, and still less some time after the prefetch.
  virtual bool MayHold(uint32_t) const { return true; }
  virtual void PrefetchHold(uint32_t) const {}
  // Learns a part of what MayHold needs to know of rows that were here when it was opened; true
  // when nothing is left. Until then MayHold is true. One thread at once, beside all others.
  virtual Result<bool> LearnKeys() { return true; }
  // kFound copies the row to `row`; kCold (kMemory only): a read from disk is needed.
  virtual Result<Answer> Get(std::string_view key, Tier tier, std::string* row) = 0;
  // Reads those of at most kManyMax rows that are still kCold, from disk if need be: one at least,
  // but once the rows are more than `bytes_max` together the others stay kCold.
  struct Lookup {
    std::string_view key;
    Answer answer = Answer::kCold;
    std::string row;
  };
  static constexpr size_t kManyMax = 32;
  virtual Status GetMany(std::span<Lookup> lookups, size_t bytes_max);
  virtual std::unique_ptr<Cursor> NewCursor() = 0;  // sees what was applied before this call
  virtual Status Apply(const Run& run) = 0;
  virtual Result<std::vector<Position>> Positions() = 0;
  virtual uint64_t ApproximateKeys(std::string_view begin, std::string_view end) = 0;
  virtual uint64_t ApproximateBytes(std::string_view begin, std::string_view end) = 0;
  // How far compaction is behind: at 1, Stalled().
  virtual double Fullness() const { return Stalled() ? 1 : 0; }
  virtual bool Stalled() const = 0;  // compaction is behind: freeze no faster
};

}  // namespace sluice::store
