#include "model/keyspace.h"

namespace sluice::model {
namespace {

constexpr char kNumber = 0x01;  // digits:u8 digits tie:u8
constexpr char kBytes = 0x02;   // bytes with 00 written as 00 ff, then 00 01

// The size of one order-preserving segment code at the start of `bytes`; 0 if malformed.
size_t RangeCodeSize(std::string_view bytes) {
  if (bytes.size() < 3) return 0;
  if (bytes[0] == kNumber) {
    const size_t size = size_t{3} + static_cast<uint8_t>(bytes[1]);
    return size <= bytes.size() ? size : 0;
  }
  if (bytes[0] != kBytes) return 0;
  for (size_t i = 1; i + 1 < bytes.size(); ++i) {
    if (bytes[i] != 0) continue;
    if (bytes[i + 1] == 0x01) return i + 2;
    ++i;
  }
  return 0;
}

}  // namespace

size_t TokenSize(const Keyspace& keyspace, std::string_view bytes) {
  size_t at = 0;
  for (const TokenPart& part : keyspace.token) {
    switch (part.kind) {
      case TokenPartKind::kHash:
        at += 8;
        break;
      case TokenPartKind::kGeo:
        at += 2;
        break;
      case TokenPartKind::kRange:
        for (size_t i = 0; i < part.segments.size(); ++i) {
          const size_t size = at <= bytes.size() ? RangeCodeSize(bytes.substr(at)) : 0;
          if (size == 0) return 0;
          at += size;
        }
        break;
    }
    if (at > bytes.size()) return 0;
  }
  return at;
}

}  // namespace sluice::model
