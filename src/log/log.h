// One node's log: groups of records, one after the other, each durable before it is acknowledged.
//
// The log is the only truth. Implementations (a local file today, a replicated log tomorrow) pass
// one conformance suite.
//
// Threads:  Append, Seal, Trim from one thread at once (the log's own); Read and the accessors from
//           any.
// Failure:  after an Append that answered kOutcomeUnknown nobody knows what the disk holds. The log
//           fences itself: every later Append answers kFenced. Only opening it anew may say what
//           survived.
// Format:   docs/formats/log.md
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "model/ids.h"

namespace sluice::log {

// How many records of a group belong to a shard, and the first one's number in the lineage.
struct ShardSpan {
  model::ShardId shard;
  model::Epoch epoch;
  model::Lineage lineage;
  model::ShardSeq first_seq;
  uint32_t records = 0;
};

enum GroupFlags : uint16_t {
  kGroupWitness = 1,    // empty: written so that the groups before it have a witness
  kGroupCleanStop = 2,  // empty: the writer stopped in order; nothing follows in this term
  kGroupFence = 4,      // empty: seals the log against terms below this group's
};

class GroupBuffer;

// A group to append. `batches` is what Committer lays out (docs/formats/log.md): per lane batch a
// head and its records.
struct GroupToWrite {
  model::Lsn first;  // LSN of its first record; of the next record when it is empty
  uint32_t records = 0;
  model::Lsn durable;   // greatest LSN known durable when the group closed
  model::LogTime time;  // greatest log time in or before this group
  uint16_t flags = 0;
  std::span<const ShardSpan> shards;
  std::string_view batches;
  // Where `batches` lie, with room around them, if they do: the log then completes the group there
  // instead of copying it.
  GroupBuffer* buffer = nullptr;
};

// A batch as read back: one lane's records of one turn, in order, sharing one log time.
struct BatchView {
  model::Lsn first;
  uint32_t records = 0;
  model::LogTime time;
  std::string_view bytes;  // `records` records, as in model/effect.h
};

// A group as read back. Owned by the reader, valid until its next Next().
struct GroupView {
  model::Lsn first;
  uint32_t records = 0;
  model::Lsn durable;
  model::LogTime time;
  uint16_t flags = 0;
  model::Term term;
  std::span<const ShardSpan> shards;
  std::span<const BatchView> batches;
  uint64_t segment = 0, offset = 0;  // where it lies, for messages and `inspect`
};

class Reader {
 public:
  virtual ~Reader() = default;
  // The next whole group, or nullptr at the end of what was durable (or written, for the recovered
  // part) when the reader was made or last asked. kCorrupt names the segment and offset; kNotFound
  // when the position was trimmed away.
  virtual Result<const GroupView*> Next() = 0;
};

class Log {
 public:
  virtual ~Log() = default;

  // Writes the group and syncs. On OK it is durable.
  //   kConflict        expected_first is not the next LSN. Nothing was written.
  //   kFenced          a greater term sealed the log, or an earlier append failed. Nothing was
  //                    written.
  //   kNoSpace         no room for it, found before anything was written. May be tried again.
  //   kOutcomeUnknown  the write or the sync failed: the group may or may not have survived.
  virtual Status Append(model::Lsn expected_first, model::Term term, const GroupToWrite& group) = 0;

  // Durably fences every writer of a term below `term`, and takes the log over under it.
  virtual Status Seal(model::Term term) = 0;

  // Reads groups from the one that holds `from` (or the next one, when it begins a group).
  virtual Result<std::unique_ptr<Reader>> Read(model::Lsn from) = 0;

  // Forgets whole segments whose records all lie below `below`.
  virtual Status Trim(model::Lsn below) = 0;

  virtual model::LogId id() const = 0;
  virtual model::Term term() const = 0;
  virtual model::Lsn first() const = 0;     // least LSN that can still be read
  virtual model::Lsn next() const = 0;      // LSN of the next record to come
  virtual model::LogTime time() const = 0;  // greatest log time in it
  virtual uint64_t bytes() const = 0;       // on disk, for people and bounds
  // About how many bytes of groups lie behind that record; 0 at the end.
  virtual uint64_t bytes_after(model::Lsn lsn) const = 0;
  // Where its pieces begin, ascending, the first of them at first(): reading from there begins with
  // a group. For who looks for a place and does not want to read all.
  virtual std::vector<model::Lsn> starts() const = 0;
};

}  // namespace sluice::log
