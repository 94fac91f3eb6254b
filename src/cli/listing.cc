#include "cli/listing.h"

#include <fmt/format.h>

namespace sluice::cli {

void Listing::Put(const Line& line, int depth) {
  if (json_) {
    out_ << line.dump() << '\n';
    return;
  }
  std::string text(static_cast<size_t>(2 * depth), ' ');
  bool first = true;
  for (const auto& [name, value] : line.items()) {
    if (!first) text += " · ";
    first = false;
    text += name + ' ';
    text += value.is_string() ? value.get<std::string>() : value.dump();
  }
  out_ << text << '\n';
}

std::string Shown(std::string_view bytes, size_t most) {
  std::string shown;
  for (const char c : bytes.substr(0, most)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n' || c == '\r' || c == '\t') {
      shown += c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t";
    } else if (c == '"' || c == '\\') {
      shown += '\\';
      shown += c;
    } else if (byte < 0x20 || byte >= 0x7f) {
      shown += fmt::format("\\x{:02x}", byte);
    } else {
      shown += c;
    }
  }
  if (bytes.size() > most) shown += fmt::format("… ({} more bytes)", bytes.size() - most);
  return shown;
}

}  // namespace sluice::cli
