// Rows as the store holds them: values, hashes, once tokens.
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/fuzz_test.h"
#include "model/row.h"

namespace sluice::model {
namespace {

void CheckRow(const RowView& row) {
  std::string written;
  if (row.is_hash()) {
    EncodeHash(written, row.type, row.expire_at_ms, row.generation, row.count, row.body);
  } else {
    written.resize(StringHeadSize(row.expire_at_ms));
    SLUICE_CHECK(StoreStringHead(written.data(), row.expire_at_ms) ==
                 written.data() + written.size());
    written += row.body;
  }
  RowView again;
  SLUICE_CHECK(DecodeRow(written, &again));
  SLUICE_CHECK(again.type == row.type && again.expire_at_ms == row.expire_at_ms);
  SLUICE_CHECK(again.generation == row.generation && again.count == row.count);
  SLUICE_CHECK(again.body == row.body);
}

void CheckFields(std::string_view body) {
  FieldWalk walk(body);
  size_t end = 0;
  while (walk.Next()) {
    SLUICE_CHECK(walk.at == end && walk.size > walk.field.size() + walk.value.size());
    end += walk.size;
    SLUICE_CHECK(end <= body.size());
  }
}

}  // namespace
}  // namespace sluice::model

SLUICE_FUZZ(model_rows) {
  using namespace sluice;
  using namespace sluice::model;
  RowView row;
  if (DecodeRow(bytes, &row)) {
    CheckRow(row);
    CheckFields(row.body);
  }
  OnceRow once;
  if (!DecodeOnce(bytes, &once)) return;
  std::string written;
  EncodeOnce(written, once);
  SLUICE_CHECK(written == bytes);
}
