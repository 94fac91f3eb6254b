#include "project/pg_rows.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/number.h"

namespace sluice::project {
namespace {

using Form = PgColumnType::Form;
using Kind = PgSource::Kind;

const std::string kPreparedPrefix = "sluice_";
// The server tells names apart by their first kPgNameBytesMax bytes.
const size_t kPreparedSignatureMax = kPgNameBytesMax - kPreparedPrefix.size();

const FieldChange* FindField(const Change& change, const std::string& name) {
  const auto found = std::lower_bound(
      change.fields.begin(), change.fields.end(), name,
      [](const FieldChange& field, const std::string& n) { return field.name < n; });
  return found == change.fields.end() || found->name != name ? nullptr : &*found;
}

bool AllOf(std::string_view text, size_t first, size_t end, std::string_view valid) {
  for (size_t i = first; i < end; ++i) {
    if (valid.find(text[i]) == std::string_view::npos) return false;
  }
  return true;
}

bool IsUuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (!AllOf(text, i, i + 1, dash ? "-" : "0123456789abcdef")) return false;
  }
  return true;
}

bool IsDate(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789";
  return text.size() == 10 && text[4] == '-' && text[7] == '-' && AllOf(text, 0, 4, kDigits) &&
         AllOf(text, 5, 7, kDigits) && AllOf(text, 8, 10, kDigits);
}

// For people: what of a value a message shows.
std::string Shown(std::string_view text) {
  constexpr size_t kShownMax = 64;
  if (!IsPgText(text)) return "bytes that are no text";
  return text.size() <= kShownMax ? fmt::format("\"{}\"", text)
                                  : fmt::format("a text of {} bytes", text.size());
}

}  // namespace

bool PgRowWriter::Deletes(const Change& change) const {
  return change.kind == Change::Kind::kDeleted ||
         (change.kind == Change::Kind::kExpired && delete_expired_);
}

bool PgRowWriter::Writes(const Change& change) const {
  return change.kind == Change::Kind::kValue || change.kind == Change::Kind::kFields;
}

std::optional<std::string> PgRowWriter::WhyKindRefused(const Change& change) const {
  const bool adds = mapping_.mode == config::ProjectionMode::kAdd;
  if (change.kind == Change::Kind::kDeleted && adds) {
    return "the key was deleted, and mode = \"add\" takes increments only";
  }
  if (change.kind == Change::Kind::kFields && mapping_.has_value && !mapping_.has_fields) {
    return "the key is a hash, and columns map a value";
  }
  if (change.kind == Change::Kind::kValue && mapping_.has_fields && !mapping_.has_value) {
    return "the key is a string, and columns map fields of a hash";
  }
  if (!adds) return std::nullopt;
  if (change.kind == Change::Kind::kValue && mapping_.has_value && !change.added) {
    return "the value was set, and mode = \"add\" takes increments only";
  }
  for (const PgColumn& column : mapping_.columns) {
    if (column.source.kind != Kind::kField) continue;
    const FieldChange* field = FindField(change, column.source.field);
    if (field != nullptr && !field->added) {
      return fmt::format("the field {} was set, and mode = \"add\" takes increments only",
                         column.source.field);
    }
  }
  return std::nullopt;
}

std::optional<std::string> PgRowWriter::WhyKeyRefused(size_t column, std::string_view text) const {
  bool fits = true;
  switch (types_[column].key) {
    case PgColumnType::Key::kAnyText:
    case PgColumnType::Key::kBytes:
      break;
    case PgColumnType::Key::kPaddedText:
      fits = !text.ends_with(' ');
      break;
    case PgColumnType::Key::kInteger: {
      int64_t number = 0;
      fits = ParseInt(text, &number);
      break;
    }
    case PgColumnType::Key::kUuid:
      fits = IsUuid(text);
      break;
    case PgColumnType::Key::kDate:
      fits = IsDate(text);
      break;
  }
  if (fits) return std::nullopt;
  return fmt::format("{}: {} is not how a {} is written, so that its row could be another key's",
                     mapping_.columns[column].name, Shown(text), types_[column].declared);
}

