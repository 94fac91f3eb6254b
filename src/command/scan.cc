#include "command/scan.h"

#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <string>

#include "base/number.h"
#include "command/handler.h"

namespace sluice::command {

bool ParseCursor(std::string_view word, resp::Reply& reply, uint64_t* cursor) {
  const std::string text(word);
  char* end = nullptr;
  errno = 0;
  // As wide as Redis reads it: "-1" and "+1" are cursors too.
  *cursor = std::strtoull(text.c_str(), &end, 10);
  if (!std::isspace(static_cast<unsigned char>(text[0])) && *end == '\0' && errno != ERANGE) {
    return true;
  }
  reply.Error("ERR invalid cursor");
  return false;
}

bool ParseScanWords(Args words, ScanOf of, resp::Reply& reply, ScanWords* parsed) {
  for (size_t at = 0; at < words.size(); at += 2) {
    if (at + 1 == words.size()) return reply.Error(kSyntax), false;
    const std::string_view value = words[at + 1];
    if (Is(words[at], "count")) {
      int64_t count = 0;
      if (!ParseInt(value, &count)) return reply.Error(kNotAnInteger), false;
      if (count < 1) return reply.Error(kSyntax), false;
      parsed->count = static_cast<uint64_t>(count);
    } else if (Is(words[at], "match")) {
      parsed->has_match = true;
      parsed->match = value;
    } else if (of == ScanOf::kKeys && Is(words[at], "type")) {
      parsed->type = value;
    } else {
      return reply.Error(kSyntax), false;
    }
  }
  return true;
}

}  // namespace sluice::command
