#include "cli/client.h"

namespace sluice::cli {
namespace {

using namespace std::string_literals;

std::string Parsed(std::string_view url) {
  const Result<Address> address = ParseUrl(url);
  if (!address.has_value()) return "refused";
  const std::string database = address->database == 0 ? "" : std::to_string(address->database);
  return address->text() + " " + address->user + " " + address->password + database;
}

TEST(Client, ReadsUrls) {
  EXPECT_EQ(Parsed("redis://localhost"), "localhost:7379  ");
  EXPECT_EQ(Parsed("redis://app:secret@10.0.0.1:6380/0"), "10.0.0.1:6380 app secret");
  EXPECT_EQ(Parsed("redis://:p%40ss%2F:x@h:1/"), "h:1  p@ss/:x");
  EXPECT_EQ(Parsed("redis://[::1]:7380"), "[::1]:7380  ");
  EXPECT_EQ(Parsed("redis://[::1]"), "[::1]:7379  ");
  EXPECT_EQ(Parsed("redis://h/15"), "h:7379  15");
  EXPECT_EQ(ParseUrl("redis://h", 6379)->text(), "h:6379");
  for (const char* wrong : {"", "localhost:7379", "http://h", "redis://", "redis://:7379",
                            "redis://h:0", "redis://h:65536", "redis://h:x", "redis://h/x",
                            "redis://h/-1", "redis://u:%4@h", "redis://[::1", "redis://[::1]x:1"}) {
    EXPECT_EQ(Parsed(wrong), "refused") << wrong;
  }
}

TEST(Client, WritesRequests) {
  std::string to = "x";
  const std::vector<std::string_view> words = {"SET", std::string_view("\0\r\n", 3), ""};
  AppendRequest(to, words);
  EXPECT_EQ(to, "x*3\r\n$3\r\nSET\r\n$3\r\n\0\r\n\r\n$0\r\n\r\n"s);
}

}  // namespace
}  // namespace sluice::cli
