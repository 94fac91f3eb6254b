// `sluice inspect log DIR`: what a log's directory holds, read and never changed.
#pragma once

#include <iosfwd>
#include <string>

#include "env/env.h"

namespace sluice::cli {

struct InspectLogOptions {
  bool json = false;     // one JSON object a line
  bool records = false;  // each batch and each shard's share, too
};

// Lists segments and groups on `out`, up to the first place where no group follows, and says what
// that place is. Safe on a stopped node's directory; on a running one it may see the log mid-write.
// Returns the exit status. 0: all is sound, or ends in what may be a torn tail. 3: damage, or not a
// log; the last line says where and why. 1: the directory cannot be read.
int InspectLog(env::FileSystem& files, const std::string& dir, const InspectLogOptions& options,
               std::ostream& out);

}  // namespace sluice::cli