std::optional<std::string> PgRowWriter::WhyRefused(const Change& change) const {
  if (auto why = WhyKindRefused(change)) return why;
  if (!Writes(change) && !Deletes(change)) return std::nullopt;
  for (size_t i = 0; i < mapping_.columns.size(); ++i) {
    const PgColumn& column = mapping_.columns[i];
    if (mapping_.AddsUp(column) || (!Writes(change) && i >= mapping_.key_columns)) continue;
    std::string_view text;
    switch (column.source.kind) {
      case Kind::kSegment:
        if (column.source.segment >= change.segments.size()) {
          return fmt::format("{}: the key has no such segment", column.name);
        }
        text = change.segments[column.source.segment];
        break;
      case Kind::kKey:
        text = change.key;
        break;
      case Kind::kValue:
        text = change.value;
        break;
      case Kind::kField:
        if (const FieldChange* field = FindField(change, column.source.field)) {
          if (field->value.has_value()) text = *field->value;
        }
        break;
      case Kind::kTime:
      case Kind::kWrites:
        continue;
    }
    if (text.size() > kPgValueBytesMax) {
      return fmt::format("{}: {} bytes, at most {}", column.name, text.size(), kPgValueBytesMax);
    }
    if (types_[i].form == Form::kText && !IsPgText(text)) {
      return fmt::format("{}: a zero byte or no UTF-8; only a bytea column can hold it",
                         column.name);
    }
    if (i < mapping_.key_columns) {
      if (auto why = WhyKeyRefused(i, text)) return why;
    }
  }
  return std::nullopt;
}

PgRowWriter::Part PgRowWriter::PartOf(const PgColumn& column, const Change& change) const {
  const bool is_string = change.kind == Change::Kind::kValue;
  bool has = true;        // the change says something of the column,
  bool has_value = true;  // namely what it is now
  if (column.source.kind == Kind::kValue) {
    has = is_string;
  } else if (column.source.kind == Kind::kField) {
    const FieldChange* field = FindField(change, column.source.field);
    has = field != nullptr;
    has_value = has && (mapping_.AddsUp(column) || field->value.has_value());
  }
  if (has) return has_value ? Part::kValue : Part::kDefault;
  // A string has no fields, and a hash that began anew only those that are named.
  const bool absent = (is_string || change.whole) && !mapping_.AddsUp(column);
  return absent ? Part::kDefault : Part::kUntouched;
}

std::string PgRowWriter::SignatureOf(const Change& change) const {
  std::string signature;
  for (size_t i = mapping_.key_columns; i < mapping_.columns.size(); ++i) {
    signature.push_back(static_cast<char>(PartOf(mapping_.columns[i], change)));
  }
  return signature;
}

void PgRowWriter::AddValue(size_t column, const Change& change, PgArray& array) const {
  const PgSource& source = mapping_.columns[column].source;
  const bool adds = mapping_.AddsUp(mapping_.columns[column]);
  const auto add = [&](std::string_view text) {
    types_[column].form == Form::kBytes ? array.AddBytes(text) : array.Add(text);
  };
  switch (source.kind) {
    case Kind::kSegment:
      return add(change.segments[source.segment]);
    case Kind::kKey:
      return add(change.key);
    case Kind::kValue:
      if (change.kind != Change::Kind::kValue) return array.AddNull();
      return adds ? array.AddNumber(change.delta) : add(change.value);
    case Kind::kField: {
      const FieldChange* field = FindField(change, source.field);
      if (field == nullptr || (!adds && !field->value.has_value())) return array.AddNull();
      return adds ? array.AddNumber(field->delta) : add(*field->value);
    }
    case Kind::kTime:
      return types_[column].form == Form::kMs
                 ? array.AddNumber(static_cast<int64_t>(change.time_ms))
                 : array.Add(PgTime(change.time_ms));
    case Kind::kWrites:
      return array.AddNumber(static_cast<int64_t>(change.writes));
  }
}

std::string PgRowWriter::UpsertSql(std::string_view signature) const {
  std::vector<std::string> columns, arrays, keys, sets;
  for (size_t i = 0; i < mapping_.columns.size(); ++i) {
    const std::string name = QuotedName(mapping_.columns[i].name);
    const bool in_key = i < mapping_.key_columns;
    const Part part =
        in_key ? Part::kValue : static_cast<Part>(signature[i - mapping_.key_columns]);
    if (part == Part::kValue) {
      columns.push_back(name);
      arrays.push_back(fmt::format("${}::{}", columns.size(), ArrayType(i)));
    }
    if (in_key) {
      keys.push_back(name);
    } else if (part == Part::kDefault) {
      sets.push_back(name + " = DEFAULT");
    } else if (part == Part::kValue && mapping_.AddsUp(mapping_.columns[i])) {
      sets.push_back(fmt::format("{0} = coalesce(t.{0}, 0) + EXCLUDED.{0}", name));
    } else if (part == Part::kValue) {
      sets.push_back(fmt::format("{0} = EXCLUDED.{0}", name));
    }
  }
  return fmt::format(
      "INSERT INTO {} AS t ({}) SELECT * FROM unnest({}) ON CONFLICT ({}) DO {}", table_,
      fmt::join(columns, ", "), fmt::join(arrays, ", "), fmt::join(keys, ", "),
      sets.empty() ? std::string("NOTHING") : fmt::format("UPDATE SET {}", fmt::join(sets, ", ")));
}

