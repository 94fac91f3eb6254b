// The rows in which a store speaks of itself: positions and its format.
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/fuzz_test.h"
#include "model/stored_key.h"
#include "store/run_rows.h"

SLUICE_FUZZ(store_meta) {
  using namespace sluice;
  using namespace sluice::store;
  Reader reader(bytes);
  const std::string_view key = TakePiece(reader, 16);
  const std::string_view row = reader.rest();
  Position position;
  if (DecodePosition(key, row, &position)) {
    std::string key_again, row_again;
    model::PositionKey(key_again, position.lineage);
    EncodePosition(row_again, position);
    SLUICE_CHECK(key_again == key && row_again == row);
  }
  if (CheckFormat(row, true).ok()) {
    std::string format;
    EncodeFormat(format);
    SLUICE_CHECK(row == format);
  }
}
