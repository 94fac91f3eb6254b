// Copy: `sluice load --from redis://…`, the keys of a running Redis, or Sluice, one page after the
// other.
//
// A page is what SCAN names, at most kPageKeys keys of it, or so many fields of a large hash. What
// it is made of is stored in the server before its writes go, each of them as `SLUICE ONCE
// @producer seq …` under a number that its place in the page makes: who goes on after whatever
// happened reads the same keys again and writes them under the same numbers. A number that was used
// with other arguments was used for what the key held then: it is done.
//
// A hash is written in three steps, each when the one before is done for all of the page: what the
// server has under its key is ended, the fields come, and then the time at which it expires.
//
// Owns:     both connections.
// Threads:  none.
// Bounds:   a page's values are read and written in batches of kBatchBytes and one more key.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "cli/copy_state.h"
#include "cli/link.h"
#include "cli/load.h"
#include "cli/load_report.h"

namespace sluice::cli {

inline constexpr size_t kPageKeys = 300;     // three numbers each, of the 1,024 that a server keeps
inline constexpr size_t kLargeFields = 300;  // a hash of more is copied field by field
inline constexpr uint64_t kBatchBytes = 16 << 20;    // of values held at once
inline constexpr uint64_t kTogetherBytes = 8 << 20;  // of fields that go in one command

struct CopyOptions {
  Address from, to;
  std::string match;     // empty: all keys
  uint64_t count = 250;  // that SCAN is asked for
  std::string rejects;   // a file; empty: standard error
  LoadOptions::Begin begin = LoadOptions::Begin::kNew;
};

class Copy {
 public:
  // `stop` becomes non-zero when the copy should end early.
  Copy(CopyOptions options, env::Clock& clock, const volatile int* stop);
  // True: every key is applied.
  //   kConflict  this copy was begun before, and the options do not say what to do about it.
  Result<bool> Run();

 private:
  // One step of one key: a write under a number.
  struct Write {
    size_t item;
    uint64_t seq;
    Words words;
  };
  // What became of an item of the page.
  struct Outcome {
    bool vanished = false;
    bool large = false;    // it is copied field by field, and counted then
    std::string rejected;  // why; empty: it is not

    bool wanted() const { return !vanished && !large && rejected.empty(); }
  };

  Status Begin();
  Result<bool> NextPage();
  Result<bool> NextFields();
  Status NextKeys();
  Result<bool> Store();
  Status DoKeys(bool again);
  Status DoBatch(size_t begin, size_t end, bool again);
  Status DoFields(std::vector<std::string> values, bool again);
  Status Clean(size_t item, const CopyKey& key, uint64_t seq);
  Status Send(std::vector<Write> writes);
  void Settle();
  Result<std::vector<resp::Value>> AskSource(const std::vector<Words>& commands);
  uint64_t SeqOf(size_t item, size_t step) const;
  uint64_t ExpiryOf(int64_t pttl) const;
  void Show();

  const CopyOptions options_;
  env::Clock& clock_;
  const volatile int* const stop_;
  ProgressLine progress_;
  Link source_, target_;
  std::string progress_key_, producer_;
  int64_t run_ = 0;  // 1, 2, … of this copy, as it is begun anew
  CopyState state_;
  bool done_ = false;
  CopyCounts counts_;  // with what of the page is done
  std::vector<Outcome> outcomes_;
  std::vector<std::string> values_;  // of a page of fields that was just read
  std::unique_ptr<RejectFile> rejects_;
  uint64_t refusals_ = 0, before_ = 0;
};

}  // namespace sluice::cli
