// The lines of an archive.
#include <fmt/format.h>
#include <xxhash.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "project/file_sink.h"

namespace sluice::project {
namespace {

using nlohmann::json;

constexpr std::string_view kMarkBegins = R"({"position":)";
constexpr std::string_view kHexDigits = "0123456789abcdef";

// The bytes of the UTF-8 character that `text` begins with; 0: it begins with none.
size_t CharacterSize(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const auto follows = [&](size_t n) {
    if (text.size() <= n) return false;
    for (size_t i = 1; i <= n; ++i) {
      if ((byte(i) & 0xc0) != 0x80) return false;
    }
    return true;
  };
  const uint8_t first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return follows(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef && follows(2)) {
    const bool overlong = first == 0xe0 && byte(1) < 0xa0;
    const bool surrogate = first == 0xed && byte(1) >= 0xa0;
    return overlong || surrogate ? 0 : 3;
  }
  if (first >= 0xf0 && first <= 0xf4 && follows(3)) {
    const bool outside = (first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) >= 0x90);
    return outside ? 0 : 4;
  }
  return 0;
}

bool IsText(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t size = CharacterSize(bytes);
    if (size == 0) return false;
    bytes.remove_prefix(size);
  }
  return true;
}

// A string, or {"hex":"…"} of bytes that are no text.
json Text(std::string_view bytes) {
  if (IsText(bytes)) return std::string(bytes);
  std::string hex;
  for (const char c : bytes) {
    hex.push_back(kHexDigits[static_cast<uint8_t>(c) >> 4]);
    hex.push_back(kHexDigits[static_cast<uint8_t>(c) & 15]);
  }
  return json{{"hex", hex}};
}

bool ReadText(const json& from, std::string* to) {
  if (from.is_string()) {
    *to = from.get<std::string>();
    return true;
  }
  const auto hex = from.is_object() ? from.find("hex") : from.end();
  if (!from.is_object() || hex == from.end() || !hex->is_string()) return false;
  const auto digits = hex->get<std::string>();
  to->clear();
  for (size_t i = 0; i + 1 < digits.size(); i += 2) {
    uint8_t byte = 0;
    const char* begin = digits.data() + i;
    if (std::from_chars(begin, begin + 2, byte, 16).ptr != begin + 2) return false;
    to->push_back(static_cast<char>(byte));
  }
  return digits.size() % 2 == 0;
}

std::string_view NameOf(Change::Kind kind) {
  switch (kind) {
    case Change::Kind::kValue:
      return "value";
    case Change::Kind::kFields:
      return "fields";
    case Change::Kind::kDeleted:
      return "deleted";
    case Change::Kind::kExpired:
      return "expired";
  }
  return "?";
}

json ParseObject(std::string_view line) {
  json object = json::parse(line, nullptr, false);
  return object.is_object() ? object : json::object();
}

uint64_t NumberOf(const json& object, const char* name) {
  const auto at = object.find(name);
  return at != object.end() && at->is_number_unsigned() ? at->get<uint64_t>() : 0;
}

