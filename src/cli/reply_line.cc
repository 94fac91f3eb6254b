#include "cli/reply_line.h"

#include <algorithm>
#include <string>

namespace sluice::cli {
namespace {

// What a sink says has quotes in it; they stay as they are.
std::string Text(const std::string& bytes) {
  constexpr size_t kTextMost = 1'000;
  const bool plain = bytes.size() <= kTextMost &&
                     std::all_of(bytes.begin(), bytes.end(),
                                 [](char c) { return c >= 0x20 && c < 0x7f && c != '\\'; });
  return plain ? bytes : Shown(bytes);
}

}  // namespace

Listing::Line LineOf(const resp::Value& value) {
  switch (value.type) {
    case resp::Value::Type::kNull:
      return nullptr;
    case resp::Value::Type::kInt:
      return value.number;
    case resp::Value::Type::kArray: {
      Listing::Line items = Listing::Line::array();
      for (const resp::Value& item : value.items) items.push_back(LineOf(item));
      return items;
    }
    case resp::Value::Type::kMap: {
      Listing::Line object = Listing::Line::object();
      for (size_t i = 0; i + 1 < value.items.size(); i += 2) {
        object[Text(value.items[i].text)] = LineOf(value.items[i + 1]);
      }
      return object;
    }
    default:
      return Text(value.text);
  }
}

}  // namespace sluice::cli
