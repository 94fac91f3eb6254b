// What the tests of this room share: a text given out in pieces, and the rows that come of it.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/load_input.h"
#include "cli/row_source.h"

namespace sluice::cli {

// Gives a text out in pieces of at most `piece` bytes, with a kWait before each when `waits`.
class PieceSource final : public ByteSource {
 public:
  PieceSource(std::string text, size_t piece, bool waits = false)
      : text_(std::move(text)), piece_(piece), waits_(waits) {}

  Result<Chunk> Read(char* to, size_t size) override {
    if (waits_ && (waited_ = !waited_)) return Chunk{State::kWait};
    const size_t take = std::min({size, piece_, text_.size() - at_});
    if (take == 0) return Chunk{State::kEnd};
    std::memcpy(to, text_.data() + at_, take);
    at_ += take;
    return Chunk{State::kBytes, take};
  }
  int wait_fd() const override { return -1; }
  uint64_t consumed() const override { return at_; }

 private:
  const std::string text_;
  const size_t piece_;
  const bool waits_;
  bool waited_ = false;
  size_t at_ = 0;
};

// Each row as "line|cell|cell", or "line!reason|raw".
inline std::vector<std::string> RowsOf(ByteSource& bytes, Format format,
                                       std::vector<std::string> wanted) {
  const size_t cells = wanted.size();
  std::vector<std::string> rows;
  Result<std::unique_ptr<RowSource>> source = OpenRows(bytes, format, std::move(wanted));
  if (!source.has_value()) return {"refused: " + source.error().message};
  Row row;
  for (;;) {
    const Result<RowSource::State> state = (*source)->Next(&row);
    if (!state.has_value()) {
      rows.push_back("failed: " + state.error().message);
      return rows;
    }
    if (*state == RowSource::State::kEnd) return rows;
    if (*state == RowSource::State::kWait) continue;
    std::string text = std::to_string(row.line);
    if (!row.error.empty()) {
      text += "!" + row.error + "|" + row.raw;
    } else {
      for (size_t i = 0; i < cells; ++i) text += "|" + std::string(row.cell(i));
    }
    rows.push_back(text);
  }
}

}  // namespace sluice::cli
