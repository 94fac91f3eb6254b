#include "cli/row_source.h"

#include <csv.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/check.h"
#include "base/number.h"
#include "cli/line_reader.h"

namespace sluice::cli {
namespace {

constexpr size_t kCsvGrowth = 16 << 10;  // steps in which libcsv's own field buffer grows
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

std::string_view WithoutLineEnd(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::string TooLong() {
  return fmt::format("the row is longer than {} bytes", kRowMax);
}

// The lines of a text without its byte order mark.
class TextLines {
 public:
  explicit TextLines(ByteSource& bytes) : lines_(bytes, kRowMax) {}

  Result<ByteSource::State> Next(std::string_view* line) {
    SLUICE_ASSIGN(const ByteSource::State state, lines_.Next(line));
    if (state == ByteSource::State::kBytes && first_) {
      first_ = false;
      if (line->starts_with(kByteOrderMark)) line->remove_prefix(kByteOrderMark.size());
    }
    return state;
  }
  uint64_t line() const { return lines_.line(); }
  bool cut() const { return lines_.cut(); }

 private:
  LineReader lines_;
  bool first_ = true;
};

class CsvRows final : public RowSource {
 public:
  CsvRows(ByteSource& bytes, char delimiter) : lines_(bytes), delimiter_(delimiter) {
    OpenParser();
  }
  ~CsvRows() override { csv_free(&parser_); }
  CsvRows(const CsvRows&) = delete;
  CsvRows& operator=(const CsvRows&) = delete;

  // Takes the header row and finds the wanted columns in it; all of them, named in `*all`, if that
  // is given.
  Status ReadHeader(const ByteSource& bytes, std::vector<std::string> wanted,
                    std::vector<std::string>* all = nullptr) {
    cell_of_.clear();
    for (;;) {
      SLUICE_ASSIGN(const State state, Next(&header_));
      if (state == State::kRow) break;
      if (state == State::kEnd) {
        return Fail(Code::kInvalid, "there is no header row: the first row must name the columns");
      }
      WaitForInput(bytes, -1);
    }
    if (!header_.error.empty()) {
      return Fail(Code::kInvalid, "the header row cannot be used: " + header_.error);
    }
    columns_ = header_.cells.size();
    if (all != nullptr) {
      for (size_t i = 0; i < columns_; ++i) wanted.emplace_back(header_.cell(i));
      *all = wanted;
    }
    cell_of_.assign(columns_, kUnwanted);
    for (size_t i = 0; i < wanted.size(); ++i) SLUICE_TRY(Want(wanted[i], i));
    wanted_ = wanted.size();
    current_.cells.assign(wanted_, {});
    return Ok();
  }

  Result<State> Next(Row* row) override {
    for (;;) {
      std::string_view line;
      SLUICE_ASSIGN(const ByteSource::State state, lines_.Next(&line));
      if (state == ByteSource::State::kWait) return State::kWait;
      if (state == ByteSource::State::kEnd) {
        if (current_.raw.empty()) return State::kEnd;
        Finish();
      } else if (!Take(line)) {
        continue;
      }
      HandOut(row);
      return State::kRow;
    }
  }

 private:
  static constexpr size_t kUnwanted = ~size_t{0};

  static int IsNoSpace(unsigned char) { return 0; }
  static void OnField(void* bytes, size_t size, void* self) {
    static_cast<CsvRows*>(self)->TakeField({static_cast<const char*>(bytes), size});
  }
  static void OnRow(int, void* self) { static_cast<CsvRows*>(self)->complete_ = true; }

  void OpenParser() {
    SLUICE_CHECK(csv_init(&parser_, CSV_STRICT | CSV_STRICT_FINI) == 0);
    csv_set_delim(&parser_, static_cast<unsigned char>(delimiter_));
    // Blanks around a field are part of it (RFC 4180); libcsv would trim them.
    csv_set_space_func(&parser_, IsNoSpace);
    csv_set_blk_size(&parser_, kCsvGrowth);
  }

  Status Want(const std::string& name, size_t cell) {
    size_t found = kUnwanted;
    for (size_t i = 0; i < columns_; ++i) {
      if (header_.cell(i) != name) continue;
      if (found != kUnwanted) {
        return Fail(Code::kInvalid, fmt::format("column \"{}\" is there twice", name));
      }
      found = i;
    }
    if (found != kUnwanted) {
      cell_of_[found] = cell;
      return Ok();
    }
    std::string known;
    for (size_t i = 0; i < columns_ && known.size() < 400; ++i) {
      known += fmt::format("{}\"{}\"", i == 0 ? "" : ", ", header_.cell(i));
    }
    return Fail(Code::kInvalid,
                fmt::format("there is no column \"{}\"; the header names {}", name, known));
  }

  // Adds a line to the current row. True when that ends the row.
  bool Take(std::string_view line) {
    const std::string_view content = WithoutLineEnd(line);
    if (current_.raw.empty()) {
      if (content.empty()) return false;
      current_.line = lines_.line();
    }
    if (skipping_) {
      skipping_ = lines_.cut();
      if (!skipping_) Reject(TooLong());
      return !skipping_;
    }
    if (current_.raw.size() + line.size() > kRowMax) {
      current_.raw.append(line.substr(0, kRowMax - current_.raw.size()));
      skipping_ = lines_.cut();
      if (!skipping_) Reject(TooLong());
      return !skipping_;
    }
    current_.raw.append(line);
    complete_ = false;
    if (csv_parse(&parser_, line.data(), line.size(), OnField, OnRow, this) != line.size()) {
      Reject("a quote inside a field that is not quoted, or text behind a closing quote");
      return true;
    }
    return complete_;
  }

  void Finish() {
    if (skipping_) {
      skipping_ = false;
      Reject(TooLong());
    } else if (csv_fini(&parser_, OnField, OnRow, this) != 0) {
      Reject("a quote is never closed");
    }
  }

  void Reject(std::string why) {
    current_.error = std::move(why);
    csv_free(&parser_);
    OpenParser();
  }

  void TakeField(std::string_view field) {
    size_t cell = fields_++;
    if (columns_ == 0) {
      if (fields_ > kColumnsMax) return;
      current_.cells.emplace_back();
    } else {
      if (cell >= columns_) return;
      cell = cell_of_[cell];
      if (cell == kUnwanted) return;
    }
    current_.cells[cell] = {current_.text.size(), field.size()};
    current_.text.append(field);
  }

  void HandOut(Row* row) {
    current_.raw.resize(WithoutLineEnd(current_.raw).size());
    if (columns_ == 0) {
      if (current_.error.empty() && fields_ > kColumnsMax) {
        current_.error = fmt::format("more than {} columns", kColumnsMax);
      }
    } else if (current_.error.empty() && fields_ != columns_) {
      current_.error = fmt::format("{} fields where the header has {}", fields_, columns_);
    }
    std::swap(*row, current_);
    current_.Clear();
    current_.cells.assign(columns_ == 0 ? 0 : wanted_, {});
    fields_ = 0;
  }

  TextLines lines_;
  const char delimiter_;
  csv_parser parser_;
  Row header_;
  size_t columns_ = 0;  // 0 until the header is read
  size_t wanted_ = 0;
  std::vector<size_t> cell_of_;  // by column
  Row current_;
  size_t fields_ = 0;
  bool complete_ = false;
  bool skipping_ = false;  // the rest of a line that is too long
};

// Takes the wanted members of one object apart, without building a tree of it.
class ObjectReader {
 public:
  using Json = nlohmann::json;
  enum class Found : uint8_t { kNo, kText, kNull, kNested };

  ObjectReader(Row& row, const std::vector<std::string>& wanted, std::vector<Found>& found)
      : row_(row), wanted_(wanted), found_(found) {}

  bool null() {
    Note(Found::kNull);
    return Value();
  }
  bool boolean(bool value) { return Text(value ? "true" : "false"); }
  bool number_integer(int64_t value) {
    char text[kIntCharsMax];
    return Text({text, static_cast<size_t>(StoreInt(text, value) - text)});
  }
  bool number_unsigned(uint64_t value) {
    std::array<char, kIntCharsMax> text;
    const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
    return Text({text.data(), static_cast<size_t>(end - text.data())});
  }
  bool number_float(double, const std::string& as_written) { return Text(as_written); }
  bool string(std::string& value) { return Text(value); }
  bool binary(Json::binary_t&) { return false; }
  bool start_object(size_t) { return Start(); }
  bool start_array(size_t) { return depth_ > 0 && Start(); }
  bool key(std::string& name) {
    if (depth_ != 1) return true;
    const auto at = std::find(wanted_.begin(), wanted_.end(), name);
    cell_ = at - wanted_.begin();
    return true;
  }
  bool end_object() { return End(); }
  bool end_array() { return End(); }
  bool parse_error(size_t at, const std::string&, const nlohmann::detail::exception&) {
    row_.error = fmt::format("not JSON from byte {} on", at);
    return false;
  }

 private:
  bool Start() {
    if (depth_ == 1) Note(Found::kNested);
    ++depth_;
    return true;
  }
  bool End() {
    --depth_;
    return true;
  }
  bool Value() const { return depth_ > 0; }  // a value outside an object is no row
  bool Text(std::string_view text) {
    if (depth_ == 1 && cell_ < wanted_.size()) {
      row_.cells[cell_] = {row_.text.size(), text.size()};
      row_.text.append(text);
    }
    Note(Found::kText);
    return Value();
  }
  void Note(Found what) {
    if (depth_ == 1 && cell_ < wanted_.size()) found_[cell_] = what;
  }

  Row& row_;
  const std::vector<std::string>& wanted_;
  std::vector<Found>& found_;
  size_t cell_ = ~size_t{0};
  uint64_t depth_ = 0;
};

class NdjsonRows final : public RowSource {
 public:
  NdjsonRows(ByteSource& bytes, std::vector<std::string> wanted)
      : lines_(bytes), wanted_(std::move(wanted)) {}

  Result<State> Next(Row* row) override {
    for (;;) {
      std::string_view line;
      SLUICE_ASSIGN(const ByteSource::State state, lines_.Next(&line));
      if (state == ByteSource::State::kWait) return State::kWait;
      if (state == ByteSource::State::kEnd) {
        if (!skipping_) return State::kEnd;
        skipping_ = false;
        std::swap(*row, long_row_);
        return State::kRow;
      }
      if (Take(line, row)) return State::kRow;
    }
  }

 private:
  bool Take(std::string_view line, Row* row) {
    if (skipping_) {
      skipping_ = lines_.cut();
      if (skipping_) return false;
      std::swap(*row, long_row_);
      return true;
    }
    const std::string_view content = WithoutLineEnd(line);
    if (content.find_first_not_of(" \t") == std::string_view::npos && !lines_.cut()) return false;
    skipping_ = lines_.cut();
    Row& to = skipping_ ? long_row_ : *row;
    to.Clear();
    to.line = lines_.line();
    to.raw.assign(content.substr(0, kRowMax));
    to.cells.assign(wanted_.size(), {});
    if (skipping_ || line.size() > kRowMax) {
      to.error = TooLong();
    } else {
      Parse(&to);
    }
    return !skipping_;
  }

  void Parse(Row* row) {
    using Found = ObjectReader::Found;
    found_.assign(wanted_.size(), Found::kNo);
    ObjectReader reader(*row, wanted_, found_);
    if (!nlohmann::json::sax_parse(row->raw.begin(), row->raw.end(), &reader)) {
      if (row->error.empty()) row->error = "not a JSON object";
      return;
    }
    for (size_t i = 0; i < wanted_.size() && row->error.empty(); ++i) {
      if (found_[i] == Found::kText) continue;
      row->error =
          fmt::format("{} \"{}\"{}", found_[i] == Found::kNo ? "no column" : "column", wanted_[i],
                      found_[i] == Found::kNull     ? " is null"
                      : found_[i] == Found::kNested ? " is nested"
                                                    : "");
    }
  }

  TextLines lines_;
  const std::vector<std::string> wanted_;
  std::vector<ObjectReader::Found> found_;
  Row long_row_;
  bool skipping_ = false;  // the rest of a line that is too long
};

}  // namespace

void Row::Clear() {
  for (std::string* bytes : {&raw, &text}) {
    if (bytes->capacity() > kRowKeep) std::string().swap(*bytes);
    bytes->clear();
  }
  error.clear();
  cells.clear();
  line = 0;
}

bool FormatOfName(std::string_view path, Format* format) {
  for (const std::string_view packed : {".bz2", ".gz", ".zst"}) {
    if (path.ends_with(packed)) path.remove_suffix(packed.size());
  }
  const size_t dot = path.rfind('.');
  if (dot == std::string_view::npos) return false;
  std::string ending(path.substr(dot + 1));
  for (char& c : ending) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  if (ending == "csv") return *format = Format::kCsv, true;
  if (ending == "tsv" || ending == "tab") return *format = Format::kTsv, true;
  if (ending == "ndjson" || ending == "jsonl" || ending == "json") {
    return *format = Format::kNdjson, true;
  }
  return false;
}

Result<std::unique_ptr<RowSource>> OpenRows(ByteSource& bytes, Format format,
                                            std::vector<std::string> wanted) {
  if (format == Format::kNdjson) return std::make_unique<NdjsonRows>(bytes, std::move(wanted));
  auto rows = std::make_unique<CsvRows>(bytes, format == Format::kTsv ? '\t' : ',');
  SLUICE_TRY(rows->ReadHeader(bytes, wanted));
  return rows;
}

Result<std::unique_ptr<RowSource>> OpenTable(ByteSource& bytes, Format format,
                                             std::vector<std::string>* columns) {
  SLUICE_CHECK(format != Format::kNdjson);
  auto rows = std::make_unique<CsvRows>(bytes, format == Format::kTsv ? '\t' : ',');
  SLUICE_TRY(rows->ReadHeader(bytes, {}, columns));
  return rows;
}

}  // namespace sluice::cli
