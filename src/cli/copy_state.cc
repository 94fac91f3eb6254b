#include "cli/copy_state.h"

#include "base/bytes.h"

namespace sluice::cli {
namespace {

constexpr uint64_t kVersion = 1;

void AppendKey(std::string& to, const CopyKey& key) {
  AppendSized(to, key.name);
  to += key.kind;
  AppendVarint(to, key.expire_at_ms);
}

CopyKey TakeKey(Reader& reader) {
  CopyKey key;
  key.name = reader.Sized();
  key.kind = reader.Le<char>();
  key.expire_at_ms = reader.Varint();
  return key;
}

void AppendKeys(std::string& to, const std::vector<CopyKey>& keys) {
  AppendVarint(to, keys.size());
  for (const CopyKey& key : keys) AppendKey(to, key);
}

std::vector<CopyKey> TakeKeys(Reader& reader) {
  std::vector<CopyKey> keys;
  for (uint64_t left = reader.Varint(); left > 0 && reader.ok(); --left) {
    keys.push_back(TakeKey(reader));
  }
  return keys;
}

}  // namespace

std::string CopyState::Encode() const {
  std::string to;
  AppendVarint(to, kVersion);
  AppendSized(to, cursor);
  AppendVarint(to, later.size());
  for (const std::string& name : later) AppendSized(to, name);
  AppendKeys(to, large);
  AppendVarint(to, page);
  AppendKeys(to, items);
  AppendKey(to, hash);
  AppendSized(to, hash_cursor);
  AppendVarint(to, uint64_t{scanned} | uint64_t{first} << 1 | uint64_t{each} << 2);
  for (const uint64_t count :
       {counts.read, counts.rejected, counts.vanished, counts.rejects_bytes}) {
    AppendVarint(to, count);
  }
  return to;
}

bool CopyState::Decode(std::string_view bytes) {
  Reader reader(bytes);
  if (reader.Varint() != kVersion) return false;
  cursor = reader.Sized();
  later.clear();
  for (uint64_t left = reader.Varint(); left > 0 && reader.ok(); --left) {
    later.emplace_back(reader.Sized());
  }
  large = TakeKeys(reader);
  page = reader.Varint();
  items = TakeKeys(reader);
  hash = TakeKey(reader);
  hash_cursor = reader.Sized();
  const uint64_t flags = reader.Varint();
  scanned = flags & 1;
  first = flags & 2;
  each = flags & 4;
  for (uint64_t* count :
       {&counts.read, &counts.rejected, &counts.vanished, &counts.rejects_bytes}) {
    *count = reader.Varint();
  }
  return reader.ok() && reader.done();
}

}  // namespace sluice::cli