bool ParseNumber(const std::string& text, uint64_t* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

std::string ArchiveLine(const Change& change) {
  nlohmann::ordered_json line;
  line["key"] = Text(change.key);
  line["kind"] = NameOf(change.kind);
  if (change.kind == Change::Kind::kValue) {
    line["value"] = Text(change.value);
    if (change.added) line["delta"] = change.delta;
  }
  if (change.kind == Change::Kind::kFields) {
    if (change.whole) line["whole"] = true;
    json fields = json::array();
    for (const FieldChange& field : change.fields) {
      json one = json::array({Text(field.name), field.value ? Text(*field.value) : json()});
      if (field.added) one.push_back(field.delta);
      fields.push_back(std::move(one));
    }
    line["fields"] = fields;
  }
  line["writes"] = change.writes;
  line["lineage"] = std::to_string(change.last.lineage.value);
  line["seq"] = change.last.seq.value;
  line["time"] = change.time_ms;
  return line.dump() + "\n";
}

std::string ArchiveLine(const ArchiveMark& mark) {
  nlohmann::ordered_json line;
  line["position"] = json::object();
  for (const auto& [lineage, seq] : mark.position) line["position"][std::to_string(lineage)] = seq;
  line["epoch"] = mark.epoch;
  line["projection"] = mark.projection;
  line["bytes"] = mark.bytes;
  line["sum"] = fmt::format("{:016x}", mark.sum);
  return line.dump() + "\n";
}

bool ReadArchiveLine(std::string_view text, ArchiveMark* mark) {
  if (!text.starts_with(kMarkBegins)) return false;
  const json line = ParseObject(text);
  const auto position = line.find("position"), sum = line.find("sum"),
             projection = line.find("projection");
  if (position == line.end() || !position->is_object()) return false;
  if (sum == line.end() || !sum->is_string()) return false;
  if (projection == line.end() || !projection->is_string()) return false;
  mark->position.clear();
  for (const auto& [lineage, seq] : position->items()) {
    uint64_t number = 0;
    if (!ParseNumber(lineage, &number) || !seq.is_number_unsigned()) return false;
    mark->position[number] = seq.get<uint64_t>();
  }
  mark->epoch = NumberOf(line, "epoch");
  mark->bytes = NumberOf(line, "bytes");
  mark->projection = projection->get<std::string>();
  const auto digits = sum->get<std::string>();
  const char* end = digits.data() + digits.size();
  return std::from_chars(digits.data(), end, mark->sum, 16).ptr == end;
}

bool ReadArchiveLine(std::string_view text, Change* change) {
  const json line = ParseObject(text);
  const auto key = line.find("key"), kind = line.find("kind"), value = line.find("value"),
             fields = line.find("fields");
  *change = {};
  if (key == line.end() || kind == line.end() || !ReadText(*key, &change->key)) return false;
  bool known = false;
  for (const auto each : {Change::Kind::kValue, Change::Kind::kFields, Change::Kind::kDeleted,
                          Change::Kind::kExpired}) {
    if (!kind->is_string() || kind->get<std::string>() != NameOf(each)) continue;
    change->kind = each;
    known = true;
  }
  if (!known) return false;
  if (value != line.end() && !ReadText(*value, &change->value)) return false;
  change->whole = line.contains("whole");
  change->writes = NumberOf(line, "writes");
  const auto lineage = line.find("lineage");
  uint64_t number = 0;
  if (lineage == line.end() || !lineage->is_string()) return false;
  if (!ParseNumber(lineage->get<std::string>(), &number)) return false;
  change->last.lineage = model::Lineage(number);
  change->last.seq = model::ShardSeq(NumberOf(line, "seq"));
  change->time_ms = NumberOf(line, "time");
  const auto delta = line.find("delta");
  change->added = delta != line.end() && delta->is_number_integer();
  if (change->added) change->delta = delta->get<int64_t>();
  if (fields == line.end()) return true;
  for (const json& one : *fields) {
    FieldChange field;
    if (!one.is_array() || one.size() < 2 || !ReadText(one[0], &field.name)) return false;
    if (!one[1].is_null() && !ReadText(one[1], &field.value.emplace())) return false;
    change->fields.push_back(std::move(field));
  }
  return true;
}

size_t WholeBatches(std::string_view text, ArchiveMark* last) {
  while (true) {
    const size_t end = text.rfind('\n');
    if (end == std::string_view::npos) return 0;
    text = text.substr(0, end);
    const size_t before = text.rfind('\n');
    const size_t begin = before == std::string_view::npos ? 0 : before + 1;
    ArchiveMark mark;
    if (ReadArchiveLine(text.substr(begin), &mark) && mark.bytes <= begin &&
        XXH3_64bits(text.data() + begin - mark.bytes, mark.bytes) == mark.sum) {
      *last = std::move(mark);
      return end + 1;
    }
    text = text.substr(0, begin);
  }
}

}  // namespace sluice::project
