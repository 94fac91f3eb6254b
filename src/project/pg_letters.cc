#include "project/pg_letters.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <string_view>
#include <utility>

#include "project/pg_text.h"

namespace sluice::project {
namespace {

// By Change::Kind.
constexpr std::array<std::string_view, 4> kKindNames = {"value", "fields", "deleted", "expired"};

constexpr std::string_view kColumns =
    "id, at, reason, key_bytes, kind, whole, value_bytes, delta, added, segments, field_names, "
    "field_values, field_deltas, field_added, writes, lineage, seq, time_ms";

// Numbers of 64 bits without a sign are kept in a bigint, bit for bit.
std::string Number(uint64_t number) {
  return std::to_string(static_cast<int64_t>(number));
}

// Reads a row's values in turn; after one that is not what it should be, ok() is false.
class RowReader {
 public:
  explicit RowReader(const PgRow& row) : row_(row) {}

  bool ok() const { return ok_; }

  int64_t Int() {
    const std::string text = Next();
    int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    ok_ = ok_ && error == std::errc() && end == text.data() + text.size();
    return number;
  }
  uint64_t Unsigned() { return static_cast<uint64_t>(Int()); }
  bool Bool() { return Next() == "t"; }
  std::string Text() { return Next(); }
  std::string Bytes() {
    std::optional<std::string> bytes = ParsePgBytes(Next());
    ok_ = ok_ && bytes.has_value();
    return std::move(bytes).value_or("");
  }
  std::vector<std::optional<std::string>> Array() {
    PgElements elements = ParsePgArray(Next());
    ok_ = ok_ && elements.has_value();
    return elements.has_value() ? *std::move(elements) : std::vector<std::optional<std::string>>();
  }
  std::vector<std::optional<std::string>> BytesArray() {
    auto elements = Array();
    for (auto& element : elements) {
      if (!element.has_value()) continue;
      element = ParsePgBytes(*element);
      ok_ = ok_ && element.has_value();
    }
    return elements;
  }
  void Fail() { ok_ = false; }

 private:
  std::string Next() {
    ok_ = ok_ && at_ < row_.size() && row_[at_].has_value();
    return ok_ ? *row_[at_++] : std::string();
  }