std::string PgRowWriter::DeleteSql() const {
  std::vector<std::string> arrays, names, equals;
  for (size_t i = 0; i < mapping_.key_columns; ++i) {
    arrays.push_back(fmt::format("${}::{}", i + 1, ArrayType(i)));
    names.push_back(fmt::format("k{}", i));
    equals.push_back(fmt::format("t.{} = u.k{}", QuotedName(mapping_.columns[i].name), i));
  }
  return fmt::format("DELETE FROM {} AS t USING unnest({}) AS u({}) WHERE {}", table_,
                     fmt::join(arrays, ", "), fmt::join(names, ", "), fmt::join(equals, " AND "));
}

std::vector<PgStatement> PgRowWriter::Statements(std::span<const Change* const> changes) const {
  // By what is done to the row: the upserts' signature, or nothing for deletes.
  std::map<std::string, std::vector<PgArray>> groups;
  const size_t all = mapping_.columns.size();
  for (const Change* change : changes) {
    const bool writes = Writes(*change);
    if (!writes && !Deletes(*change)) continue;
    const std::string signature = writes ? "u" + SignatureOf(*change) : "d";
    std::vector<PgArray>& arrays = groups[signature];
    arrays.resize(all);
    for (size_t i = 0; i < (writes ? all : mapping_.key_columns); ++i) {
      const bool given = i < mapping_.key_columns ||
                         signature[1 + i - mapping_.key_columns] == static_cast<char>(Part::kValue);
      if (given) AddValue(i, *change, arrays[i]);
    }
  }
  std::vector<PgStatement> statements;
  for (auto& [signature, arrays] : groups) {
    PgStatement& statement = statements.emplace_back();
    if (signature.size() <= kPreparedSignatureMax) statement.name = kPreparedPrefix + signature;
    statement.sql =
        signature == "d" ? DeleteSql() : UpsertSql(std::string_view(signature).substr(1));
    for (PgArray& array : arrays) {
      if (array.bytes() > 0) statement.values.emplace_back(array.Take());
    }
  }
  return statements;
}

std::vector<PgStatement> PgRowWriter::Probes() const {
  const std::string none = PgArray().Take();
  std::vector<PgStatement> probes(1);
  const size_t all = mapping_.columns.size();
  probes[0].sql = "EXPLAIN " + UpsertSql(std::string(all - mapping_.key_columns,
                                                     static_cast<char>(Part::kValue)));
  probes[0].values.assign(all, none);
  if (mapping_.mode == config::ProjectionMode::kSet) {
    probes.push_back({.sql = "EXPLAIN " + DeleteSql()});
    probes[1].values.assign(mapping_.key_columns, none);
  }
  return probes;
}

std::vector<size_t> PgRowWriter::ComparedNumbers() const {
  std::vector<size_t> numbers;
  for (size_t i = mapping_.key_columns; i < mapping_.columns.size(); ++i) {
    const Kind kind = mapping_.columns[i].source.kind;
    // When and how often a key was written is no part of the state.
    if (kind != Kind::kTime && kind != Kind::kWrites) numbers.push_back(i);
  }
  return numbers;
}

std::vector<std::string> PgRowWriter::ComparedColumns() const {
  std::vector<std::string> names;
  for (const size_t i : ComparedNumbers()) names.push_back(mapping_.columns[i].name);
  return names;
}

PgStatement PgRowWriter::RowsBehind(const std::vector<std::optional<std::string>>& behind,
                                    size_t most, bool whole) const {
  PgStatement statement;
  std::vector<std::string> printed, names, values;
  for (size_t i = 0; i < mapping_.key_columns; ++i) {
    // Without "t." it would be the printed column, and the order that of texts.
    names.push_back("t." + QuotedName(mapping_.columns[i].name));
    printed.push_back(names.back() + "::text");
    values.push_back(fmt::format("${}::{}", i + 1, types_[i].element));
  }
  if (whole) {
    for (const std::string& name : ComparedColumns())
      printed.push_back("t." + QuotedName(name) + "::text");
  }
  std::string where;
  if (!behind.empty()) {
    where = fmt::format("WHERE ({}) > ({}) ", fmt::join(names, ", "), fmt::join(values, ", "));
    statement.values = behind;
  }
  statement.sql =
      fmt::format("SELECT {} FROM {} AS t {}ORDER BY {} LIMIT {}", fmt::join(printed, ", "), table_,
                  where, fmt::join(names, ", "), most);
  return statement;
}

