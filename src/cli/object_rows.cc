#include "cli/object_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace sluice::cli {
namespace {

// Takes one object apart, without building a tree of it.
class Members {
 public:
  using Json = nlohmann::json;

  Members(Row& row, std::vector<std::string>& columns) : row_(row), columns_(columns) {}

  bool null() { return Inside(); }
  bool boolean(bool value) { return Text(value ? "true" : "false"); }
  bool number_integer(int64_t value) { return Text(fmt::format("{}", value)); }
  bool number_unsigned(uint64_t value) { return Text(fmt::format("{}", value)); }
  bool number_float(double, const std::string& as_written) { return Text(as_written); }
  bool string(std::string& value) { return Text(value); }
  bool binary(Json::binary_t&) { return false; }
  bool start_object(size_t) {
    if (arrays_ == 0) {
      prefixes_.push_back(prefixes_.empty() ? 0 : name_.size() + 1);
      if (prefixes_.back() > 0) name_ += '.';
    } else {
      ++arrays_;
    }
    return true;
  }
  bool end_object() {
    if (arrays_ > 0) {
      --arrays_;
    } else {
      prefixes_.pop_back();
    }
    return true;
  }
  bool start_array(size_t) {
    ++arrays_;
    return Inside();
  }
  bool end_array() {
    --arrays_;
    return true;
  }
  bool key(std::string& name) {
    if (arrays_ == 0) name_ = name_.substr(0, prefixes_.back()) + name;
    return true;
  }
  bool parse_error(size_t at, const std::string&, const nlohmann::detail::exception&) {
    row_.error = fmt::format("not JSON from byte {} on", at);
    return false;
  }

 private:
  bool Inside() const { return !prefixes_.empty(); }  // a value outside an object is no row

  bool Text(std::string_view text) {
    if (!Inside() || arrays_ > 0) return Inside();
    const auto known = std::find(columns_.begin(), columns_.end(), name_);
    const auto column = static_cast<size_t>(known - columns_.begin());
    if (known == columns_.end()) {
      if (columns_.size() >= plan::kColumnsMost) return true;
      columns_.push_back(name_);
    }
    row_.cells.resize(columns_.size());
    row_.cells[column] = {row_.text.size(), text.size()};
    row_.text.append(text);
    return true;
  }

  Row& row_;
  std::vector<std::string>& columns_;
  std::string name_;              // of the member at hand, with those it is within
  std::vector<size_t> prefixes_;  // of each open object: how much of name_ is before its members
  size_t arrays_ = 0;             // open arrays, and what is open within them
};

}  // namespace

Result<RowSource::State> ObjectRows::Next(Row* row) {
  for (;;) {
    std::string_view line;
    SLUICE_ASSIGN(const ByteSource::State state, lines_.Next(&line));
    if (state == ByteSource::State::kWait) return State::kWait;
    if (state == ByteSource::State::kEnd) return State::kEnd;
    const bool cut = lines_.cut();
    if (!cut && line.find_first_not_of(" \t\r\n") == std::string_view::npos) continue;
    row->Clear();
    row->line = lines_.line();
    row->raw.assign(line);
    if (cut) {
      row->error = fmt::format("the row is longer than {} bytes", kRowMax);
    } else {
      Parse(row);
    }
    return State::kRow;
  }
}

void ObjectRows::Parse(Row* row) {
  row->cells.assign(columns_.size(), {});
  Members members(*row, columns_);
  if (!nlohmann::json::sax_parse(row->raw.begin(), row->raw.end(), &members)) {
    if (row->error.empty()) row->error = "not a JSON object";
  }
}

}  // namespace sluice::cli
