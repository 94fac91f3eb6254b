#include "model/row.h"

#include "base/bytes.h"

namespace sluice::model {

bool DecodeRow(std::string_view bytes, RowView* row) {
  Reader reader(bytes);
  const uint8_t type = reader.Le<uint8_t>();
  const uint8_t has_expire = reader.Le<uint8_t>();
  if (type < 1 || type > 3 || has_expire > 1) return false;
  row->type = static_cast<RowType>(type);
  row->expire_at_ms = has_expire ? reader.Le<uint64_t>() : 0;
  row->generation = Generation();
  row->count = 0;
  if (row->is_hash()) {
    row->generation = Generation(reader.Le<uint64_t>());
    row->count = reader.Varint();
  }
  row->body = reader.rest();
  return reader.ok() && (row->type != RowType::kLargeHash || row->body.empty());
}

char* StoreStringHead(char* to, uint64_t expire_at_ms) {
  *to++ = static_cast<char>(RowType::kString);
  *to++ = expire_at_ms ? 1 : 0;
  if (expire_at_ms) {
    StoreLe(to, expire_at_ms);
    to += 8;
  }
  return to;
}

void EncodeHash(std::string& to, RowType type, uint64_t expire_at_ms, Generation generation,
                uint64_t count, std::string_view fields) {
  to.clear();
  to.push_back(static_cast<char>(type));
  to.push_back(expire_at_ms ? 1 : 0);
  if (expire_at_ms) AppendLe(to, expire_at_ms);
  AppendLe(to, generation.value);
  AppendVarint(to, count);
  to.append(fields);
}

bool FieldWalk::Next() {
  if (rest_.empty()) return false;
  Reader reader(rest_);
  field = reader.Sized();
  value = reader.Sized();
  if (!reader.ok()) return false;
  at = next_;
  size = rest_.size() - reader.left();
  next_ += size;
  rest_ = reader.rest();
  return true;
}

void EncodeOnce(std::string& to, const OnceRow& row) {
  to.clear();
  AppendLe(to, row.number);
  AppendLe(to, row.digest);
  to.append(row.reply);
}

bool DecodeOnce(std::string_view bytes, OnceRow* row) {
  Reader reader(bytes);
  row->number = reader.Le<uint64_t>();
  row->digest = reader.Le<uint64_t>();
  row->reply = reader.rest();
  return reader.ok();
}

}  // namespace sluice::model
