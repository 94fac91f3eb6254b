#include "base/number.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "base/prng.h"

namespace sluice {
namespace {

// Goal:   every integer of 64 bits survives printing and reading, and only its shortest form is
//         read.
// Method: edges and random numbers of every magnitude; each text is then spoiled in one place.
TEST(Number, ReadsExactlyTheShortestFormOfAnInteger) {
  Prng prng(1);
  std::vector<int64_t> numbers = {0, 1, -1, INT64_MAX, INT64_MIN, INT64_MAX - 1, INT64_MIN + 1};
  for (int shift = 0; shift < 64; ++shift) {
    for (int i = 0; i < 20; ++i) numbers.push_back(static_cast<int64_t>(prng() >> shift));
    numbers.push_back(-numbers.back());
  }
  for (const int64_t number : numbers) {
    char bytes[kIntCharsMax];
    const std::string text(bytes, StoreInt(bytes, number));
    int64_t read = 99;
    ASSERT_TRUE(ParseInt(text, &read)) << text;
    EXPECT_EQ(read, number);
    const std::string digits = number < 0 ? text.substr(1) : text;
    const std::string sign = number < 0 ? "-" : "";
    for (const std::string& spoiled :
         {" " + text, text + " ", "+" + text, sign + "0" + digits, text + "a", text + ".0",
          text + std::string(1, '\0'), "--" + digits, text + "\n"}) {
      read = 99;
      EXPECT_FALSE(ParseInt(spoiled, &read)) << spoiled;
      EXPECT_EQ(read, 99) << spoiled;
    }
  }
}

// Goal:   what is no integer, or none of 64 bits, is refused.
// Method: a list of the shapes clients really send.
TEST(Number, RefusesWhatIsNoInteger) {
  int64_t read = 0;
  for (const std::string_view text :
       {"", "-", "-0", "00", "0x10", "1e3", "nan", "9223372036854775808", "-9223372036854775809",
        "18446744073709551616", "99999999999999999999", "999999999999999999999"}) {
    EXPECT_FALSE(ParseInt(text, &read)) << text;
  }
}

// Goal:   floats are read and printed as clients of INCRBYFLOAT expect.
// Method: pairs of text and what printing its value must give.
TEST(Number, PrintsFloatsWithoutTrailingZeroes) {
  const std::pair<const char*, const char*> cases[] = {
      {"3", "3"},
      {"3.0", "3"},
      {"10.50", "10.5"},
      {"0.1", "0.1"},
      {"-0", "0"},
      {"-0.0", "0"},
      {"1e20", "100000000000000000000"},
      {"1.5e-3", "0.0015"},
      {"0x10", "16"},
      {"inf", "inf"},
      {"-INFINITY", "-inf"},
      {".5", "0.5"},
      {"+7", "7"},
      {"3.14159265358979", "3.14159265358979"},
      {"1e-20", "0"},
      {"100", "100"},
  };
  for (const auto& [text, printed] : cases) {
    long double value = 0;
    ASSERT_TRUE(ParseLongDouble(text, &value)) << text;
    EXPECT_EQ(PrintLongDouble(value), printed) << text;
  }
}

// Goal:   what is no float, or no finite or infinite number, is refused.
// Method: a list, an embedded zero byte and the longest text included.
TEST(Number, RefusesWhatIsNoFloat) {
  long double value = 0;
  for (const std::string& text :
       {std::string(), std::string("nan"), std::string("-nan"), std::string(" 1"),
        std::string("1 "), std::string("1\0", 2), std::string("1,5"), std::string("1e99999"),
        std::string("1e-99999"), std::string("abc"), std::string(kLongDoubleCharsMax, '1')}) {
    EXPECT_FALSE(ParseLongDouble(text, &value)) << text;
  }
}

// Goal:   printing the largest long double fits its buffer.
// Method: the edge itself.
TEST(Number, PrintsTheLargestFloat) {
  const long double most = std::numeric_limits<long double>::max();
  const std::string text = PrintLongDouble(-most);
  long double value = 0;
  ASSERT_TRUE(ParseLongDouble(text, &value));
  EXPECT_EQ(value, -most);
}

// Goal:   doubles are printed as "%.17g" with names for what is no number.
// Method: one of each shape, and random ones read back exactly.
TEST(Number, PrintsDoublesThatReadBackExactly) {
  EXPECT_EQ(PrintDouble(0.1), "0.10000000000000001");
  EXPECT_EQ(PrintDouble(3), "3");
  EXPECT_EQ(PrintDouble(1e20), "1e+20");
  EXPECT_EQ(PrintDouble(-0.0), "-0");
  EXPECT_EQ(PrintDouble(std::nan("")), "nan");
  EXPECT_EQ(PrintDouble(-INFINITY), "-inf");
  Prng prng(2);
  for (int i = 0; i < 1000; ++i) {
    const double value =
        std::ldexp(static_cast<double>(prng()), static_cast<int>(prng.Below(600)) - 300);
    EXPECT_EQ(std::stod(PrintDouble(value)), value);
  }
}

}  // namespace
}  // namespace sluice
