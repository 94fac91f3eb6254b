// HSCAN and MEMORY USAGE over real sessions; what they answer where Redis would answer the same is
// in tests/e2e/test_compat.py.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/number.h"
#include "resp/decoder.h"
#include "server/node_fixture.h"

namespace sluice::server {
namespace {

using testing::HasSubstr;

struct Page {
  std::string cursor;
  std::vector<std::pair<std::string, std::string>> fields;
};

Page Scan(NodeFixture& node, uint64_t id, std::string_view key, std::string_view cursor,
          std::string_view count) {
  const std::string bytes = node.Ask(id, Request({"HSCAN", key, cursor, "COUNT", count}));
  resp::Decoder decoder;
  resp::Value value;
  size_t consumed = 0;
  EXPECT_EQ(decoder.Next(bytes, &consumed, &value), resp::Decoder::Got::kReply) << bytes;
  Page page;
  if (value.items.size() != 2) {
    ADD_FAILURE() << bytes;
    return page;
  }
  page.cursor = value.items[0].text;
  const std::vector<resp::Value>& items = value.items[1].items;
  for (size_t i = 0; i + 1 < items.size(); i += 2) {
    page.fields.emplace_back(items[i].text, items[i + 1].text);
  }
  return page;
}

std::string Field(int i) {
  return fmt::format("field:{:05}", i * 7919 % 100'000);
}

// Goal:   a walk over a large hash shows each field that is there all the while exactly once, with
//         what it holds when its page is read, whatever else is written, stored or lost meanwhile.
// Method: rows in the buffer, in the store, in both; one lane and three; before each page some
//         fields change, come and go; every third page is asked for twice, as after a lost reply.
TEST(HashScan, ShowsEachFieldOnce) {
  constexpr int kFields = 2'000;
  for (const size_t lanes : {1, 3}) {
    for (const bool cold : {false, true}) {
      NodeFixture node({.lanes = lanes, .cold = cold});
      const uint64_t id = node.Connect();
      for (int i = 0; i < kFields; ++i) node.Turn(0, id, Request({"HSET", "h", Field(i), "old"}));
      node.Rest(id);
      if (cold) node.StoreBuffers();
      std::map<std::string, std::string> seen;
      std::string cursor = "0";
      int pages = 0;
      do {
        const std::string change = fmt::format("comes:{}", pages);
        node.Ask(id, Request({"HSET", "h", Field(kFields - 1 - pages), "new", change, "x"}) +
                         Request({"HDEL", "h", Field(pages)}));
        Page page = Scan(node, id, "h", cursor, "150");
        if (pages % 3 == 0) {
          const Page again = Scan(node, id, "h", cursor, "150");
          EXPECT_EQ(again.fields, page.fields);
          page.cursor = again.cursor;
        }
        for (const auto& [field, value] : page.fields) {
          EXPECT_TRUE(seen.emplace(field, value).second) << field;
        }
        EXPECT_LE(page.fields.size(), 150u);
        cursor = page.cursor;
        ++pages;
      } while (cursor != "0" && pages < 100);
      EXPECT_GE(pages, kFields / 150);
      for (int i = pages; i < kFields - pages; ++i) EXPECT_EQ(seen[Field(i)], "old") << i;
    }
  }
}

// Goal:   a cursor goes on with its own hash, and with no other; a hash that ended meanwhile ends
//         the walk; a new one begins anew.
// Method: cursors of another key, of SCAN, of nobody; DEL and a new hash between two pages.
TEST(HashScan, CursorsBelongToTheirHash) {
  NodeFixture node;
  const uint64_t id = node.Connect();
  for (const char* key : {"h", "other"}) {
    for (int i = 0; i < 500; ++i) node.Turn(0, id, Request({"HSET", key, Field(i), "v"}));
    node.Rest(id);
  }
  const Page page = Scan(node, id, "h", "0", "10");
  EXPECT_EQ(page.fields.size(), 128u) << "a COUNT below that is taken for it";
  const std::string unknown =
      "-ERR this cursor is not known (any more); begin again with cursor 0\r\n";
  EXPECT_EQ(node.Ask(id, Request({"HSCAN", "other", page.cursor})), unknown);
  EXPECT_EQ(node.Ask(id, Request({"HSCAN", "h", "77"})), unknown);
  EXPECT_THAT(node.Ask(id, Request({"SCAN", page.cursor})), HasSubstr("cursor is not known"));
  EXPECT_EQ(Scan(node, id, "h", page.cursor, "1000").fields.size(), 372u);

  node.Ask(id, Request({"DEL", "h"}));
  EXPECT_TRUE(Scan(node, id, "h", page.cursor, "10").fields.empty());
  for (int i = 0; i < 500; ++i) node.Turn(0, id, Request({"HSET", "h", Field(i), "again"}));
  node.Rest(id);
  EXPECT_EQ(Scan(node, id, "h", page.cursor, "1000").fields.size(), 372u);
}

// Goal:   no page holds more than its bound, however large the fields are.
// Method: fields that together pass what any reply may bring, of 1 MiB each; the walk finds all.
TEST(HashScan, PagesAHashThatNoReplyBrings) {
  NodeFixture node;
  const uint64_t id = node.Connect();
  const std::string value(size_t{1} << 20, 'v');
  for (int i = 0; i < 60; ++i) node.Ask(id, Request({"HSET", "h", Field(i), value}));
  for (int i = 0; i < 200; ++i)
    node.Ask(id, Request({"HSET", "h", fmt::format("small:{}", i), ""}));
  EXPECT_THAT(node.Ask(id, Request({"HGETALL", "h"})), HasSubstr("holds more than 48 MiB"));
  std::set<std::string> seen;
  std::string cursor = "0";
  do {
    const Page page = Scan(node, id, "h", cursor, "100000");
    size_t bytes = 0;
    for (const auto& [field, held] : page.fields) {
      EXPECT_TRUE(seen.insert(field).second);
      bytes += held.size();
    }
    EXPECT_LE(bytes, 5u << 20);
    cursor = page.cursor;
  } while (cursor != "0");
  EXPECT_EQ(seen.size(), 260u);
}

// Goal:   MEMORY USAGE tells of each kind of key about what it holds, of none nil, and looks at no
//         key that the user may not see.
// Method: keys of known sizes, warm and cold; a user of some keys.
TEST(HashScan, UsageIsAboutTheSize) {
  for (const bool cold : {false, true}) {
    NodeFixture node({.lanes = 2,
                      .config = "[user.app]\npassword_sha256 = "
                                "\"5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8"
                                "\"\ncommands = [\"read\"]\nkeys = [\"s*\"]\n",
                      .cold = cold});
    const uint64_t admin = node.Connect();
    (void)admin;
    const uint64_t id = node.Connect();
    EXPECT_EQ(node.Ask(id, Request({"AUTH", "app", "password"})), "+OK\r\n");
    EXPECT_EQ(
        node.Ask(id, Request({"MEMORY", "USAGE", "h"})),
        "-NOPERM this user has no permissions to access one of the keys used as arguments\r\n");
    EXPECT_EQ(node.Ask(id, Request({"MEMORY", "USAGE", "s"})), "$-1\r\n");
  }
  for (const bool cold : {false, true}) {
    NodeFixture node({.lanes = 2, .cold = cold});
    const uint64_t id = node.Connect();
    node.Ask(id, Request({"SET", "s", std::string(10'000, 's')}) +
                     Request({"HSET", "small", "f", std::string(1'000, 'v')}));
    for (int i = 0; i < 1'000; ++i) {
      node.Turn(0, id, Request({"HSET", "large", Field(i), std::string(100, 'v')}));
    }
    node.Rest(id);
    if (cold) node.StoreBuffers();
    const auto usage = [&](std::initializer_list<std::string_view> words) {
      int64_t bytes = 0;
      const std::string reply = node.Ask(id, Request(words));
      EXPECT_TRUE(reply.starts_with(':') &&
                  ParseInt(std::string_view(reply).substr(1, reply.size() - 3), &bytes))
          << reply;
      return bytes;
    };
    EXPECT_NEAR(static_cast<double>(usage({"MEMORY", "USAGE", "s"})), 10'000, 200);
    EXPECT_NEAR(static_cast<double>(usage({"MEMORY", "USAGE", "small"})), 1'000, 200);
    const int64_t all = usage({"MEMORY", "USAGE", "large", "SAMPLES", "0"});
    EXPECT_GT(all, 100 * 1'000);
    EXPECT_LT(all, 300 * 1'000);
    EXPECT_NEAR(static_cast<double>(usage({"MEMORY", "USAGE", "large"})), static_cast<double>(all),
                static_cast<double>(all) / 50);
  }
}

}  // namespace
}  // namespace sluice::server
