// Writing and reading the numbers of our formats: little-endian in logs and rows, big-endian in
// keys (where order must follow the number), varints where most numbers are small.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace sluice {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "formats are written with memcpy");

inline constexpr size_t kVarintMax = 10;  // bytes of the longest varint of 64 bits

template <class Int>
inline void StoreLe(char* to, Int value) {
  std::memcpy(to, &value, sizeof value);
}
template <class Int>
inline Int LoadLe(const char* from) {
  Int value;
  std::memcpy(&value, from, sizeof value);
  return value;
}
inline void StoreBe64(char* to, uint64_t value) {
  StoreLe(to, __builtin_bswap64(value));
}
inline uint64_t LoadBe64(const char* from) {
  return __builtin_bswap64(LoadLe<uint64_t>(from));
}
inline void StoreBe16(char* to, uint16_t value) {
  StoreLe(to, __builtin_bswap16(value));
}
inline uint16_t LoadBe16(const char* from) {
  return __builtin_bswap16(LoadLe<uint16_t>(from));
}

// Writes `value` in 1 to 10 bytes of 7 bits, least first; returns the end. Requires: kVarintMax
// room.
inline char* StoreVarint(char* to, uint64_t value) {
  while (value >= 0x80) {
    *to++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *to++ = static_cast<char>(value);
  return to;
}
constexpr size_t VarintSize(uint64_t value) {
  size_t size = 1;
  while (value >= 0x80) value >>= 7, ++size;
  return size;
}

template <class Int>
inline void AppendLe(std::string& to, Int value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}
inline void AppendBe64(std::string& to, uint64_t value) {
  AppendLe(to, __builtin_bswap64(value));
}
inline void AppendBe16(std::string& to, uint16_t value) {
  AppendLe(to, __builtin_bswap16(value));
}
inline void AppendVarint(std::string& to, uint64_t value) {
  char bytes[kVarintMax];
  to.append(bytes, StoreVarint(bytes, value) - bytes);
}
// A varint length, then the bytes.
inline void AppendSized(std::string& to, std::string_view bytes) {
  AppendVarint(to, bytes.size());
  to.append(bytes);
}

// Reads from a view it borrows. Past the end, or on a malformed varint, every read returns zero or
// empty and ok() is false from then on: decoders read everything, then ask once.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : at_(bytes.data()), end_(at_ + bytes.size()) {}

  bool ok() const { return ok_; }
  size_t left() const { return end_ - at_; }
  bool done() const { return at_ == end_; }
  std::string_view rest() const { return {at_, left()}; }

  template <class Int>
  Int Le() {
    if (!Has(sizeof(Int))) return Int{};
    at_ += sizeof(Int);
    return LoadLe<Int>(at_ - sizeof(Int));
  }
  uint64_t Be64() { return __builtin_bswap64(Le<uint64_t>()); }
  uint16_t Be16() { return __builtin_bswap16(Le<uint16_t>()); }
  uint64_t Varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (!Has(1)) return 0;
      const uint8_t byte = static_cast<uint8_t>(*at_++);
      if (shift == 63 && byte > 1) break;
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    ok_ = false;
    at_ = end_;
    return 0;
  }
  std::string_view Bytes(size_t size) {
    if (!Has(size)) return {};
    at_ += size;
    return {at_ - size, size};
  }
  std::string_view Sized() { return Bytes(Varint()); }

 private:
  bool Has(size_t size) {
    if (left() >= size) return true;
    ok_ = false;
    at_ = end_;
    return false;
  }

  const char* at_;
  const char* end_;
  bool ok_ = true;
};

}  // namespace sluice
