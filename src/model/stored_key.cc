#include "model/stored_key.h"

#include "base/check.h"

namespace sluice::model {
namespace {

void Begin(std::string& to, KeyspaceId keyspace, Kind kind) {
  to.resize(3);
  StoreBe16(to.data(), keyspace.value);
  to[2] = static_cast<char>(kind);
}

void AppendKey(std::string& to, std::string_view token, std::string_view key) {
  SLUICE_CHECK(key.size() <= kKeyBytesMax);
  to.append(token);
  AppendBe16(to, static_cast<uint16_t>(key.size()));
  to.append(key);
}

}  // namespace

void ValueKey(std::string& to, KeyspaceId keyspace, std::string_view token, std::string_view key) {
  Begin(to, keyspace, Kind::kValue);
  AppendKey(to, token, key);
}

void FieldPrefix(std::string& to, KeyspaceId keyspace, std::string_view token, std::string_view key,
                 Generation generation) {
  Begin(to, keyspace, Kind::kField);
  AppendKey(to, token, key);
  AppendBe64(to, generation.value);
}

void ExpiryKey(std::string& to, KeyspaceId keyspace, uint64_t expire_at_ms, std::string_view token,
               std::string_view key) {
  Begin(to, keyspace, Kind::kExpiry);
  AppendBe64(to, expire_at_ms);
  AppendKey(to, token, key);
}

void ExpiryKeyOfValue(std::string& to, std::string_view value_key, uint64_t expire_at_ms) {
  SLUICE_CHECK(value_key.size() > 3 && KindOf(value_key) == Kind::kValue);
  Begin(to, KeyspaceOf(value_key), Kind::kExpiry);
  AppendBe64(to, expire_at_ms);
  to.append(value_key.substr(3));
}

void OnceKey(std::string& to, KeyspaceId keyspace, std::string_view token, std::string_view key,
             std::string_view user, std::string_view once_token) {
  Begin(to, keyspace, Kind::kOnce);
  AppendKey(to, token, key);
  AppendSized(to, user);
  to.append(once_token);
}

void ProducerKey(std::string& to, KeyspaceId keyspace, std::string_view shard_begin,
                 std::string_view user, std::string_view producer, uint16_t slot) {
  Begin(to, keyspace, Kind::kProducer);
  AppendKey(to, shard_begin, {});
  AppendSized(to, user);
  AppendSized(to, producer);
  AppendBe16(to, slot);
}

void PositionKey(std::string& to, Lineage lineage) {
  Begin(to, kMetaKeyspace, Kind::kPosition);
  AppendBe64(to, lineage.value);
}

void FormatKey(std::string& to) {
  Begin(to, kMetaKeyspace, Kind::kFormat);
}

void KindPrefix(std::string& to, KeyspaceId keyspace, Kind kind, std::string_view token) {
  Begin(to, keyspace, kind);
  to.append(token);
}

std::string PrefixEnd(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && static_cast<uint8_t>(end.back()) == 0xff) end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(static_cast<uint8_t>(end.back()) + 1);
  return end;
}

bool SplitStoredKey(const Keyspace& keyspace, std::string_view stored, StoredKeyParts* parts) {
  if (stored.size() < 3 || KeyspaceOf(stored) != keyspace.id) return false;
  Reader reader(stored.substr(3));
  parts->expire_at_ms = KindOf(stored) == Kind::kExpiry ? reader.Be64() : 0;
  const size_t token_size = TokenSize(keyspace, reader.rest());
  if (token_size == 0) return false;
  parts->token = reader.Bytes(token_size);
  parts->key = reader.Bytes(reader.Be16());
  parts->rest = reader.rest();
  if (!reader.ok()) return false;
  switch (KindOf(stored)) {
    case Kind::kValue:
    case Kind::kExpiry:
      return parts->rest.empty();
    case Kind::kField:
      return parts->rest.size() >= sizeof(Generation);
    case Kind::kOnce:
    case Kind::kProducer:
      return !parts->rest.empty();
    case Kind::kPosition:
    case Kind::kFormat:
      return false;
  }
  return false;
}

}  // namespace sluice::model
