// The row behind a value key: a string, a small hash (all fields in the row), or the head of a
// large hash (a row per field). And the rows of once tokens and producers.
//
// Format (docs/formats/keys.md), little-endian:
//   row    type:u8 has_expire:u8 [expire_at_ms:u64] body
//   string body = the bytes
//   small  body = generation:u64 count:varint (field:sized value:sized)*
//   large  body = generation:u64 count:varint
//   A field row is the value's bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "model/ids.h"

namespace sluice::model {

enum class RowType : uint8_t { kString = 1, kSmallHash = 2, kLargeHash = 3 };

// A small hash that would pass either bound becomes large, and stays so until its key ends.
inline constexpr size_t kSmallHashFieldsMax = 128;
inline constexpr size_t kSmallHashBytesMax = 4096;

// A decoded row; views into the bytes it was decoded from.
struct RowView {
  RowType type = RowType::kString;
  uint64_t expire_at_ms = 0;  // 0: never
  Generation generation;      // hashes
  uint64_t count = 0;         // hashes: fields
  std::string_view body;      // string: the value; small hash: the fields; large hash: empty

  bool is_hash() const { return type != RowType::kString; }
};

// False if the bytes are not a row (stored data is damaged, or of a newer version).
bool DecodeRow(std::string_view bytes, RowView* row);

// Bytes of the head that stands before a string's value.
inline size_t StringHeadSize(uint64_t expire_at_ms) {
  return expire_at_ms ? 10 : 2;
}
// Writes that head; returns its end.
char* StoreStringHead(char* to, uint64_t expire_at_ms);
// Replaces `to` by a hash row: `fields` as in the small form (already encoded), empty when large.
void EncodeHash(std::string& to, RowType type, uint64_t expire_at_ms, Generation generation,
                uint64_t count, std::string_view fields);

// Walks a small hash's fields in the order they were added.
class FieldWalk {
 public:
  explicit FieldWalk(std::string_view fields) : rest_(fields) {}
  // False at the end. `at` is the field's offset in the body, `size` its bytes, head included.
  bool Next();
  std::string_view field, value;
  size_t at = 0, size = 0;

 private:
  std::string_view rest_;
  size_t next_ = 0;
};

// A once token's row and a producer's slot.
//   once      expire_at_ms:u64 digest:u64 reply
//   producer  seq:u64 digest:u64 reply
struct OnceRow {
  uint64_t number = 0;  // once: when it is forgotten (log time, ms); producer: the sequence number
  uint64_t digest = 0;  // of the command's arguments
  std::string_view reply;  // RESP2 bytes of the first reply
};
void EncodeOnce(std::string& to, const OnceRow& row);
bool DecodeOnce(std::string_view bytes, OnceRow* row);

inline constexpr uint16_t kProducerSlots = 1024;     // the last sequence numbers kept, per shard
inline constexpr size_t kOnceReplyBytesMax = 65536;  // a longer reply is not kept

}  // namespace sluice::model
