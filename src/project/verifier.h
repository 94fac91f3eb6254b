// Verifier compares what a sink holds with the state, key by key, while writes go on.
//
// The state is what the store holds at one moment, with all that the sink was told since on top of
// it. So it begins once the sink is past that moment, and then goes through the keys in ranges, and
// at last through the sink's rows, for those of which there is no key.
//
// Owns:     a snapshot of the store, and the changes since.
// Threads:  none; the projection's own. Reads from disk, and asks the sink.
// Failure:  what store, log or sink answer; kUnavailable when more than kVerifyBytesMax changed
//           meanwhile. It is begun anew then.
// Bounds:   kVerifyRows keys a step; kDifferencesMax differences are named, the rest is counted.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "project/copier.h"
#include "project/sink.h"
#include "project/tail.h"

namespace sluice::project {

inline constexpr size_t kVerifyRows = 1'000;
inline constexpr size_t kVerifyBytesMax = 256 << 20;
inline constexpr size_t kDifferencesMax = 1'000;

struct Verdict {
  uint64_t compared = 0, differing = 0;
  uint64_t letters = 0;  // keys that were left out: what they lack is known
  std::vector<Difference> differences;
};

class Verifier {
 public:
  static Result<std::unique_ptr<Verifier>> Begin(const Source& source);

  // `position` and `done`: where the sink is, and the LSN up to which it has all. True at the end.
  using HasLetter = std::function<bool(const std::string&)>;
  Result<bool> Step(Sink& sink, const Position& position, model::Lsn done,
                    const HasLetter& has_letter);
  // The sink was told this since the last step.
  Status Written(const std::vector<Change>& changes);
  const Verdict& verdict() const { return verdict_; }

 private:
  explicit Verifier(const Source& source) : source_(source), tail_(source) {}
  bool Covers(const Position& position) const;
  Status CatchUp(model::Lsn done);
  Status Merge(const std::vector<Change>& changes);
  Result<std::vector<Change>> Expected();
  Result<std::vector<Change>> Later();
  Status CompareKeys(Sink& sink, const HasLetter& has_letter);
  Result<bool> CompareRows(Sink& sink, const HasLetter& has_letter);
  void Note(Difference difference);

  const Source& source_;
  std::unique_ptr<Copier> copier_;
  Tail tail_;
  bool caught_up_ = false, copied_ = false;
  std::map<std::string, Change> since_;  // by key: what the sink was told behind the snapshot
  size_t since_bytes_ = 0;
  std::string last_;   // of since_, that was compared
  bool keys_ = true;   // else the sink's rows
  std::string place_;  // of them
  Verdict verdict_;
};

}  // namespace sluice::project
