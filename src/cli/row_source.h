// RowSource: the rows of a CSV, TSV or NDJSON text, with the columns that somebody wants.
//
// CSV is RFC 4180: the first row names the columns; a field may be quoted, and then hold anything;
// lines end in LF, CRLF or CR; blank lines are no rows; a byte order mark is skipped. TSV is the
// same with tabs. NDJSON is one object a line; numbers and booleans become text as they are
// written. A row that cannot be used is handed out all the same, with the reason, so that nothing
// is skipped in silence.
//
// Owns:     its buffers, which grow to one row of at most kRowMax.
// Threads:  none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "cli/load_input.h"

namespace sluice::cli {

inline constexpr size_t kRowMax = 16 << 20;   // a longer row is handed out as an unusable one
inline constexpr size_t kRowKeep = 64 << 10;  // a row slot keeps no more memory than this
inline constexpr size_t kColumnsMax = 16'384;

struct Row {
  struct Cell {
    size_t offset = 0, size = 0;
  };
  uint64_t line = 0;        // on which it begins, from 1
  std::string raw;          // as it stands in the file, without its line end
  std::string error;        // why it cannot be used; empty for a good row
  std::string text;         // what the cells point into
  std::vector<Cell> cells;  // of the wanted columns, in their order

  std::string_view cell(size_t i) const { return {text.data() + cells[i].offset, cells[i].size}; }
  // Empties it; memory beyond kRowKeep is given back.
  void Clear();
};

enum class Format : uint8_t { kCsv, kTsv, kNdjson };

// By the name's ending (.csv .tsv .tab .ndjson .jsonl .json, any of them with .bz2, .gz or .zst).
// False: unknown.
bool FormatOfName(std::string_view path, Format* format);

class RowSource {
 public:
  enum class State : uint8_t {
    kRow,   // `*row` is the next row, good or not
    kWait,  // nothing yet; see ByteSource
    kEnd,
  };

  virtual ~RowSource() = default;
  // kIo, kCorrupt: the input ended here for good; rows handed out before stand.
  virtual Result<State> Next(Row* row) = 0;
};

// `wanted`: the columns to hand out, each once. Borrows `bytes`.
//   kInvalid  the header is missing or unreadable, or lacks a wanted column, or has it twice.
//   kIo, kCorrupt  the input cannot be read.
Result<std::unique_ptr<RowSource>> OpenRows(ByteSource& bytes, Format format,
                                            std::vector<std::string> wanted);

// CSV or TSV with all its columns, which `*columns` then names. Errors as above; a name that comes
// twice is kInvalid.
Result<std::unique_ptr<RowSource>> OpenTable(ByteSource& bytes, Format format,
                                             std::vector<std::string>* columns);

}  // namespace sluice::cli
