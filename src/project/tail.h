// Tail reads the log on behalf of one projection: from where its sink stands, the effects on its
// keyspace, into one batch after the other.
//
//   Begin()  where to go on. It finds the piece of the log to begin with by halving.
//   Fill()   takes records into the batch, as far as the log is durable and the batch has room.
//   Take()   the batch; a record is in it wholly or not at all.
//
// Owns:     its place and the open batch. Borrows what it reads.
// Threads:  none; the projection's own.
// Failure:  Fill: kNotFound, the log was trimmed beyond what the sink needs; kInvalid, the log has
//           a write that no change can say (see Collapser::CanTake); kCorrupt, damage; kIo. But for
//           kIo it stays so until Begin.
// Bounds:   a batch passes its bounds by one record at most. One Fill reads kReadBytesMax, and one
//           group more. Begin reads at most one piece of the log for each halving.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"
#include "log/log.h"
#include "model/effect.h"
#include "model/keyspace.h"
#include "project/collapser.h"
#include "project/sink.h"
#include "store/store.h"

namespace sluice::project {

inline constexpr size_t kReadBytesMax = 8 << 20;

class SeedWriter;

struct SourceShard {
  model::ShardId id;
  model::Lineage lineage;
};
using SourceShards = std::vector<SourceShard>;

// What a projection reads of a node.
struct Source {
  log::Log& log;
  store::Store& store;
  const model::Keyspace& keyspace;
  // Of the keyspace, those that it ever had, retired ones included. None is ever left out again;
  // new ones are there before they have a record. Any thread.
  std::function<std::shared_ptr<const SourceShards>()> shards;
  // The number that the lineage's next record will carry, and the last LSN that was given out: all
  // records with smaller numbers have LSNs up to it, if it is asked for afterwards.
  std::function<model::ShardSeq(model::Lineage)> next_seq;
  std::function<model::Lsn()> appended;
  // Writes the token of a key that may be the keyspace's; false: it is not.
  std::function<bool(std::string_view key, std::string* token)> token;
  // While a place is not known, what was written behind it counts as the projection's backlog.
  model::Lsn held{};
  SeedWriter* seed = nullptr;  // none: it is never seeded
};

class Tail {
 public:
  explicit Tail(const Source& source);

  // Goes on behind `position`; what was gathered is dropped. `from`: no record that it lacks lies
  // before; none: it looks for the place itself.
  Status Begin(const Position& position, model::Lsn from = {});

  // True: there may be more. False: the batch is full, or the log has no more that is durable.
  // Nothing behind `last` is taken.
  Result<bool> Fill(size_t rows_max, size_t bytes_max, model::Lsn last = model::Lsn(UINT64_MAX));
  bool Full(size_t rows_max, size_t bytes_max) const {
    return changes_.rows() >= rows_max || changes_.bytes() >= bytes_max;
  }
  // Whether all that was durable when it was last filled is in the batch, or before it.
  bool at_end() const { return at_end_; }

  bool empty() const { return moved_.empty(); }
  size_t rows() const { return changes_.rows(); }
  uint64_t first_ms() const { return first_ms_; }  // log time of the batch's first record
  model::Lsn lsn() const { return lsn_; }          // all up to here is in the batch, or before it
  Batch Take();

 private:
  struct Shard {
    SourceShard shard;
    model::ShardSeq at;     // taken up to here
    model::ShardSeq begun;  // where the batch begins
    bool moved = false;     // in this batch
    model::ShardSeq next;   // of the group that is read
    uint64_t group = 0;     // which one that is, by groups_
  };
  // Where to begin reading: no record that is lacking lies before.
  Result<model::Lsn> FindStart(const std::vector<model::Lsn>& starts, model::Lsn appended) const;
  // Learns of shards that are new since it was last asked.
  void TakeShards();
  Status ReadFrom(model::Lsn first);
  Result<bool> LacksNothingBefore(model::Lsn from, model::Lsn until) const;
  Result<bool> NextGroup();
  Status Enter(const log::GroupView& group);
  Status TakeRecord();
  Status TakePart(const model::RecordPart& part, Shard& shard);
  // The log ends where the sink's needs begin, and nothing is left to show it.
  Status CheckEnds();
  Error Lost(const Shard& shard, model::ShardSeq found) const;
  Error Damaged(const std::string& what) const;
  void Mark(Shard& shard);

  const Source& source_;
  std::shared_ptr<const SourceShards> known_;  // what shards_ was made of
  std::vector<Shard> shards_;
  std::unordered_map<model::ShardId, size_t> by_id_;
  std::unique_ptr<log::Reader> reader_;
  Collapser changes_;
  std::vector<size_t> moved_;  // shards, in this batch
  uint64_t first_ms_ = 0;
  model::Lsn lsn_;
  bool at_end_ = false;
  // What the lineages must have reached once all up to ends_lsn_ is read.
  std::vector<model::ShardSeq> ends_;
  model::Lsn ends_lsn_;
  bool ends_checked_ = false;

  // The group that is read, up to a record in one of its batches.
  const log::GroupView* group_ = nullptr;
  uint64_t groups_ = 0;  // entered so far
  size_t batch_ = 0;
  uint32_t records_left_ = 0;
  Reader records_{std::string_view()};
  std::vector<model::RecordPart> parts_;
  std::vector<model::Field> fields_;
  size_t read_bytes_ = 0;
};

}  // namespace sluice::project
