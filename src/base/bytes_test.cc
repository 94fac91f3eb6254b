#include "base/bytes.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "base/prng.h"

namespace sluice {
namespace {

// Goal:   varints of every magnitude read back, take the bytes that VarintSize says, and no prefix
//         of one passes.
TEST(Varint, ReadsBackAsWritten) {
  Prng random(1);
  const auto check = [](uint64_t value) {
    char raw[kVarintMax];
    const size_t size = StoreVarint(raw, value) - raw;
    ASSERT_EQ(size, VarintSize(value));
    std::string bytes;
    AppendVarint(bytes, value);
    ASSERT_EQ(bytes, std::string_view(raw, size));
    Reader reader(bytes);
    ASSERT_EQ(reader.Varint(), value);
    ASSERT_TRUE(reader.ok() && reader.done());
    for (size_t cut = 0; cut < size; ++cut) {
      Reader part(std::string_view(bytes).substr(0, cut));
      ASSERT_EQ(part.Varint(), 0u);
      ASSERT_FALSE(part.ok());
    }
  };
  for (int bits = 0; bits < 64; ++bits) {
    const uint64_t edge = uint64_t{1} << bits;
    for (const uint64_t value : {edge - 1, edge, edge + 1, random() >> bits}) check(value);
  }
  check(std::numeric_limits<uint64_t>::max());
}

// Goal:   a varint that does not fit 64 bits is malformed, not cut.
TEST(Varint, RefusesMoreThan64Bits) {
  for (const std::string& bytes : {std::string(9, '\xff') + '\x02', std::string(10, '\x80') + '\0',
                                   std::string(9, '\x80') + '\x7f'}) {
    Reader reader(bytes);
    EXPECT_EQ(reader.Varint(), 0u);
    EXPECT_FALSE(reader.ok());
    EXPECT_EQ(reader.left(), 0u);
  }
}

// Goal:   numbers lie in memory as their names say, and big-endian ones sort as bytes.
TEST(Numbers, LieInTheOrderOfTheirName) {
  std::string bytes;
  AppendLe<uint32_t>(bytes, 0x01020304);
  AppendBe16(bytes, 0x0506);
  AppendBe64(bytes, 0x0708090a0b0c0d0e);
  EXPECT_EQ(bytes, "\x04\x03\x02\x01\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e");
  Reader reader(bytes);
  EXPECT_EQ(reader.Le<uint32_t>(), 0x01020304u);
  EXPECT_EQ(reader.Be16(), 0x0506);
  EXPECT_EQ(reader.Be64(), 0x0708090a0b0c0d0eu);
  EXPECT_TRUE(reader.ok() && reader.done());

  Prng random(2);
  for (int i = 0; i < 10000; ++i) {
    const uint64_t a = random() >> random.Below(64), b = random() >> random.Below(64);
    std::string first, second;
    AppendBe64(first, a);
    AppendBe64(second, b);
    ASSERT_EQ(a < b, first < second);
    ASSERT_EQ(LoadBe64(first.data()), a);
  }
}

// Goal:   after the first read past the end everything reads as nothing, and ok() stays false.
// Method: random reads over noise; the reader never passes the end (the sanitizers watch).
TEST(Reader, FailsOnceAndForAll) {
  Prng random(3);
  for (int round = 0; round < 20000; ++round) {
    std::string bytes(random.Below(30), 0);
    for (char& c : bytes) c = static_cast<char>(random());
    Reader reader(bytes);
    bool failed = false;
    for (int i = 0; i < 8; ++i) {
      const size_t before = reader.left();
      uint64_t number = 0;
      std::string_view view;
      switch (random.Below(6)) {
        case 0:
          number = reader.Le<uint8_t>();
          break;
        case 1:
          number = reader.Be16();
          break;
        case 2:
          number = reader.Be64();
          break;
        case 3:
          number = reader.Varint();
          break;
        case 4:
          view = reader.Sized();
          break;
        case 5:
          view =
              reader.Bytes(random.OneIn(4) ? std::numeric_limits<size_t>::max() : random.Below(12));
          break;
      }
      ASSERT_LE(reader.left(), before);
      if (failed) {
        ASSERT_FALSE(reader.ok());
      }
      failed = !reader.ok();
      if (failed) {
        ASSERT_EQ(number, 0u);
        ASSERT_TRUE(view.empty());
        ASSERT_EQ(reader.left(), 0u);
      }
      if (!view.empty()) {
        ASSERT_GE(view.data(), bytes.data());
        ASSERT_LE(view.data() + view.size(), bytes.data() + bytes.size());
      }
    }
  }
}

}  // namespace
}  // namespace sluice
