#include "cli/line_reader.h"

#include <algorithm>
#include <cstring>

namespace sluice::cli {
namespace {

constexpr size_t kReadBytes = 256 << 10;

}  // namespace

Result<ByteSource::State> LineReader::Next(std::string_view* line) {
  for (;;) {
    if (const size_t size = FindEnd(); size > 0) {
      *line = Take(size, false);
      return ByteSource::State::kBytes;
    }
    if (end_ - begin_ >= line_max_) {
      *line = Take(line_max_, true);
      return ByteSource::State::kBytes;
    }
    if (ended_) {
      if (begin_ == end_) return ByteSource::State::kEnd;
      *line = Take(end_ - begin_, false);
      return ByteSource::State::kBytes;
    }
    SLUICE_ASSIGN(const ByteSource::State state, Fill());
    if (state == ByteSource::State::kWait) return state;
  }
}

size_t LineReader::FindEnd() {
  const char* const from = buffer_.data() + begin_;
  const size_t size = end_ - begin_;
  if (searched_ == size) return 0;
  const void* const newline = std::memchr(from + searched_, '\n', size - searched_);
  const char* const stop = newline != nullptr ? static_cast<const char*>(newline) : from + size;
  const void* const found = std::memchr(from + searched_, '\r', stop - from - searched_);
  if (found == nullptr) {
    searched_ = size;
    return newline != nullptr ? stop - from + 1 : 0;
  }
  const char* const carriage = static_cast<const char*>(found);
  if (carriage + 1 < from + size) return carriage - from + (carriage[1] == '\n' ? 2 : 1);
  // Whether a LF belongs to this CR only the next byte tells.
  searched_ = carriage - from;
  return ended_ ? size : 0;
}

std::string_view LineReader::Take(size_t size, bool cut) {
  if (!cut_) ++line_;
  cut_ = cut;
  const std::string_view taken(buffer_.data() + begin_, size);
  begin_ += size;
  searched_ = 0;
  return taken;
}

Result<ByteSource::State> LineReader::Fill() {
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (buffer_.size() < end_ + kReadBytes) {
    buffer_.resize(
        std::max(end_ + kReadBytes, std::min(2 * buffer_.size(), line_max_ + kReadBytes)));
  }
  SLUICE_ASSIGN(const ByteSource::Chunk chunk, bytes_.Read(buffer_.data() + end_, kReadBytes));
  end_ += chunk.bytes;
  ended_ = chunk.state == ByteSource::State::kEnd;
  return chunk.state;
}

}  // namespace sluice::cli
