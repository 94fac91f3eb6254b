// A reply of a running node as a line of a listing: maps and arrays within it too.
//
// Threads:  none.
#pragma once

#include "cli/listing.h"
#include "resp/decoder.h"

namespace sluice::cli {

Listing::Line LineOf(const resp::Value& value);

}  // namespace sluice::cli
