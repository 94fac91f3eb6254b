// What a load tells people: progress while it runs, and the rows it could not apply.
//
// Threads:  none.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "cli/load_window.h"

namespace sluice::cli {

inline constexpr size_t kRejectsShown = 20;  // on standard error, when no file takes them

// Rejected rows as CSV lines of line number, reason and the row as it stood in the file; without a
// file, the first kRejectsShown in words on standard error.
class RejectFile final : public RejectSink {
 public:
  // `path` empty: no file. An existing file is emptied, or cut to `keep_bytes` when a load goes on.
  //   kIo  it cannot be written; the message names it.
  static Result<std::unique_ptr<RejectFile>> Open(const std::string& path, uint64_t keep_bytes);
  ~RejectFile() override;

  void Add(const Row& row, std::string_view reason) override;
  Result<uint64_t> Flush() override;

 private:
  RejectFile(std::string path, std::FILE* file, uint64_t bytes)
      : path_(std::move(path)), file_(file), bytes_(bytes) {}
  void Write(std::string_view bytes);
  void WriteQuoted(std::string_view text);

  const std::string path_;
  std::FILE* const file_;
  uint64_t bytes_;
  bool failed_ = false;
  uint64_t seen_ = 0;
  std::string quoted_;
};

// One line a second: redrawn in place on a terminal, one below the other elsewhere.
class ProgressLine {
 public:
  // Of this run.
  struct Counts {
    uint64_t rows = 0, rejected = 0, refusals = 0;
    std::string_view name = "rows";
  };

  // Writes to standard error.
  explicit ProgressLine(uint64_t now_ms);
  // What there is in all (bytes of the input, keys); 0: unknown.
  void Expect(uint64_t total) { total_ = total; }

  // Shows the line if a second has passed. `consumed`: of what there is in all.
  void Show(const Counts& counts, uint64_t consumed, uint64_t now_ms);
  // Says something else between the lines.
  void Say(std::string_view text);
  // Ends a line that was drawn in place.
  void Close();

 private:
  uint64_t total_ = 0;
  const bool terminal_;
  uint64_t next_ms_, last_ms_;
  uint64_t last_rows_ = 0;
  bool drawn_ = false;
};

}  // namespace sluice::cli
