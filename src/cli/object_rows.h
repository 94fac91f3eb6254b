// ObjectRows: NDJSON with whatever members its objects have.
//
// Members of an object within are columns of their own, `user.id`; arrays are passed over. A member
// that a row lacks, or that is null, is empty. Columns are numbered as they come.
//
// Owns:     its buffers, which grow to one row of at most kRowMax.
// Threads:  none.
// Bounds:   kColumnsMost columns; members beyond are passed over.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "cli/line_reader.h"
#include "cli/row_source.h"
#include "plan/columns.h"

namespace sluice::cli {

class ObjectRows final : public RowSource {
 public:
  explicit ObjectRows(ByteSource& bytes) : lines_(bytes, kRowMax) {}

  // A row's cells are those of columns(); those that are named later come at the end.
  Result<State> Next(Row* row) override;
  const std::vector<std::string>& columns() const { return columns_; }

 private:
  void Parse(Row* row);

  LineReader lines_;
  std::vector<std::string> columns_;
};

}  // namespace sluice::cli
