// MemorySink: a sink for tests and for the simulator. Its rows lie in a Medium, which stands for
// the database: hold it across restarts, and put the next sink over it.
//
// Threads:  as Sink. One open sink per medium; a later one fences it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "project/sink.h"

namespace sluice::project {

// A key's row, as a table would have it.
struct MemoryRow {
  std::string value;
  std::map<std::string, std::string> fields;
  bool is_hash = false;

  bool operator==(const MemoryRow&) const = default;
};

class MemorySink final : public Sink {
 public:
  struct Medium {
    std::map<std::string, MemoryRow> rows;
    std::map<uint64_t, uint64_t> position;  // by lineage
    std::map<uint64_t, DeadLetter> dead;
    uint64_t epoch = 0;
    uint64_t batches = 0;
  };

  // What becomes of a call.
  enum class Fate : uint8_t {
    kDone,
    kRefused,         // unavailable, nothing happened
    kLost,            // the connection is gone before it took effect; the outcome is unknown
    kDoneAndUnheard,  // and after: the outcome is unknown
  };
  struct Options {
    std::function<Fate()> fate;  // of Open and Write; empty: always kDone
    // Why a change is refused for what it is; empty: it is not.
    std::function<std::string(const Change&)> poison;
    bool adds = false;   // rows get deltas
    bool seeds = false;  // rows that are there without a position are read into the state first
  };

  explicit MemorySink(std::shared_ptr<Medium> medium) : MemorySink(std::move(medium), Options()) {}
  MemorySink(std::shared_ptr<Medium> medium, Options options)
      : medium_(std::move(medium)), options_(std::move(options)) {}

  Result<Position> Open(uint64_t epoch) override;
  Status Write(const Batch& batch) override;
  Result<Position> Look() override;
  Result<std::vector<DeadLetter>> FindRefused(const Batch& batch) override;
  Result<std::vector<DeadLetter>> Dead() override;
  Result<std::vector<Difference>> Compare(const std::vector<Change>& expected) override;
  Result<std::vector<RowKey>> RowsBehind(const std::string& place, size_t most) override;
  bool wants_seed() const override {
    return options_.seeds && medium_->position.empty() && !medium_->rows.empty();
  }
  Result<std::vector<Row>> ReadRows(const std::string& place, size_t most) override;
  SinkReport report() const override { return {}; }
  void Cancel() override {}

 private:
  Fate Next() { return options_.fate ? options_.fate() : Fate::kDone; }
  Status Check(const Batch& batch) const;
  Position Places() const;

  const std::shared_ptr<Medium> medium_;
  const Options options_;
  uint64_t epoch_ = 0;
  bool open_ = false;
};

// What the change makes of the rows; an expired key's row goes. `adds`: increments are added to
// what is there.
void ApplyChange(const Change& change, std::map<std::string, MemoryRow>& rows, bool adds = false);

}  // namespace sluice::project
