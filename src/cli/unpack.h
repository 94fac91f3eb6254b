// Unpacking: bytes that are compressed with bzip2, gzip or zstd, as the bytes they stand for.
//
// Which it is, is told by the first bytes; a name can only say that it is one of them. Of several
// compressed streams, one after the other, the contents come one after the other.
//
// Threads:  none.
// Bounds:   256 KiB of compressed input held at once; zstd's window is 128 MiB at the most.
#pragma once

#include <memory>
#include <string_view>

#include "cli/load_input.h"

namespace sluice::cli {

// Null: bytes that begin like this are none of the three.
//   Read of what it answers: kCorrupt  the compressed data is damaged or ends too early; the
//   message says which.
std::unique_ptr<ByteSource> Unpacked(std::string_view beginning,
                                     std::unique_ptr<ByteSource>* packed);

// "bzip2", "gzip" or "zstd" for a name that ends in .bz2, .gz or .zst; else empty.
std::string_view PackingOfName(std::string_view path);

}  // namespace sluice::cli
