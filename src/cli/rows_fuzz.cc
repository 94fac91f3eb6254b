// Files to load: the pieces they are read in make no difference, and a row is good or has a reason.
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/fuzz_test.h"
#include "cli/kit_test.h"

SLUICE_FUZZ(cli_rows) {
  using namespace sluice;
  using namespace sluice::cli;
  Reader reader(bytes);
  const auto format = static_cast<Format>(reader.Le<uint8_t>() % 3);
  const size_t piece = 1 + reader.Le<uint8_t>() % 16;
  const std::vector<std::string> wanted = {"a", "b"};
  const std::string text(reader.rest());
  PieceSource whole(text, text.size() + 1), pieces(text, piece);
  const std::vector<std::string> rows = RowsOf(whole, format, wanted);
  SLUICE_CHECK(RowsOf(pieces, format, wanted) == rows);
  // Each row takes a line of its own, and a byte.
  SLUICE_CHECK(rows.size() <= text.size() + 1);
}
