#include "cli/unpack.h"

#include <bzlib.h>
#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/check.h"

namespace sluice::cli {
namespace {

constexpr size_t kPackedBytes = 256 << 10;  // of compressed input held at once
constexpr size_t kOutputMost = 1 << 30;  // that one step is asked for: the libraries count in ints

// One kind of compression: a stream after another.
class Unpacker {
 public:
  virtual ~Unpacker() = default;
  // Takes from the front of `*in` and writes to the front of `*out`. False: damaged.
  virtual bool Step(std::string_view* in, std::span<char>* out) = 0;
  // The input may end here.
  virtual bool between() const = 0;
  virtual std::string_view name() const = 0;
};

class Bzip2 final : public Unpacker {
 public:
  ~Bzip2() override { End(); }
  bool Step(std::string_view* in, std::span<char>* out) override {
    if (!open_) SLUICE_CHECK(BZ2_bzDecompressInit(&stream_, 0, 0) == BZ_OK);
    open_ = true;
    stream_.next_in = const_cast<char*>(in->data());
    stream_.avail_in = static_cast<unsigned>(in->size());
    stream_.next_out = out->data();
    stream_.avail_out = static_cast<unsigned>(out->size());
    const int result = BZ2_bzDecompress(&stream_);
    in->remove_prefix(in->size() - stream_.avail_in);
    *out = out->last(stream_.avail_out);
    if (result == BZ_STREAM_END) End();
    return result == BZ_OK || result == BZ_STREAM_END;
  }
  bool between() const override { return !open_; }
  std::string_view name() const override { return "bzip2"; }

 private:
  void End() {
    if (open_) BZ2_bzDecompressEnd(&stream_);
    open_ = false;
  }
  bz_stream stream_{};
  bool open_ = false;
};

class Gzip final : public Unpacker {
 public:
  ~Gzip() override { End(); }
  bool Step(std::string_view* in, std::span<char>* out) override {
    constexpr int kGzipOnly = 16;  // added to the window's size: no other of zlib's forms
    if (!open_) SLUICE_CHECK(inflateInit2(&stream_, MAX_WBITS + kGzipOnly) == Z_OK);
    open_ = true;
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in->data()));
    stream_.avail_in = static_cast<unsigned>(in->size());
    stream_.next_out = reinterpret_cast<Bytef*>(out->data());
    stream_.avail_out = static_cast<unsigned>(out->size());
    const int result = inflate(&stream_, Z_NO_FLUSH);
    in->remove_prefix(in->size() - stream_.avail_in);
    *out = out->last(stream_.avail_out);
    if (result == Z_STREAM_END) End();
    return result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR;
  }
  bool between() const override { return !open_; }
  std::string_view name() const override { return "gzip"; }

 private:
  void End() {
    if (open_) inflateEnd(&stream_);
    open_ = false;
    stream_ = {};
  }
  z_stream stream_{};
  bool open_ = false;
};

class Zstd final : public Unpacker {
 public:
  Zstd() : stream_(ZSTD_createDStream()) { SLUICE_CHECK(stream_ != nullptr); }
  ~Zstd() override { ZSTD_freeDStream(stream_); }
  bool Step(std::string_view* in, std::span<char>* out) override {
    ZSTD_inBuffer from{in->data(), in->size(), 0};
    ZSTD_outBuffer to{out->data(), out->size(), 0};
    const size_t result = ZSTD_decompressStream(stream_, &to, &from);
    in->remove_prefix(from.pos);
    *out = out->subspan(to.pos);
    between_ = result == 0;
    return ZSTD_isError(result) == 0;
  }
  bool between() const override { return between_; }
  std::string_view name() const override { return "zstd"; }

 private:
  ZSTD_DStream* const stream_;
  bool between_ = true;
};

class UnpackedSource final : public ByteSource {
 public:
  UnpackedSource(std::unique_ptr<ByteSource> packed, std::unique_ptr<Unpacker> unpacker)
      : packed_(std::move(packed)), unpacker_(std::move(unpacker)), buffer_(kPackedBytes) {}

  Result<Chunk> Read(char* to, size_t size) override {
    SLUICE_CHECK(size > 0);
    for (;;) {
      // After a step that filled all it was given, there may be more without further input.
      if (in_.empty() && (!full_ || unpacker_->between())) {
        SLUICE_ASSIGN(const Chunk chunk, packed_->Read(buffer_.data(), buffer_.size()));
        if (chunk.state == State::kWait) return chunk;
        if (chunk.state == State::kEnd) {
          if (unpacker_->between()) return chunk;
          return Fail(Code::kCorrupt, fmt::format("the {} data ends too early", unpacker_->name()));
        }
        in_ = {buffer_.data(), chunk.bytes};
      }
      std::span<char> out(to, std::min(size, kOutputMost));
      if (!unpacker_->Step(&in_, &out)) {
        return Fail(Code::kCorrupt, fmt::format("the {} data is damaged", unpacker_->name()));
      }
      full_ = out.empty();
      const auto bytes = static_cast<size_t>(out.data() - to);
      if (bytes > 0) return Chunk{State::kBytes, bytes};
    }
  }
  int wait_fd() const override { return packed_->wait_fd(); }
  uint64_t consumed() const override { return packed_->consumed() - in_.size(); }

 private:
  std::unique_ptr<ByteSource> packed_;
  std::unique_ptr<Unpacker> unpacker_;
  std::vector<char> buffer_;
  std::string_view in_;  // of buffer_, not taken yet
  bool full_ = false;
};

// "BZh", the block size, and the magic of the first block or of the end: no text begins like this.
bool LooksLikeBzip2(std::string_view bytes) {
  constexpr std::string_view kBlock = "\x31\x41\x59\x26\x53\x59", kEnd = "\x17\x72\x45\x38\x50\x90";
  if (bytes.size() < 10 || !bytes.starts_with("BZh")) return false;
  return bytes.substr(4, 6) == kBlock || bytes.substr(4, 6) == kEnd;
}

}  // namespace

std::unique_ptr<ByteSource> Unpacked(std::string_view beginning,
                                     std::unique_ptr<ByteSource>* packed) {
  std::unique_ptr<Unpacker> unpacker;
  if (LooksLikeBzip2(beginning)) {
    unpacker = std::make_unique<Bzip2>();
  } else if (beginning.starts_with("\x1f\x8b\x08")) {
    unpacker = std::make_unique<Gzip>();
  } else if (beginning.starts_with("\x28\xb5\x2f\xfd")) {
    unpacker = std::make_unique<Zstd>();
  } else {
    return nullptr;
  }
  return std::make_unique<UnpackedSource>(std::move(*packed), std::move(unpacker));
}

std::string_view PackingOfName(std::string_view path) {
  if (path.ends_with(".bz2")) return "bzip2";
  if (path.ends_with(".gz")) return "gzip";
  return path.ends_with(".zst") ? "zstd" : "";
}

}  // namespace sluice::cli
