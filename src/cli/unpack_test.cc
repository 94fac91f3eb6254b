#include "cli/unpack.h"

#include <bzlib.h>
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <string>

#include "base/prng.h"

namespace sluice::cli {
namespace {

// Bytes that come in pieces of any size, and sometimes not at once.
class Pieces final : public ByteSource {
 public:
  Pieces(std::string bytes, uint64_t seed) : bytes_(std::move(bytes)), prng_(seed) {}
  Result<Chunk> Read(char* to, size_t size) override {
    if (prng_.OneIn(4)) return Chunk{State::kWait};
    if (at_ == bytes_.size()) return Chunk{State::kEnd};
    const size_t take = std::min({size, bytes_.size() - at_, size_t{1} + prng_() % 5'000});
    bytes_.copy(to, take, at_);
    at_ += take;
    return Chunk{State::kBytes, take};
  }
  int wait_fd() const override { return -1; }
  uint64_t consumed() const override { return at_; }

 private:
  const std::string bytes_;
  Prng prng_;
  size_t at_ = 0;
};

std::string Bzip2(const std::string& text) {
  std::string packed(text.size() + text.size() / 50 + 1'000, '\0');
  auto size = static_cast<unsigned>(packed.size());
  EXPECT_EQ(BZ2_bzBuffToBuffCompress(packed.data(), &size, const_cast<char*>(text.data()),
                                     static_cast<unsigned>(text.size()), 1, 0, 0),
            BZ_OK);
  packed.resize(size);
  return packed;
}

std::string Gzip(const std::string& text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string packed(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<unsigned>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<unsigned>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

std::string Zstd(const std::string& text) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
  std::string packed(ZSTD_compressBound(text.size()), '\0');
  packed.resize(ZSTD_compress2(context, packed.data(), packed.size(), text.data(), text.size()));
  ZSTD_freeCCtx(context);
  return packed;
}

// The text, or what was wrong.
Result<std::string> Read(const std::string& packed, uint64_t seed) {
  std::unique_ptr<ByteSource> bytes = std::make_unique<Pieces>(packed, seed);
  std::unique_ptr<ByteSource> unpacked = Unpacked(packed, &bytes);
  if (unpacked == nullptr) return Fail(Code::kNotFound, "not compressed");
  Prng prng(seed + 1);
  std::string text, piece;
  for (;;) {
    piece.resize(1 + prng() % 4'000);
    SLUICE_ASSIGN(const ByteSource::Chunk chunk, unpacked->Read(piece.data(), piece.size()));
    if (chunk.state == ByteSource::State::kEnd) return text;
    if (chunk.state == ByteSource::State::kBytes) text.append(piece, 0, chunk.bytes);
  }
}

std::string Text(size_t bytes, uint64_t seed) {
  Prng prng(seed);
  std::string text;
  while (text.size() < bytes) text += "row " + std::to_string(prng() % 1'000) + "\n";
  text.resize(bytes);
  return text;
}

struct Kind {
  const char* name;
  std::string (*pack)(const std::string&);
};
constexpr Kind kKinds[] = {{"bzip2", Bzip2}, {"gzip", Gzip}, {"zstd", Zstd}};

// Goal:   any text comes out as it went in, however its bytes arrive; also of several streams.
// Method: texts of many sizes, small and past every buffer; pieces and reads drawn at random.
TEST(Unpack, GivesBackTheText) {
  for (const Kind& kind : kKinds) {
    for (const size_t size : {0, 1, 100, 4'000, 300'000, 2'000'000}) {
      const std::string text = Text(size, size);
      const auto one = Read(kind.pack(text), size);
      ASSERT_TRUE(one.has_value()) << kind.name << ' ' << one.error().message;
      EXPECT_TRUE(*one == text) << kind.name << ' ' << size;
      const auto two = Read(kind.pack(text) + kind.pack("") + kind.pack("more"), size);
      ASSERT_TRUE(two.has_value()) << kind.name << ' ' << two.error().message;
      EXPECT_TRUE(*two == text + "more") << kind.name << ' ' << size;
    }
  }
}

// Goal:   what is cut off or damaged never passes for a whole text.
// Method: every length of a compressed text; every byte changed; rubbish behind the end.
TEST(Unpack, ToldWhenItIsNotWhole) {
  const std::string text = Text(3'000, 7);
  for (const Kind& kind : kKinds) {
    const std::string packed = kind.pack(text);
    for (size_t size = 10; size < packed.size(); ++size) {
      const auto cut = Read(packed.substr(0, size), size);
      ASSERT_FALSE(cut.has_value()) << kind.name << " cut at " << size;
      EXPECT_EQ(cut.error().code, Code::kCorrupt);
      EXPECT_EQ(cut.error().message, std::string("the ") + kind.name + " data ends too early");
    }
    for (size_t at = 10; at < packed.size(); ++at) {
      std::string damaged = packed;
      damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
      const auto read = Read(damaged, at);
      if (read.has_value()) {
        EXPECT_EQ(*read, text) << kind.name << " byte " << at;
      } else {
        EXPECT_EQ(read.error().code, Code::kCorrupt);
      }
    }
    const auto rubbish = Read(packed + "rubbish behind it", 1);
    ASSERT_FALSE(rubbish.has_value()) << kind.name;
    EXPECT_EQ(rubbish.error().message, std::string("the ") + kind.name + " data is damaged");
  }
}

// Goal:   text is not taken for compressed.
// Method: beginnings that nearly are.
TEST(Unpack, LeavesTextAlone) {
  for (const char* text : {"", "id,x\n1,2\n", "BZh91AY&S", "BZhello", "\x1f\x8b", "\x28\xb5\x2f"}) {
    EXPECT_FALSE(Read(text, 1).has_value()) << text;
  }
}

}  // namespace
}  // namespace sluice::cli
