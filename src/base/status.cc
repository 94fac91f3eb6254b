#include "base/status.h"

namespace sluice {

std::string_view CodeName(Code code) {
  switch (code) {
    case Code::kInvalid:
      return "invalid";
    case Code::kNotFound:
      return "not found";
    case Code::kConflict:
      return "conflict";
    case Code::kUnavailable:
      return "unavailable";
    case Code::kNoSpace:
      return "no space";
    case Code::kIo:
      return "i/o error";
    case Code::kCorrupt:
      return "corrupt";
    case Code::kFenced:
      return "fenced";
    case Code::kOutcomeUnknown:
      return "outcome unknown";
  }
  return "?";
}

}  // namespace sluice
