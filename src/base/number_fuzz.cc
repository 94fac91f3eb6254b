// Numbers of clients: what is read as one is printed as the same one.
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/fuzz_test.h"
#include "base/number.h"

SLUICE_FUZZ(base_number) {
  using namespace sluice;
  int64_t whole = 77;
  if (ParseInt(bytes, &whole)) {
    SLUICE_CHECK(std::to_string(whole) == bytes);
  } else {
    SLUICE_CHECK(whole == 77);
  }
  long double real = 0;
  if (!ParseLongDouble(bytes, &real)) return;
  const std::string printed = PrintLongDouble(real);
  long double again = 0;
  SLUICE_CHECK(ParseLongDouble(printed, &again));
  SLUICE_CHECK(PrintLongDouble(again) == printed);
  SLUICE_CHECK(!PrintDouble(static_cast<double>(real)).empty());
}
