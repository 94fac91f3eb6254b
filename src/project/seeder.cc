#include "project/seeder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "model/stored_key.h"
#include "project/collapser.h"

namespace sluice::project {
namespace {

std::string Shown(const Row& row) {
  return row.key ? fmt::format("\"{}\"", *row.key)
                 : fmt::format("(\"{}\")", fmt::join(row.segments, "\", \""));
}

SeedWriter::Words WriteOf(const Row& row, std::string key) {
  if (row.value) return {"SET", std::move(key), *row.value};
  SeedWriter::Words words = {"HSET", std::move(key)};
  for (const auto& [field, value] : row.fields) {
    words.push_back(field);
    words.push_back(value);
  }
  return words;
}

// Of all words; none: a client could not send it.
std::optional<size_t> BytesOf(const SeedWriter::Words& words) {
  size_t bytes = 0;
  for (const std::string& word : words) {
    if (word.size() > kSeedValueBytesMax) return std::nullopt;
    bytes += word.size();
  }
  if (bytes > kSeedRowBytesMax) return std::nullopt;
  return bytes;
}

Failure Refused(const std::string& row, std::string_view why) {
  return Fail(Code::kInvalid,
              fmt::format("adopt: the row {} of the table is refused: {}; change or "
                          "delete it, then resume the projection",
                          row, why));
}

}  // namespace

// The key that the row is of, if it is one of the keyspace's and no other row's.
Result<std::string> Seeder::KeyOfRow(const Row& row) const {
  const model::Keyspace& keyspace = source_.keyspace;
  std::string key = row.key ? *row.key : KeyOf(keyspace, row.segments), token;
  const bool placed = key.size() <= model::kKeyBytesMax && source_.token(key, &token);
  if (placed && (row.key || WholeValue(keyspace, key, "").segments == row.segments)) return key;
  return Fail(Code::kInvalid,
              fmt::format("adopt: the row {} of the table cannot be a key of keyspace {}{}; change "
                          "or delete it, then resume the projection",
                          Shown(row), keyspace.name,
                          keyspace.key.text.empty() ? "" : " (" + keyspace.key.text + ")"));
}

Status Seeder::Read(Sink& sink) {
  SLUICE_ASSIGN(const std::vector<Row> rows, sink.ReadRows(place_, most_));
  if (rows.empty()) {
    ended_ = true;
    return Ok();
  }
  Page page;
  page.begins = place_;
  page.ends = rows.back().place;
  size_t bytes = 0;
  for (const Row& row : rows) {
    SLUICE_ASSIGN(std::string key, KeyOfRow(row));
    if (!row.value && row.fields.empty()) {
      ++page.empty;
      continue;
    }
    page.writes.push_back(WriteOf(row, std::move(key)));
    page.shown.push_back(Shown(row));
    const auto more = BytesOf(page.writes.back());
    if (!more) return Refused(page.shown.back(), "a value has more than 16 MiB, or all 64 MiB");
    bytes += *more;
  }
  place_ = page.ends;
  const size_t goal = rows.size() * kSeedBytesGoal / std::max<size_t>(bytes, 1);
  most_ = std::clamp<size_t>(std::min(goal, most_ * 8), 1, kSeedRowsMax);
  next_ = std::move(page);
  return Ok();
}

Status Seeder::TakeOutcome() {
  std::optional<SeedWriter::Outcome> outcome = writer_.Take();
  if (!outcome) return Ok();
  begun_ = false;
  why_.clear();
  if (outcome->at && outcome->error.code == Code::kUnavailable) {
    why_ = std::move(outcome->error.message);  // the whole page again: what is there is left
    return Ok();
  }
  const Page page = *std::exchange(under_, std::nullopt);
  if (outcome->at) {
    place_ = page.begins;
    next_.reset();
    ended_ = false;
    return Refused(page.shown[*outcome->at], outcome->error.message);
  }
  written_ += outcome->written;
  there_ += outcome->there;
  empty_ += page.empty;
  return Ok();
}

Result<bool> Seeder::Step(Sink& sink) {
  if (phase_ == Phase::kRows) {
    if (begun_) SLUICE_TRY(TakeOutcome());
    if (!begun_) {
      if (!under_) under_ = std::exchange(next_, std::nullopt);
      if (under_) {
        writer_.Begin(under_->writes);
        begun_ = true;
      }
    }
    // While the lanes write one page, the sink is asked for the next.
    if (!next_ && !ended_) SLUICE_TRY(Read(sink));
    if (under_ || next_ || !ended_) return false;
    writer_.BeginStore();
    phase_ = Phase::kStore;
  }
  if (phase_ == Phase::kStore && writer_.Stored()) phase_ = Phase::kDone;
  return done();
}

}  // namespace sluice::project
