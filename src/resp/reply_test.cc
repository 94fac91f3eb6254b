#include "resp/reply.h"

#include <gtest/gtest.h>

#include <cmath>

namespace sluice::resp {
namespace {

template <class Write>
std::string Written(Version version, Write write) {
  std::string bytes = "before";
  Reply reply(bytes, version);
  write(reply);
  EXPECT_EQ(bytes.substr(0, 6), "before");
  return bytes.substr(6);
}

// Goal:   each kind of reply has the bytes of its protocol version.
// Method: every kind in both versions, against bytes written down by hand.
TEST(Reply, HasTheBytesOfItsVersion) {
  const auto check = [](auto write, std::string_view resp2, std::string_view resp3) {
    EXPECT_EQ(Written(Version::k2, write), resp2);
    EXPECT_EQ(Written(Version::k3, write), resp3);
  };
  check([](Reply& r) { r.Simple("OK"); }, "+OK\r\n", "+OK\r\n");
  check([](Reply& r) { r.Error("ERR a\r\nb"); }, "-ERR a  b\r\n", "-ERR a  b\r\n");
  check([](Reply& r) { r.Int(INT64_MIN); }, ":-9223372036854775808\r\n",
        ":-9223372036854775808\r\n");
  check([](Reply& r) { r.Bulk(std::string_view("a\0\r\n", 4)); },
        std::string_view("$4\r\na\0\r\n\r\n", 10), std::string_view("$4\r\na\0\r\n\r\n", 10));
  check([](Reply& r) { r.Bulk(""); }, "$0\r\n\r\n", "$0\r\n\r\n");
  check([](Reply& r) { r.Null(); }, "$-1\r\n", "_\r\n");
  check([](Reply& r) { r.NullArray(); }, "*-1\r\n", "_\r\n");
  check([](Reply& r) { r.Array(3); }, "*3\r\n", "*3\r\n");
  check([](Reply& r) { r.Map(2); }, "*4\r\n", "%2\r\n");
  check([](Reply& r) { r.Set(2); }, "*2\r\n", "~2\r\n");
  check([](Reply& r) { r.Double(1.5); }, "$3\r\n1.5\r\n", ",1.5\r\n");
  check([](Reply& r) { r.Double(-INFINITY); }, "$4\r\n-inf\r\n", ",-inf\r\n");
  check([](Reply& r) { r.Bool(true); }, ":1\r\n", "#t\r\n");
  check([](Reply& r) { r.Bool(false); }, ":0\r\n", "#f\r\n");
  check([](Reply& r) { r.Verbatim("hi"); }, "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n");
  check([](Reply& r) { r.Raw(":7\r\n"); }, ":7\r\n", ":7\r\n");
}

}  // namespace
}  // namespace sluice::resp
