// ByteSource: the bytes of a file or of standard input, unpacked if they are compressed
// (cli/unpack.h).
//
// Threads:  none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"

namespace sluice::cli {

// What identifies an input from one run to the next: this much of its beginning, and a file's size.
inline constexpr size_t kIdentityBytes = 1 << 20;

class ByteSource {
 public:
  enum class State : uint8_t {
    kBytes,  // at least one byte was read
    kWait,   // nothing yet; ask again when wait_fd() is readable
    kEnd,
  };
  struct Chunk {
    State state;
    size_t bytes = 0;
  };

  virtual ~ByteSource() = default;
  // Reads up to `size` bytes without waiting for a slow pipe. Requires: size > 0.
  //   kIo       the file cannot be read.
  //   kCorrupt  the compressed data is damaged or ends too early.
  virtual Result<Chunk> Read(char* to, size_t size) = 0;
  // What to watch after kWait; -1 for a file, which never waits.
  virtual int wait_fd() const = 0;
  // Bytes taken from the file itself, before unpacking: for showing progress.
  virtual uint64_t consumed() const = 0;
};

struct Input {
  std::unique_ptr<ByteSource> bytes;
  uint64_t size = 0;      // of the file; 0 when it cannot be known
  std::string beginning;  // its first kIdentityBytes
};

// "-" is standard input: then this waits until kIdentityBytes or the end have arrived.
//   kNotFound, kIo  the file cannot be opened or read; the message names it.
//   kCorrupt        its name ends as an archive's does, and it is none.
Result<Input> OpenInput(const std::string& path);

// Waits until a source that answered kWait has something, at most `timeout_ms` (-1: for ever).
void WaitForInput(const ByteSource& source, int timeout_ms);

}  // namespace sluice::cli
