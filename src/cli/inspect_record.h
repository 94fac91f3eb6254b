// `sluice inspect record DIR LSN`: one record of a stopped node's log, read and never changed.
#pragma once

#include <iosfwd>
#include <string>

#include "env/env.h"
#include "model/ids.h"

namespace sluice::cli {

// Shows where the record lies, which shards it is of, and each effect. `dir` is a data directory.
// Returns the exit status. 0: done. 3: damage before or in it; the last line says where. 1: there
// is no such record, or the log cannot be read.
int InspectRecord(env::FileSystem& files, const std::string& dir, model::Lsn lsn, bool json,
                  std::ostream& out);

}  // namespace sluice::cli
