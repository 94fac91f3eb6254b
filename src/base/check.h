// Checks of what must be true whatever the input: a broken one is a defect in Sluice, and going on
// could damage data, so the process ends at once. They stay on in production.
#pragma once

#include <string_view>

namespace sluice {

// Prints the place and the broken expectation to standard error and aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* expression,
                              std::string_view detail = {});

}  // namespace sluice

#define SLUICE_CHECK(expression)                              \
  do {                                                        \
    if (__builtin_expect(!(expression), 0))                   \
      ::sluice::CheckFailed(__FILE__, __LINE__, #expression); \
  } while (false)

#define SLUICE_CHECK_MSG(expression, detail)                            \
  do {                                                                  \
    if (__builtin_expect(!(expression), 0))                             \
      ::sluice::CheckFailed(__FILE__, __LINE__, #expression, (detail)); \
  } while (false)
