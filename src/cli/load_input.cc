#include "cli/load_input.h"

#include <bzlib.h>
#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "base/check.h"
#include "env/linux/socket.h"

namespace sluice::cli {
namespace {

constexpr size_t kPackedBytes = 256 << 10;  // of compressed input held at once

Failure ReadFailure(const std::string& name) {
  const Code code = errno == ENOENT ? Code::kNotFound : Code::kIo;
  return Fail(code, fmt::format("{}: {}", name, std::strerror(errno)));
}

bool Readable(int fd, int timeout_ms) {
  pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
  return poll(&waiting, 1, timeout_ms) > 0;
}

class PlainSource final : public ByteSource {
 public:
  PlainSource(env::Fd fd, bool may_wait, std::string name)
      : fd_(std::move(fd)), may_wait_(may_wait), name_(std::move(name)) {}

  // Reads the beginning, waiting for it, and keeps it for the first Reads.
  Status ReadBeginning() {
    std::string bytes(kIdentityBytes, '\0');
    size_t size = 0;
    while (size < bytes.size()) {
      const ssize_t got = read(fd_.get(), bytes.data() + size, bytes.size() - size);
      if (got == 0) break;
      if (got < 0 && errno == EINTR) return Fail(Code::kIo, name_ + ": interrupted");
      if (got < 0) return ReadFailure(name_);
      size += static_cast<size_t>(got);
    }
    bytes.resize(size);
    beginning_ = std::move(bytes);
    return Ok();
  }
  const std::string& beginning() const { return beginning_; }

  Result<Chunk> Read(char* to, size_t size) override {
    SLUICE_CHECK(size > 0);
    if (given_ < beginning_.size()) {
      const size_t take = std::min(size, beginning_.size() - given_);
      std::memcpy(to, beginning_.data() + given_, take);
      given_ += take;
      consumed_ += take;
      if (given_ == beginning_.size()) std::string().swap(beginning_), given_ = 0;
      return Chunk{State::kBytes, take};
    }
    if (may_wait_ && !Readable(fd_.get(), 0)) return Chunk{State::kWait};
    const ssize_t got = read(fd_.get(), to, size);
    if (got == 0) return Chunk{State::kEnd};
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return Chunk{State::kWait};
    if (got < 0) return ReadFailure(name_);
    consumed_ += static_cast<uint64_t>(got);
    return Chunk{State::kBytes, static_cast<size_t>(got)};
  }
  int wait_fd() const override { return may_wait_ ? fd_.get() : -1; }
  uint64_t consumed() const override { return consumed_; }

 private:
  env::Fd fd_;
  const bool may_wait_;
  const std::string name_;
  std::string beginning_;
  size_t given_ = 0;
  uint64_t consumed_ = 0;
};

class Bzip2Source final : public ByteSource {
 public:
  explicit Bzip2Source(std::unique_ptr<ByteSource> packed)
      : packed_(std::move(packed)), buffer_(kPackedBytes) {}
  ~Bzip2Source() override { EndStream(); }

  Result<Chunk> Read(char* to, size_t size) override {
    SLUICE_CHECK(size > 0);
    for (;;) {
      if (stream_.avail_in == 0) {
        SLUICE_ASSIGN(const Chunk chunk, packed_->Read(buffer_.data(), buffer_.size()));
        if (chunk.state == State::kWait) return chunk;
        if (chunk.state == State::kEnd) {
          if (open_) return Fail(Code::kCorrupt, "the bzip2 data ends too early");
          return chunk;
        }
        stream_.next_in = buffer_.data();
        stream_.avail_in = static_cast<unsigned>(chunk.bytes);
      }
      size_t bytes = 0;
      if (!Unpack(to, size, &bytes)) return Fail(Code::kCorrupt, "the bzip2 data is damaged");
      if (bytes > 0) return Chunk{State::kBytes, bytes};
    }
  }
  int wait_fd() const override { return packed_->wait_fd(); }
  uint64_t consumed() const override { return packed_->consumed() - stream_.avail_in; }

 private:
  bool Unpack(char* to, size_t size, size_t* bytes) {
    if (!open_) {
      SLUICE_CHECK(BZ2_bzDecompressInit(&stream_, 0, 0) == BZ_OK);
      open_ = true;
    }
    stream_.next_out = to;
    stream_.avail_out = static_cast<unsigned>(std::min<size_t>(size, 1u << 30));
    const unsigned room = stream_.avail_out;
    const int result = BZ2_bzDecompress(&stream_);
    if (result == BZ_STREAM_END) EndStream();
    *bytes = room - stream_.avail_out;
    return result == BZ_OK || result == BZ_STREAM_END;
  }
  void EndStream() {
    if (open_) BZ2_bzDecompressEnd(&stream_);
    open_ = false;
  }

  std::unique_ptr<ByteSource> packed_;
  std::vector<char> buffer_;
  bz_stream stream_{};
  bool open_ = false;
};

// "BZh", the block size, and the first block's magic: no text begins like this.
bool LooksLikeBzip2(std::string_view bytes) {
  constexpr std::string_view kBlock = "\x31\x41\x59\x26\x53\x59";
  return bytes.size() >= 10 && bytes.starts_with("BZh") && bytes.substr(4, 6) == kBlock;
}

}  // namespace

Result<Input> OpenInput(const std::string& path) {
  const bool standard = path == "-";
  env::Fd fd(standard ? dup(STDIN_FILENO) : open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.open()) return ReadFailure(path);
  struct stat about {};
  if (fstat(fd.get(), &about) != 0) return ReadFailure(path);
  if (S_ISDIR(about.st_mode)) return Fail(Code::kInvalid, path + " is a directory");
  const bool regular = S_ISREG(about.st_mode);

  Input input;
  input.size = regular ? static_cast<uint64_t>(about.st_size) : 0;
  auto plain =
      std::make_unique<PlainSource>(std::move(fd), !regular, standard ? "standard input" : path);
  SLUICE_TRY(plain->ReadBeginning());
  input.beginning = plain->beginning();
  if (LooksLikeBzip2(input.beginning)) {
    input.bytes = std::make_unique<Bzip2Source>(std::move(plain));
  } else {
    input.bytes = std::move(plain);
  }
  return input;
}

void WaitForInput(const ByteSource& source, int timeout_ms) {
  if (source.wait_fd() >= 0) Readable(source.wait_fd(), timeout_ms);
}

}  // namespace sluice::cli
