#include "base/number.h"

#include <cctype>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace sluice {

bool ParseInt(std::string_view text, int64_t* value) {
  if (text.empty() || text.size() > kIntCharsMax) return false;
  const size_t first = text[0] == '-' ? 1 : 0;
  if (first == text.size()) return false;
  // Zero is "0" alone: neither "-0" nor "07" is the shortest form of anything.
  if (text[first] == '0' && text.size() > 1) return false;
  int64_t read = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), read);
  if (error != std::errc() || end != text.data() + text.size()) return false;
  *value = read;
  return true;
}

bool ParseLongDouble(std::string_view text, long double* value) {
  if (text.empty() || text.size() >= kLongDoubleCharsMax) return false;
  if (std::isspace(static_cast<unsigned char>(text[0]))) return false;
  char bytes[kLongDoubleCharsMax];
  std::memcpy(bytes, text.data(), text.size());
  bytes[text.size()] = '\0';
  char* end = nullptr;
  errno = 0;
  const long double read = std::strtold(bytes, &end);
  if (end != bytes + text.size() || std::isnan(read)) return false;
  if (errno == ERANGE && (std::isinf(read) || std::fpclassify(read) == FP_ZERO)) return false;
  if (errno == EINVAL) return false;
  *value = read;
  return true;
}

std::string PrintLongDouble(long double value) {
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char bytes[kLongDoubleCharsMax];
  const int size = std::snprintf(bytes, sizeof bytes, "%.17Lf", value);
  std::string text(bytes, size);
  const size_t last = text.find_last_not_of('0');
  text.resize(text[last] == '.' ? last : last + 1);
  return text == "-0" ? "0" : text;
}

std::string PrintDouble(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char bytes[40];
  const int size = std::snprintf(bytes, sizeof bytes, "%.17g", value);
  return std::string(bytes, size);
}

}  // namespace sluice