PgStatement PgRowWriter::FindNullKey() const {
  std::vector<std::string> nulls;
  for (size_t i = 0; i < mapping_.key_columns; ++i) {
    nulls.push_back(QuotedName(mapping_.columns[i].name) + " IS NULL");
  }
  return {.sql = fmt::format("SELECT EXISTS (SELECT 1 FROM {} WHERE {})", table_,
                             fmt::join(nulls, " OR "))};
}

RowKey PgRowWriter::KeyOf(const PgRow& row) const {
  RowKey found;
  PgArray place;
  for (size_t i = 0; i < mapping_.key_columns; ++i) {
    row[i].has_value() ? place.Add(*row[i]) : place.AddNull();
    const PgSource& source = mapping_.columns[i].source;
    std::string text = row[i].value_or("");
    if (types_[i].form == Form::kBytes) text = ParsePgBytes(text).value_or("");
    if (source.kind == Kind::kKey) {
      found.key = std::move(text);
    } else {
      found.segments.resize(std::max(found.segments.size(), source.segment + 1));
      found.segments[source.segment] = std::move(text);
    }
  }
  found.place = place.Take();
  return found;
}

Row PgRowWriter::RowOf(const PgRow& row) const {
  Row found{KeyOf(row), {}, {}};
  size_t at = mapping_.key_columns;
  for (const size_t i : ComparedNumbers()) {
    const std::optional<std::string>& printed = row[at++];
    if (!printed.has_value()) continue;
    std::string text = *printed;
    if (types_[i].form == Form::kBytes) text = ParsePgBytes(text).value_or("");
    const PgSource& source = mapping_.columns[i].source;
    if (source.kind == Kind::kValue) {
      found.value = std::move(text);
    } else if (source.kind == Kind::kField) {
      found.fields.emplace_back(source.field, std::move(text));
    }
  }
  return found;
}

PgStatement PgRowWriter::Comparison(std::span<const Change* const> changes) const {
  PgStatement statement;
  std::vector<std::string> arrays, names, equals, shown, differ;
  const auto add_array = [&](std::string type, std::string name, std::string text) {
    statement.values.emplace_back(std::move(text));
    arrays.push_back(fmt::format("${}::{}", statement.values.size(), type));
    names.push_back(std::move(name));
  };
  const auto array_of = [&](size_t column) {
    PgArray array;
    for (const Change* change : changes) {
      const bool there = column < mapping_.key_columns || Writes(*change);
      there ? AddValue(column, *change, array) : array.AddNull();
    }
    return array.Take();
  };
  for (size_t i = 0; i < mapping_.key_columns; ++i) {
    add_array(ArrayType(i), fmt::format("k{}", i), array_of(i));
    equals.push_back(fmt::format("t.{} = u.k{}", QuotedName(mapping_.columns[i].name), i));
  }
  PgArray exist;
  for (const Change* change : changes) exist.Add(Writes(*change) ? "t" : "f");
  add_array("bool[]", "e", exist.Take());
  for (const size_t i : ComparedNumbers()) {
    const std::string have = "t." + QuotedName(mapping_.columns[i].name);
    add_array(ArrayType(i), fmt::format("c{}", i), array_of(i));
    const std::string want = fmt::format("u.c{}::{}", i, types_[i].declared);
    // As text: json has no equality, and what is shown to differ must look different. Of an absent
    // field the column has its default, whatever that is.
    const std::string differs = fmt::format(
        "({}{}::text IS DISTINCT FROM ({})::text)",
        types_[i].has_default ? fmt::format("u.c{} IS NOT NULL AND ", i) : std::string(), have,
        want);
    shown.push_back(fmt::format("{}::text, ({})::text, {}", have, want, differs));
    differ.push_back(differs);
  }
  differ.push_back("false");
  const std::string there = fmt::format("t.{} IS NOT NULL", QuotedName(mapping_.columns[0].name));
  statement.sql = fmt::format(
      "SELECT u.n, {0}{1}{2} FROM unnest({3}) WITH ORDINALITY AS u({4}, n) LEFT JOIN {5} AS t "
      "ON {6} WHERE u.e IS DISTINCT FROM ({0}) OR (u.e AND ({7})) ORDER BY u.n",
      there, shown.empty() ? "" : ", ", fmt::join(shown, ", "), fmt::join(arrays, ", "),
      fmt::join(names, ", "), table_, fmt::join(equals, " AND "), fmt::join(differ, " OR "));
  return statement;
}

}  // namespace sluice::project
