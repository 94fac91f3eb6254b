// Keys as the store orders them: keyspace · kind · token · key · generation · field.
//
// A shard is one contiguous range per kind, so a cut takes everything along. Only the expiry index
// is ordered by time.
//
// Format:  docs/formats/keys.md
//   value     ks:be16 'v' token klen:be16 key
//   field     ks:be16 'f' token klen:be16 key generation:be64 field
//   expiry    ks:be16 'x' expire_at_ms:be64 token klen:be16 key
//   once      ks:be16 'o' token klen:be16 key user:sized once_token
//   producer  ks:be16 'p' token-of-shard-begin klen:be16=0 user:sized producer:sized slot:be16
//   position  0xffff  'P' lineage:be64
//   format    0xffff  'V'
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "model/ids.h"
#include "model/keyspace.h"

namespace sluice::model {

inline constexpr size_t kKeyBytesMax = 60'000;  // a longer client key is refused with an error

// Kinds beyond these are reserved: 'h' history, 's' stream entry, 'g' consumer group, 'n' pending
// entry, 'l' lock, 'c' read-model contribution, 'm' copied marker.
enum class Kind : uint8_t {
  kValue = 'v',
  kField = 'f',
  kExpiry = 'x',
  kOnce = 'o',
  kProducer = 'p',
  kPosition = 'P',
  kFormat = 'V',
};

inline constexpr KeyspaceId kMetaKeyspace{0xffff};  // rows about the store itself

// Each replaces the content of `to`, so that one string serves many keys.
void ValueKey(std::string& to, KeyspaceId keyspace, std::string_view token, std::string_view key);
// The prefix that all fields of one generation share; append the field for one of them.
void FieldPrefix(std::string& to, KeyspaceId keyspace, std::string_view token, std::string_view key,
                 Generation generation);
void ExpiryKey(std::string& to, KeyspaceId keyspace, uint64_t expire_at_ms, std::string_view token,
               std::string_view key);
// The same, made from the value's key.
void ExpiryKeyOfValue(std::string& to, std::string_view value_key, uint64_t expire_at_ms);
void OnceKey(std::string& to, KeyspaceId keyspace, std::string_view token, std::string_view key,
             std::string_view user, std::string_view once_token);
void ProducerKey(std::string& to, KeyspaceId keyspace, std::string_view shard_begin,
                 std::string_view user, std::string_view producer, uint16_t slot);
void PositionKey(std::string& to, Lineage lineage);
void FormatKey(std::string& to);

// `ks kind token`: where a shard's range of that kind begins (empty token: all of the kind).
void KindPrefix(std::string& to, KeyspaceId keyspace, Kind kind, std::string_view token);
// The least key greater than every key with this prefix; empty if there is none.
std::string PrefixEnd(std::string_view prefix);

inline KeyspaceId KeyspaceOf(std::string_view stored) {
  return KeyspaceId(LoadBe16(stored.data()));
}
inline Kind KindOf(std::string_view stored) {
  return static_cast<Kind>(stored[2]);
}

// What a value, field, once or expiry key is made of; views into `stored`.
struct StoredKeyParts {
  std::string_view token, key;
  std::string_view rest;      // what follows the key
  uint64_t expire_at_ms = 0;  // kExpiry only
};
// False if `stored` is not such a key of this keyspace.
bool SplitStoredKey(const Keyspace& keyspace, std::string_view stored, StoredKeyParts* parts);

}  // namespace sluice::model
