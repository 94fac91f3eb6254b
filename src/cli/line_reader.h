// LineReader: cuts bytes into lines, each with its line end (LF, CRLF or CR), without copying them.
//
// Owns:     one buffer, which grows to one line of at most `line_max`.
// Threads:  none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "cli/load_input.h"

namespace sluice::cli {

class LineReader {
 public:
  LineReader(ByteSource& bytes, size_t line_max) : bytes_(bytes), line_max_(line_max) {}

  // kBytes: `*line` is the next line, valid until the next call; the last one may lack its end. A
  // line longer than line_max comes in pieces, of which only the last counts as a line. Errors as
  // ByteSource::Read.
  Result<ByteSource::State> Next(std::string_view* line);

  // The number of the line that Next gave last, from 1.
  uint64_t line() const { return line_; }
  // The piece that Next gave last is not the end of its line.
  bool cut() const { return cut_; }

 private:
  // The length of the first line in the buffer with its end; 0 when the end is not there yet.
  size_t FindEnd();
  Result<ByteSource::State> Fill();
  std::string_view Take(size_t size, bool cut);

  ByteSource& bytes_;
  const size_t line_max_;
  std::vector<char> buffer_;
  size_t begin_ = 0, end_ = 0;  // what the buffer holds
  size_t searched_ = 0;         // bytes behind begin_ that hold no line end
  uint64_t line_ = 0;
  bool cut_ = false;
  bool ended_ = false;
};

}  // namespace sluice::cli
