#include "cli/load_input.h"

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
#include "cli/unpack.h"
#include "env/linux/socket.h"

namespace sluice::cli {
namespace {

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
  input.bytes = std::move(plain);
  if (auto unpacked = Unpacked(input.beginning, &input.bytes)) {
    input.bytes = std::move(unpacked);
  } else if (const std::string_view packing = PackingOfName(path); !packing.empty()) {
    // Taken for text, it would be answered with what is wrong with its rows.
    return Fail(Code::kCorrupt,
                fmt::format("{} is not {}: it is damaged, or no archive", path, packing));
  }
  return input;
}

void WaitForInput(const ByteSource& source, int timeout_ms) {
  if (source.wait_fd() >= 0) Readable(source.wait_fd(), timeout_ms);
}

}  // namespace sluice::cli
