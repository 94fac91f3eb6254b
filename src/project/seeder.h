// Seeder reads the rows that a sink has into the keyspace's state, before a projection begins: each
// as a write that happens only if its key does not exist. So it may be cut short anywhere and begin
// anew: keys that are there stay as they are.
//
// While it runs, clients' writes to the keyspace are refused: one that came before its row would
// begin from nothing, and the row would be lost.
//
// Owns:     a page of rows, and where it is. Borrows source and writer.
// Threads:  none; the projection's own. Waits for the sink, never for lanes.
// Failure:  kUnavailable: the sink is away; go on with Step when it is open again. kInvalid: a row
//           cannot be a key, or the state refuses it: it is named, and Step reads from there again.
// Bounds:   two pages, of kSeedRowsMax rows; how many, the page before tells: kSeedBytesGoal. What
//           clients could not send is refused.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "project/sink.h"
#include "project/tail.h"

namespace sluice::project {

inline constexpr size_t kSeedRowsMax = 2'000;
inline constexpr size_t kSeedBytesGoal = 1 << 20;       // of a page
inline constexpr size_t kSeedValueBytesMax = 16 << 20;  // as clients may send
inline constexpr size_t kSeedRowBytesMax = 64 << 20;

// Where a seed's rows go: the state of the keyspace.
//
// Threads:  the projection's own.
class SeedWriter {
 public:
  using Words = std::vector<std::string>;  // SET key value, HSET key field value …
  struct Outcome {
    size_t written = 0, there = 0;  // there: the key existed
    // Of one that was not carried out, if there is any. kUnavailable: it may be later.
    std::optional<size_t> at;
    Error error;
  };

  virtual ~SeedWriter() = default;
  // Clients' writes to the keyspace are refused from now on; after a restart too, until LetGo.
  virtual void Hold() = 0;
  virtual Status LetGo() = 0;
  // Begins a batch. Requires: none is under way, and the keys are the keyspace's.
  virtual void Begin(const std::vector<Words>& writes) = 0;
  // None while it is under way.
  virtual std::optional<Outcome> Take() = 0;
  // Begins to bring all that was written to the store; Stored once it is there.
  virtual void BeginStore() = 0;
  virtual bool Stored() const = 0;
};

class Seeder {
 public:
  Seeder(const Source& source, SeedWriter& writer) : source_(source), writer_(writer) {}

  // What can be done now. True: all rows are in the state, and the store has them.
  Result<bool> Step(Sink& sink);

  bool done() const { return phase_ == Phase::kDone; }
  uint64_t rows() const { return written_ + there_ + empty_; }  // that are done with
  uint64_t written() const { return written_; }
  uint64_t there() const { return there_; }        // their keys existed
  uint64_t empty() const { return empty_; }        // they say nothing of their keys: all is NULL
  const std::string& why() const { return why_; }  // it waits for the state; empty: it does not

 private:
  enum class Phase : uint8_t { kRows, kStore, kDone };
  struct Page {
    std::vector<SeedWriter::Words> writes;
    std::vector<std::string> shown;  // the row of each, for people
    std::string begins, ends;        // places
    uint64_t empty = 0;
  };

  Status Read(Sink& sink);
  Result<std::string> KeyOfRow(const Row& row) const;
  Status TakeOutcome();

  const Source& source_;
  SeedWriter& writer_;
  Phase phase_ = Phase::kRows;
  std::optional<Page> next_;   // read, and not begun
  std::optional<Page> under_;  // begun, and not done with
  bool begun_ = false;         // under_ is with the writer
  bool ended_ = false;         // there are no more rows
  std::string place_;          // read up to here
  size_t most_ = 10;           // rows of the next page
  uint64_t written_ = 0, there_ = 0, empty_ = 0;
  std::string why_;
};

}  // namespace sluice::project
