// Keys as the store orders them: what is taken apart is put together as the same key.
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/fuzz_test.h"
#include "model/stored_key.h"

namespace sluice::model {
namespace {

constexpr size_t kShapes = 4;

// Keyspace 0 with each shape that tokens can have.
Keyspace OfShape(size_t shape) {
  Keyspace keyspace;
  if (shape >= 2) keyspace.token.push_back({TokenPartKind::kGeo, {0}});
  if (shape % 2 == 0) {
    keyspace.token.push_back({TokenPartKind::kHash, {1}});
  } else {
    keyspace.token.push_back({TokenPartKind::kRange, {1, 2}});
  }
  return keyspace;
}

void CheckParts(std::string_view stored, const StoredKeyParts& parts) {
  const KeyspaceId keyspace = KeyspaceOf(stored);
  std::string written;
  switch (KindOf(stored)) {
    case Kind::kValue:
      ValueKey(written, keyspace, parts.token, parts.key);
      break;
    case Kind::kExpiry: {
      std::string value, index;
      ExpiryKey(written, keyspace, parts.expire_at_ms, parts.token, parts.key);
      ValueKey(value, keyspace, parts.token, parts.key);
      ExpiryKeyOfValue(index, value, parts.expire_at_ms);
      SLUICE_CHECK(index == written);
      break;
    }
    case Kind::kField:
      FieldPrefix(written, keyspace, parts.token, parts.key,
                  Generation(LoadBe64(parts.rest.data())));
      written += parts.rest.substr(sizeof(Generation));
      break;
    default:
      // Once tokens and producers: what follows the key is for people only.
      ValueKey(written, keyspace, parts.token, parts.key);
      written[2] = stored[2];
      written += parts.rest;
  }
  SLUICE_CHECK(written == stored);
}

}  // namespace
}  // namespace sluice::model

SLUICE_FUZZ(model_stored_keys) {
  using namespace sluice;
  using namespace sluice::model;
  Reader reader(bytes);
  const Keyspace keyspace = OfShape(reader.Le<uint8_t>() % kShapes);
  const std::string_view stored = reader.rest();
  StoredKeyParts parts;
  if (SplitStoredKey(keyspace, stored, &parts)) CheckParts(stored, parts);
  const std::string end = PrefixEnd(stored);
  SLUICE_CHECK(end.empty() || (end > stored && !end.starts_with(stored)));
}
