// Sink: where a projection writes. A table in PostgreSQL, files of NDJSON; one conformance suite
// for all of them.
//
// A sink holds exactly the effects up to its position. It keeps the position itself, in the same
// transaction as the rows: after a crash anywhere it is asked where it is, and goes on from there.
//
// Threads:  one at a time, the projection's own; calls block. Cancel from any.
// Failure:  see each call. What a failed Write did is told by Open only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "model/ids.h"

namespace sluice::project {

// How far a sink is: all effects of each lineage up to its number. No shard has lineage 0: its
// place is the projector's own, and counts its steps (projector.h).
struct Place {
  model::Lineage lineage;
  model::ShardSeq seq;

  bool operator==(const Place&) const = default;
};
using Position = std::vector<Place>;  // by lineage, each once

struct FieldChange {
  std::string name;
  std::optional<std::string> value;  // none: the field is gone
  int64_t delta = 0;                 // what increments alone added to it, when `added`
  bool added = false;                // nothing but increments touched it in this batch
};

// What became of one key within a batch: its effects, collapsed.
struct Change {
  enum class Kind : uint8_t {
    kValue,    // a string or counter is now `value`
    kFields,   // of a hash, `fields` changed
    kDeleted,  // the key is gone
    kExpired,  // the same, because its time came
  };
  Kind kind = Kind::kValue;
  std::string key;
  std::vector<std::string> segments;  // of its template, in order
  // kFields: the hash began in this batch, so that what is not in `fields` is absent.
  bool whole = false;
  std::string value;  // kValue
  int64_t delta = 0;  // kValue, when `added`: what increments alone added
  bool added = false;
  std::vector<FieldChange> fields;  // kFields; by name, each once
  uint64_t writes = 0;              // client writes that are in it
  Place last;                       // the last effect in it
  uint64_t time_ms = 0;             // that one's log time
};

// A change that the sink refuses for what it is.
struct DeadLetter {
  uint64_t id = 0;  // within the projection
  Change change;
  std::string reason;  // in the sink's own words
  uint64_t at_ms = 0;
};

// One step of a sink. Any part may be empty.
struct Batch {
  Position from;      // where the sink must be, of the lineages that `to` names (absent there: new)
  Position to;        // where it is afterwards; only lineages that moved, or have to be there
  bool anew = false;  // a rebuild: first all rows, places and letters that the projection has go
  std::vector<Change> changes;    // by key, each once
  std::vector<DeadLetter> dead;   // to be kept beside the position; replaces one of the same id
  std::vector<uint64_t> revived;  // ids of letters to forget
  uint64_t bytes = 0;
};

// A row that is not what it should be.
struct Difference {
  std::string key;
  std::string what;  // for people: "likes is 7 and should be 9", "there is no such row"
};

// A row that is there, by its key.
struct RowKey {
  std::string place;                  // to go on behind it
  std::optional<std::string> key;     // none: `segments` say it
  std::vector<std::string> segments;  // of its template, in order
};

// The same with what it says of the key: a value, or fields.
struct Row : RowKey {
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::string>> fields;  // those that are not NULL
};

// What is there, for people.
struct SinkReport {
  std::vector<std::string> notes;  // what slows each batch: indexes, foreign keys, triggers
};

class Sink {
 public:
  virtual ~Sink() = default;

  // Connects, checks that the target fits, takes the projection over from any owner of a lower
  // `epoch`, and says where it is. Waits out a transaction of an earlier connection that is still
  // under way. To be called again after any failure.
  //   kUnavailable  it cannot be reached, or is not ready; ask again later
  //   kInvalid      it does not fit: no such table, column, type; a table with rows of others.
  //                 Nothing was changed. An operator must act.
  //   kFenced       an owner of a greater epoch has it
  virtual Result<Position> Open(uint64_t epoch) = 0;

  // All or nothing, the position and the letters with it.
  //   kConflict     it is not at `batch.from`: open again
  //   kFenced       as above
  //   kInvalid      a change in it is refused for what it is; nothing was written. FindRefused says
  //                 which.
  //   kOutcomeUnknown  the connection is gone, and nobody knows whether it was written: open again
  //   kUnavailable, kNoSpace  nothing was written; may succeed later (a full disk, read-only, busy)
  virtual Status Write(const Batch& batch) = 0;

  // Where it is, without taking anything over. Whoever has nothing to write looks now and then: it
  // may have come back from an older backup, or have gone.
  //   kUnavailable, kConflict, kFenced  as of Write
  virtual Result<Position> Look() = 0;

  // Which changes of the batch are refused, with reasons, by trying without keeping anything.
  //   kUnavailable  as of Write
  virtual Result<std::vector<DeadLetter>> FindRefused(const Batch& batch) = 0;

  // The letters that are kept, by id.
  virtual Result<std::vector<DeadLetter>> Dead() = 0;

  // For `sluice projection verify`: which rows are not as these whole values (kValue, or kFields
  // with `whole`; kDeleted: no such row) say. Changes nothing.
  //   kInvalid  this sink cannot tell
  virtual Result<std::vector<Difference>> Compare(const std::vector<Change>& expected) {
    static_cast<void>(expected);
    return Fail(Code::kInvalid, "this sink cannot be compared");
  }

  // The next rows that are there, in an order of the sink's own, behind the row at `place` (empty:
  // from the first); none at the end. Without those that may be somebody else's.
  //   kInvalid  this sink cannot tell
  virtual Result<std::vector<RowKey>> RowsBehind(const std::string& place, size_t most) {
    static_cast<void>(place), static_cast<void>(most);
    return Fail(Code::kInvalid, "this sink cannot be compared");
  }
  // Whether it leaves the row of a key whose time came.
  virtual bool keeps_expired() const { return false; }

  // The rows that are there are to be read into the state before anything is written: they are
  // somebody else's, it has no position, and this was asked for. As Open found it.
  virtual bool wants_seed() const { return false; }
  // As RowsBehind, for a seed; the rows of others are what it is about.
  //   kUnavailable  as of Write
  virtual Result<std::vector<Row>> ReadRows(const std::string& place, size_t most) {
    static_cast<void>(place), static_cast<void>(most);
    return Fail(Code::kInvalid, "this sink has no rows to read");
  }

  virtual SinkReport report() const = 0;
  // Ends a call that is under way, soon, with kUnavailable.
  virtual void Cancel() = 0;
};

}  // namespace sluice::project