  const PgRow& row_;
  size_t at_ = 0;
  bool ok_ = true;
};

void ReadFields(RowReader& reader, Change& change) {
  auto names = reader.BytesArray();
  auto values = reader.BytesArray();
  const auto deltas = reader.Array();
  const auto added = reader.Array();
  if (names.size() != values.size() || names.size() != deltas.size() ||
      names.size() != added.size()) {
    return reader.Fail();
  }
  for (size_t i = 0; i < names.size(); ++i) {
    FieldChange& field = change.fields.emplace_back();
    field.name = std::move(names[i]).value_or("");
    field.value = std::move(values[i]);
    PgRow one = {deltas[i]};
    RowReader delta(one);
    field.delta = delta.Int();
    field.added = added[i] == "t";
    if (!delta.ok()) reader.Fail();
  }
}

}  // namespace

std::string CreateLetterTable(const std::string& table, const std::string& projections) {
  return fmt::format(
      "CREATE TABLE IF NOT EXISTS {} "
      "(projection text NOT NULL REFERENCES {} ON DELETE CASCADE, id bigint NOT NULL, "
      "at timestamptz NOT NULL, reason text NOT NULL, key text, key_bytes bytea NOT NULL, "
      "kind text NOT NULL, whole boolean NOT NULL, value text, value_bytes bytea NOT NULL, "
      "delta bigint NOT NULL, added boolean NOT NULL, segments bytea[] NOT NULL, "
      "field_names bytea[] NOT NULL, field_values bytea[] NOT NULL, "
      "field_deltas bigint[] NOT NULL, field_added boolean[] NOT NULL, writes bigint NOT NULL, "
      "lineage bigint NOT NULL, seq bigint NOT NULL, time_ms bigint NOT NULL, "
      "PRIMARY KEY (projection, id))",
      table, projections);
}

PgStatement AddLetter(const std::string& table, const std::string& projection,
                      const DeadLetter& letter) {
  const Change& change = letter.change;
  PgArray segments, names, values, deltas, added;
  for (const std::string& segment : change.segments) segments.AddBytes(segment);
  for (const FieldChange& field : change.fields) {
    names.AddBytes(field.name);
    field.value.has_value() ? values.AddBytes(*field.value) : values.AddNull();
    deltas.AddNumber(field.delta);
    added.Add(field.added ? "t" : "f");
  }
  const auto shown = [](const std::string& bytes) {
    return IsPgText(bytes) ? std::optional<std::string>(bytes) : std::nullopt;
  };
  const auto flag = [](bool set) { return std::string(set ? "t" : "f"); };
  PgStatement statement;
  statement.name = "sluice_letter";
  statement.sql = fmt::format(
      "INSERT INTO {} (projection, key, value, {}) VALUES ($1, $2, $3, $4, $5::timestamptz, $6, "
      "$7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21) "
      "ON CONFLICT (projection, id) DO UPDATE SET at = EXCLUDED.at, reason = EXCLUDED.reason, "
      "key = EXCLUDED.key, key_bytes = EXCLUDED.key_bytes, kind = EXCLUDED.kind, "
      "whole = EXCLUDED.whole, value = EXCLUDED.value, value_bytes = EXCLUDED.value_bytes, "
      "delta = EXCLUDED.delta, added = EXCLUDED.added, segments = EXCLUDED.segments, "
      "field_names = EXCLUDED.field_names, field_values = EXCLUDED.field_values, "
      "field_deltas = EXCLUDED.field_deltas, field_added = EXCLUDED.field_added, "
      "writes = EXCLUDED.writes, lineage = EXCLUDED.lineage, seq = EXCLUDED.seq, "
      "time_ms = EXCLUDED.time_ms",
      table, kColumns);
  statement.values = {projection,
                      shown(change.key),
                      shown(change.value),
                      Number(letter.id),
                      PgTime(letter.at_ms),
                      shown(letter.reason).value_or("its reason is no text"),
                      PgBytes(change.key),
                      std::string(kKindNames[static_cast<size_t>(change.kind)]),
                      flag(change.whole),
                      PgBytes(change.value),
                      std::to_string(change.delta),
                      flag(change.added),
                      segments.Take(),
                      names.Take(),
                      values.Take(),
                      deltas.Take(),
                      added.Take(),
                      Number(change.writes),
                      Number(change.last.lineage.value),
                      Number(change.last.seq.value),
                      Number(change.time_ms)};
  return statement;
}

PgStatement RemoveLetters(const std::string& table, const std::string& projection,
                          const std::vector<uint64_t>& ids) {
  PgArray array;
  for (const uint64_t id : ids) array.AddNumber(static_cast<int64_t>(id));
  return {
      .sql = fmt::format("DELETE FROM {} WHERE projection = $1 AND id = ANY ($2::bigint[])", table),
      .values = {projection, array.Take()}};
}

PgStatement ReadLetters(const std::string& table, const std::string& projection) {
  return {.sql = fmt::format("SELECT id, round(extract(epoch FROM at) * 1000)::bigint AS at_ms, "
                             "reason, key_bytes, kind, whole, value_bytes, delta, added, segments, "
                             "writes, lineage, seq, time_ms, field_names, field_values, "
                             "field_deltas, field_added FROM {} WHERE projection = $1 ORDER BY id",
                             table),
          .values = {projection}};
}

Result<DeadLetter> LetterOf(const PgRow& row) {
  RowReader reader(row);
  DeadLetter letter;
  Change& change = letter.change;
  letter.id = reader.Unsigned();
  letter.at_ms = reader.Unsigned();
  letter.reason = reader.Text();
  change.key = reader.Bytes();
  const std::string kind = reader.Text();
  size_t number = 0;
  while (number < kKindNames.size() && kKindNames[number] != kind) ++number;
  if (number == kKindNames.size()) reader.Fail();
  change.kind = static_cast<Change::Kind>(number % kKindNames.size());
  change.whole = reader.Bool();
  change.value = reader.Bytes();
  change.delta = reader.Int();
  change.added = reader.Bool();
  for (auto& segment : reader.BytesArray()) {
    change.segments.push_back(std::move(segment).value_or(""));
  }
  change.writes = reader.Unsigned();
  change.last.lineage = model::Lineage(reader.Unsigned());
  change.last.seq = model::ShardSeq(reader.Unsigned());
  change.time_ms = reader.Unsigned();
  ReadFields(reader, change);
  if (!reader.ok()) {
    return Fail(Code::kInvalid, fmt::format("dead letter {} cannot be read", letter.id));
  }
  return letter;
}

}  // namespace sluice::project
