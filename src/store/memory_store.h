// MemoryStore: a store for simulation and for tests. Its rows lie in a Medium, which stands for the
// disk: hold it across restarts, and open the next store over it.
//
// Threads:  as Store. One open store per medium.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "store/store.h"

namespace sluice::store {

class MemoryStore : public Store {
 public:
  using Rows = std::map<std::string, std::string, std::less<>>;
  struct Medium {
    std::shared_ptr<Rows> rows = std::make_shared<Rows>();
  };

  // What becomes of an Apply. The power cuts leave a store that only fails; its medium lives on.
  enum class Fate : uint8_t {
    kApplied,
    kNoSpace,          // nothing applied
    kFailed,           // the same, for another reason
    kLostInCut,        // the power failed before it took effect
    kAppliedBeforeCut  // the power failed after it took effect, before anyone heard
  };
  struct Options {
    std::function<Fate(const Run&)> fate;        // empty: always kApplied
    std::function<bool(std::string_view)> cold;  // does this key need the disk? empty: none
    std::function<bool()> unreadable;            // does a read from disk fail? empty: never
    std::function<bool()> stalled;               // see Store::Stalled; empty: never
  };

  // kCorrupt: the medium is not a store's. kInvalid: it is a later version's.
  static Result<std::unique_ptr<MemoryStore>> Open(std::shared_ptr<Medium> medium, Options options);

  Result<Answer> Get(std::string_view key, Tier tier, std::string* row) override;
  std::unique_ptr<Cursor> NewCursor() override;
  Status Apply(const Run& run) override;
  Result<std::vector<Position>> Positions() override;
  uint64_t ApproximateKeys(std::string_view begin, std::string_view end) override;
  uint64_t ApproximateBytes(std::string_view begin, std::string_view end) override;
  bool Stalled() const override { return options_.stalled && options_.stalled(); }

 private:
  class WalkCursor;
  // Outlives the store if a cursor does.
  struct Shared {
    std::mutex mutex;
    std::shared_ptr<Medium> medium;
    size_t cursors = 0;  // over the present rows; they are copied before a change
    bool cut = false;
  };

  MemoryStore(std::shared_ptr<Shared> shared, Options options)
      : shared_(std::move(shared)), options_(std::move(options)) {}

  std::shared_ptr<Shared> shared_;
  Options options_;
};

}  // namespace sluice::store
