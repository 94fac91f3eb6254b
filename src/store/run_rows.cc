#include "store/run_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "base/bytes.h"
#include "base/text.h"
#include "model/row.h"
#include "model/stored_key.h"
#include "store/key_order.h"

namespace sluice::store {
namespace {

// Rows in key order lie anywhere in memory: asking for them early hides most of the wait.
constexpr size_t kAhead = 24;
constexpr size_t kLine = 64;
constexpr size_t kLinesAhead = 3;  // what most rows take, with their key

void Prefetch(Buffer::Place place) {
  const char* at = reinterpret_cast<const char*>(place);
  for (size_t i = 0; i < kLinesAhead; ++i) __builtin_prefetch(at + i * kLine);
}

}  // namespace

Result<RunRows> RunRows::Of(const Run& run, Breaks& breaks) {
  RunRows rows;
  rows.buffer_ = run.buffer.get();
  if (run.buffer) SLUICE_TRY(rows.TakeRows(*run.buffer, breaks));
  std::string key, row;
  model::FormatKey(key);
  EncodeFormat(row);
  rows.meta_.emplace_back(key, row);
  for (const Position& position : run.positions) {
    model::PositionKey(key, position.lineage);
    EncodePosition(row, position);
    rows.meta_.emplace_back(key, row);
  }
  std::sort(rows.meta_.begin(), rows.meta_.end());
  rows.DeriveNext();
  return rows;
}

Status RunRows::TakeRows(const Buffer& buffer, Breaks& breaks) {
  places_.reserve(buffer.entries());
  Buffer::Mark mark;
  std::vector<Buffer::Place> read;
  for (; buffer.ReadOn(mark, &read); read.clear()) {  // in the order they lie in memory
    for (const Buffer::Place place : read) {
      breaks.DidRow(0);
      const Buffer::Hit hit = buffer.Read(place);
      if (hit.state == Buffer::Hit::State::kMiss) continue;
      places_.push_back(place);
      if (hit.state == Buffer::Hit::State::kRow) SLUICE_TRY(NoteEnding(place, hit.row));
    }
  }
  SortByKey(places_, breaks);
  std::sort(endings_.begin(), endings_.end(), [](const Ending& a, const Ending& b) {
    return std::tie(a.keyspace, a.at_ms, a.key) < std::tie(b.keyspace, b.at_ms, b.key);
  });
  return Ok();
}

Status RunRows::NoteEnding(Buffer::Place place, std::string_view bytes) {
  const std::string_view key = Buffer::KeyAt(place);
  if (key.size() < 3 || model::KindOf(key) != model::Kind::kValue) return Ok();
  model::RowView row;
  if (!model::DecodeRow(bytes, &row)) {
    return Fail(Code::kCorrupt, fmt::format("the row of key {} is damaged", Hex(key)));
  }
  if (row.expire_at_ms != 0) endings_.push_back({model::KeyspaceOf(key), row.expire_at_ms, key});
  return Ok();
}

void RunRows::DeriveNext() {
  if (next_derived_ < endings_.size()) {
    const Ending& ending = endings_[next_derived_];
    model::ExpiryKeyOfValue(derived_key_, ending.key, ending.at_ms);
  } else if (next_derived_ < endings_.size() + meta_.size()) {
    derived_key_ = meta_[next_derived_ - endings_.size()].first;
  }
}

bool RunRows::Next() {
  const bool derived_left = next_derived_ < endings_.size() + meta_.size();
  if (next_place_ < places_.size()) {
    if (next_place_ + kAhead < places_.size()) Prefetch(places_[next_place_ + kAhead]);
    const Buffer::Place place = places_[next_place_];
    key_ = Buffer::KeyAt(place);
    if (!derived_left || key_ < derived_key_) {
      const Buffer::Hit hit = buffer_->Read(place);
      row_ = hit.row;
      deleted_ = hit.state == Buffer::Hit::State::kDeleted;
      ++next_place_;
      return true;
    }
    // The sweeper may have deleted the index row of a key that was then given the same end again.
    if (key_ == derived_key_) ++next_place_;
  }
  if (!derived_left) return false;
  derived_key_now_.swap(derived_key_);
  key_ = derived_key_now_;
  const bool of_meta = next_derived_ >= endings_.size();
  row_ = of_meta ? std::string_view(meta_[next_derived_ - endings_.size()].second) : "";
  deleted_ = false;
  ++next_derived_;
  DeriveNext();
  return true;
}

void EncodePosition(std::string& to, const Position& position) {
  to.clear();
  AppendLe(to, position.seq.value);
  AppendLe(to, position.lsn.value);
}

bool DecodePosition(std::string_view key, std::string_view row, Position* position) {
  if (key.size() != 11 || model::KeyspaceOf(key) != model::kMetaKeyspace ||
      model::KindOf(key) != model::Kind::kPosition) {
    return false;
  }
  Reader reader(row);
  position->lineage = model::Lineage(LoadBe64(key.data() + 3));
  position->seq = model::ShardSeq(reader.Le<uint64_t>());
  position->lsn = model::Lsn(reader.Le<uint64_t>());
  return reader.ok() && reader.done();
}

void EncodeFormat(std::string& to) {
  to.clear();
  AppendLe(to, kStoreFormat);
}

Status CheckFormat(std::string_view row, bool has_rows) {
  if (row.empty()) {
    if (!has_rows) return Ok();
    return Fail(Code::kCorrupt, "it holds rows but not the one that names their format");
  }
  if (row.size() != sizeof(uint32_t)) return Fail(Code::kCorrupt, "its format row is damaged");
  const auto format = LoadLe<uint32_t>(row.data());
  if (format == kStoreFormat) return Ok();
  return Fail(Code::kInvalid,
              fmt::format("it has format {}; this version reads format {}", format, kStoreFormat));
}

}  // namespace sluice::store
