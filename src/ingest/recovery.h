// Recovery: brings the state of all lanes to the end of the log, from where the store stands.
//
// A step machine, so that progress can be shown and the simulator can cut the power in between.
// Replay is idempotent: it skips, per shard, what the store holds already, so it may be repeated
// any number of times from any crash.
//
// Threads:  one, before the lanes serve.
// Failure:  kCorrupt: the log lacks records that the store's positions need, holds records of
//           shards or epochs that the map does not know, or a record that cannot be read. Nothing
//           was changed that a later start could not repeat.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "ingest/lane.h"
#include "log/log.h"

namespace sluice::ingest {

struct RecoveryProgress {
  uint64_t groups = 0, records = 0, applied = 0, skipped = 0, runs = 0;
  uint64_t partial = 0;     // effects on a part of a value, or on keys without naming them
  model::Lsn from, at, to;  // where it began, is, and will end
};

class Recovery {
 public:
  // `node.lanes` are there and have taken no turn.
  Recovery(Node& node, log::Log& log);

  // The greatest LSN that stored positions speak for: a witness for opening the log.
  static Result<model::Lsn> Witness(store::Store& store);

  Status Begin();
  // One group. True when all is replayed.
  Result<bool> Step();
  const RecoveryProgress& progress() const { return progress_; }

  // After the last step and before Finish: what was replayed goes into the store.
  Status StoreAll();

  // After the last step: the number each lineage's next record will carry.
  std::unordered_map<model::Lineage, model::ShardSeq> NextSeq() const;
  // After the last step: lanes learn of the log's time and of once tokens in the store.
  Status Finish();

 private:
  struct ShardState {
    model::ShardId id;
    model::KeyspaceId keyspace;
    std::string_view begin, end;
    model::Lineage lineage;
    model::Epoch epoch;
    model::ShardSeq seq;    // applied or stored up to here
    model::Lsn stored_lsn;  // of the position in the store
    model::ShardSeq next;   // of the group that is replayed
    model::Lsn group;       // which one that is: where it begins
  };
  Status Replay(const log::GroupView& group);
  Status ReplayRecord(const log::GroupView& group, const std::vector<model::RecordPart>& parts,
                      model::LogTime time);
  Status ReplayPart(const model::RecordPart& part, const ShardState& shard, model::LogTime time);
  // Finds the effect's token. kCorrupt: no command on that shard makes such an effect.
  Status PlaceEffect(const model::Effect& effect, const ShardState& shard);
  Status BeginGroup(const log::GroupView& group);
  Status Flush(Lane& lane);
  // In whose buffer its rows are gathered.
  Lane& LaneOf(const ShardState& shard) const;
  Error Damaged(const log::GroupView& group, const std::string& what) const;

  Node& node_;
  log::Log& log_;
  // A retired shard's keys may be several lanes' now. So that none of its records is applied again
  // over what came behind it, all rows go into one buffer, and reach the store in one step with all
  // positions; before the lanes serve, they are there.
  const bool together_;
  std::unique_ptr<log::Reader> reader_;
  std::unordered_map<model::ShardId, size_t> index_;
  std::vector<ShardState> shards_;  // those of the map, in its order, then retired ones
  std::vector<model::Field> fields_;
  std::string token_;
  uint64_t bytes_ = 0;
  RecoveryProgress progress_;
};

}  // namespace sluice::ingest
