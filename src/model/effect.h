// Effects and records: what is written to the log.
//
// An effect is one change of state with its resulting values, so that applying a log again from any
// earlier position ends in the same state. A record is one write's effects, all or nothing; it may
// touch several shards of the node.
//
// Format (docs/formats/log.md):
//   record  size:varint body                      size counts the body
//   body    parts:varint part*
//   part    shard:varint size:varint effect*
//   effect  kind:u8 [writes:varint] keyspace:varint key:sized …   kind | 0x40 when `writes` follows
//     1 put value     expire_at_ms:varint value:sized
//     2 add int       expire_at_ms:varint delta:zigzag value:zigzag
//     3 patch         expire_at_ms:varint offset:varint bytes:sized    gap before offset: zeroes
//     4 delete        reason:u8 (0 deleted, 1 expired)
//     5 expire at     expire_at_ms:varint                              0: no longer expires
//     6 put fields    expire_at_ms:varint generation:u64 count:varint n:varint (field:sized
//     value:sized)* 7 add field     expire_at_ms:varint generation:u64 count:varint field:sized
//     delta:zigzag value:zigzag 8 delete fields expire_at_ms:varint generation:u64 count:varint
//     n:varint field:sized* 9 once          user:sized token:sized expire_at_ms:varint digest:u64
//     reply:sized
//    10 producer      user:sized producer:sized seq:varint digest:u64 reply:sized
//    11 clear shard   (keyspace and an empty key; all of the part's shard)
// expire_at_ms, generation and count are the state after the effect.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "model/ids.h"

namespace sluice::model {

enum class EffectKind : uint8_t {
  kPutValue = 1,
  kAddInt = 2,
  kPatch = 3,
  kDelete = 4,
  kExpireAt = 5,
  kPutFields = 6,
  kAddField = 7,
  kDeleteFields = 8,
  kOnce = 9,
  kProducer = 10,
  kClearShard = 11,
};

enum class DeleteReason : uint8_t { kDeleted = 0, kExpired = 1 };

struct Field {
  std::string_view name, value;
};

// All views are borrowed. Only the members that the kind's format names are used.
struct Effect {
  EffectKind kind = EffectKind::kPutValue;
  KeyspaceId keyspace;
  DeleteReason reason = DeleteReason::kDeleted;
  uint32_t writes = 1;  // client writes folded into this effect
  std::string_view key;
  uint64_t expire_at_ms = 0;
  std::string_view
      value;  // value; patch: bytes; add field: the field's name; once, producer: reply
  int64_t delta = 0, number = 0;  // add int, add field: the change and the result
  uint64_t offset = 0;            // patch: offset; producer: seq
  Generation generation;
  uint64_t count = 0;             // fields after the effect
  std::span<const Field> fields;  // put fields; delete fields use the names only
  std::string_view user, token;   // once: token; producer: its name
  uint64_t digest = 0;
};

void AppendEffect(std::string& to, const Effect& effect);

// Reads one effect; its views point into the reader's bytes, its fields into `scratch`.
// False if the bytes are not an effect.
bool ReadEffect(Reader& reader, Effect* effect, std::vector<Field>* scratch);

// One part of a record: the effects on one shard.
struct RecordPart {
  ShardId shard;
  std::string_view effects;
};

// Appends a record of one part (the common case) or of several to `to`.
void AppendRecord(std::string& to, ShardId shard, std::string_view effects);
void AppendRecord(std::string& to, std::span<const RecordPart> parts);

// Takes the next record off the reader and its parts apart. False if the bytes are not a record.
bool ReadRecord(Reader& reader, std::vector<RecordPart>* parts);

inline uint64_t ZigZag(int64_t v) {
  return (static_cast<uint64_t>(v) << 1) ^ static_cast<uint64_t>(v >> 63);
}
inline int64_t UnZigZag(uint64_t v) {
  return static_cast<int64_t>(v >> 1) ^ -static_cast<int64_t>(v & 1);
}

}  // namespace sluice::model
