// `sluice advise`: reads rows once, in bounded memory, and says by which columns to shard.
//
// Threads:  none.
#pragma once

#include <vector>

#include "base/status.h"
#include "cli/advice.h"
#include "cli/load_input.h"
#include "cli/row_source.h"

namespace sluice::cli {

// argv[0] is "advise". Returns the exit status: 0 done, 1 no row could be used or a file cannot be
// read, 2 wrong usage, 3 a damaged archive.
int AdviseMain(int argc, const char* const* argv);

// Reads rows to their end and judges their columns.
//   kInvalid      no header, a name twice, or a column that the options name and the rows lack.
//   kUnavailable  no row could be used.
Result<Advice> AdviseRows(ByteSource& bytes, Format format, const AdviceOptions& options);

}  // namespace sluice::cli
