#include "project/pg_columns.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "config/nearest.h"
#include "project/pg_sink.h"
#include "project/pg_text.h"

namespace sluice::project {
namespace {

using Kind = PgSource::Kind;
using config::ProjectionMode;

constexpr std::string_view kWholeKey = "key";  // in braces, where no segment has that name
constexpr std::string_view kFieldOpen = "field(";

Failure Wrong(std::string message) {
  return Fail(Code::kInvalid, std::move(message));
}

Status CheckName(std::string_view setting, std::string_view name) {
  if (name.empty()) return Wrong(fmt::format("{}: a name is empty", setting));
  if (name.size() > kPgNameBytesMax || !IsPgText(name)) {
    return Wrong(
        fmt::format("{}: \"{}\" is no name of at most {} bytes", setting, name, kPgNameBytesMax));
  }
  return Ok();
}

// A type goes into statements as it is, so it is made of what types are made of.
bool IsTypeText(std::string_view type) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_ ,.()\"").find(c) != std::string_view::npos;
  };
  const auto quotes = std::count(type.begin(), type.end(), '"');
  return !type.empty() && type.size() <= kPgTypeBytesMax && quotes % 2 == 0 &&
         std::all_of(type.begin(), type.end(), fits);
}

Result<size_t> FindSegment(std::string_view name, const std::vector<std::string>& segments) {
  const auto found = std::find(segments.begin(), segments.end(), name);
  if (found != segments.end()) return static_cast<size_t>(found - segments.begin());
  if (segments.empty()) {
    return Wrong(
        fmt::format("there is no segment {{{}}}: the keyspace has no template; use "
                    "{{key}}",
                    name));
  }
  const std::vector<std::string_view> valid(segments.begin(), segments.end());
  return Wrong(fmt::format("there is no segment {{{}}}: {}", name, config::Suggest(name, valid)));
}

Result<PgSource> ParseSource(std::string_view text, const std::vector<std::string>& segments) {
  PgSource source;
  // A field's name may hold anything, so that only what follows its parenthesis is a type.
  const size_t closed = text.starts_with(kFieldOpen) ? text.rfind(')') : 0;
  if (closed == std::string_view::npos) return Wrong(fmt::format("\"{}\" has no \")\"", text));
  if (const size_t colons = text.find("::", closed); colons != std::string_view::npos) {
    source.type = text.substr(colons + 2);
    text = text.substr(0, colons);
    if (!IsTypeText(source.type)) return Wrong(fmt::format("\"{}\" is no type", source.type));
  }
  if (text.starts_with('{')) {
    if (!text.ends_with('}')) return Wrong(fmt::format("\"{}\" has no \"}}\"", text));
    const std::string_view name = text.substr(1, text.size() - 2);
    const bool named = std::find(segments.begin(), segments.end(), name) != segments.end();
    source.kind = name == kWholeKey && !named ? Kind::kKey : Kind::kSegment;
    if (source.kind == Kind::kSegment) {
      SLUICE_ASSIGN(source.segment, FindSegment(name, segments));
    }
  } else if (text == "value") {
    source.kind = Kind::kValue;
  } else if (text == "time") {
    source.kind = Kind::kTime;
  } else if (text == "writes") {
    source.kind = Kind::kWrites;
  } else {
    source.kind = Kind::kField;
    if (text.starts_with(kFieldOpen)) {
      if (!text.ends_with(')')) return Wrong(fmt::format("\"{}\" does not end in \")\"", text));
      text = text.substr(kFieldOpen.size(), text.size() - kFieldOpen.size() - 1);
    }
    if (text.empty()) return Wrong("it names no field");
    source.field = text;
  }
  return source;
}

// Two keys must never share a row: they would overwrite each other's.
Status CheckKeyIsWhole(const PgMapping& mapping, const std::vector<std::string>& segments) {
  std::set<size_t> named;
  for (size_t i = 0; i < mapping.key_columns; ++i) {
    const PgSource& source = mapping.columns[i].source;
    if (source.kind == Kind::kKey) return Ok();
    named.insert(source.segment);
  }
  for (size_t i = 0; i < segments.size(); ++i) {
    if (!named.contains(i)) {
      return Wrong(
          fmt::format("key: two keys that differ in {{{}}} would share a row; add a "
                      "column of it to key",
                      segments[i]));
    }
  }
  return Ok();
}

Status AddKeyColumns(const PgSinkOptions& options, std::vector<PgColumn>& rest,
                     PgMapping& mapping) {
  if (options.key.empty()) return Wrong("key: it must name at least one column");
  for (const std::string& name : options.key) {
    const auto found = std::find_if(rest.begin(), rest.end(),
                                    [&](const PgColumn& column) { return column.name == name; });
    if (found == rest.end()) {
      return Wrong(fmt::format("key: \"{}\" is none of columns, or is there twice", name));
    }
    if (found->source.kind != Kind::kSegment && found->source.kind != Kind::kKey) {
      return Wrong(
          fmt::format("key: \"{}\" must be a segment or {{key}}, which never change", name));
    }
    mapping.columns.push_back(std::move(*found));
    rest.erase(found);
  }
  mapping.key_columns = mapping.columns.size();
  return CheckKeyIsWhole(mapping, options.segments);
}

}  // namespace

bool PgMapping::AddsUp(const PgColumn& column) const {
  const Kind kind = column.source.kind;
  if (kind == Kind::kWrites) return true;
  return mode == ProjectionMode::kAdd && (kind == Kind::kValue || kind == Kind::kField);
}

Result<PgMapping> ParsePgMapping(const PgSinkOptions& options) {
  PgMapping mapping;
  mapping.mode = options.mode;
  if (options.columns.size() > kPgColumnsMax) {
    return Wrong(fmt::format("columns: at most {}", kPgColumnsMax));
  }
  std::vector<PgColumn> rest;
  std::set<std::string> names;
  for (const auto& [name, text] : options.columns) {
    SLUICE_TRY(CheckName("columns", name));
    if (!names.insert(name).second) return Wrong(fmt::format("columns: {} is there twice", name));
    Result<PgSource> source = ParseSource(text, options.segments);
    if (!source.has_value()) return Fail(source.error().In("columns: " + name));
    mapping.has_value |= source->kind == Kind::kValue;
    mapping.has_fields |= source->kind == Kind::kField;
    rest.push_back({name, *std::move(source)});
  }
  SLUICE_TRY(AddKeyColumns(options, rest, mapping));
  std::move(rest.begin(), rest.end(), std::back_inserter(mapping.columns));
  if (mapping.mode == ProjectionMode::kAdd) {
    const bool adds = std::any_of(mapping.columns.begin(), mapping.columns.end(),
                                  [&](const PgColumn& column) { return mapping.AddsUp(column); });
    if (!adds) return Wrong("mode = \"add\": no column is a value, a field or writes");
    if (options.on_expire == config::ProjectionOnExpire::kDelete) {
      return Wrong("mode = \"add\": on_expire = \"delete\" would delete what others added");
    }
  }
  return mapping;
}

Result<PgTableName> ParsePgTableName(const std::string& text) {
  PgTableName name;
  const size_t dot = text.find('.');
  if (dot != std::string::npos) {
    name.schema = text.substr(0, dot);
    SLUICE_TRY(CheckName("table", name.schema));
  }
  name.table = dot == std::string::npos ? text : text.substr(dot + 1);
  SLUICE_TRY(CheckName("table", name.table));
  if (name.table.starts_with("sluice_")) {
    return Wrong("table: names that begin with sluice_ are Sluice's own");
  }
  return name;
}

}  // namespace sluice::project
