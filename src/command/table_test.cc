#include <gtest/gtest.h>

#include <set>
#include <string>

#include "base/prng.h"
#include "command/fake_view.h"

namespace sluice::command {
namespace {

std::string Refusal(const std::vector<std::string>& command) {
  const std::vector<std::string_view> args(command.begin(), command.end());
  std::string bytes;
  resp::Reply reply(bytes, resp::Version::k2);
  const bool refused = Resolve(args, reply) == nullptr;
  EXPECT_EQ(refused, !bytes.empty());
  return bytes;
}

// Goal:   every command is found by its name in any case, and nothing else is found.
// Method: all names in random case; all names with each byte changed to each other byte, cut, and
//         lengthened.
TEST(Table, FindsEveryNameInAnyCaseAndNothingElse) {
  std::set<std::string> names;
  for (const Spec& spec : AllCommands()) names.emplace(spec.name);
  ASSERT_EQ(names.size(), AllCommands().size());
  Prng prng(1);
  for (const std::string& name : names) {
    for (int i = 0; i < 10; ++i) {
      std::string cased = name;
      for (char& c : cased) c = prng.OneIn(2) ? static_cast<char>(std::toupper(c)) : c;
      ASSERT_NE(FindCommand(cased), nullptr) << cased;
      EXPECT_EQ(FindCommand(cased)->name, name);
    }
    for (size_t at = 0; at < name.size(); ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string spoiled = name;
        spoiled[at] = static_cast<char>(byte);
        std::string lower = spoiled;
        for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
        EXPECT_EQ(FindCommand(spoiled) != nullptr, names.contains(lower)) << spoiled;
      }
      EXPECT_EQ(FindCommand(name.substr(0, at)) != nullptr, names.contains(name.substr(0, at)));
    }
    for (const char* tail : {" ", "x", "\r", "1"}) EXPECT_EQ(FindCommand(name + tail), nullptr);
    EXPECT_EQ(FindCommand(name + std::string(1, '\0')), nullptr);
  }
  EXPECT_EQ(FindCommand(""), nullptr);
  EXPECT_EQ(FindCommand(std::string(100'000, 'a')), nullptr);
}

// Goal:   each entry can be carried out by the face it names.
// Method: walk over the table.
TEST(Table, EntriesAreWhole) {
  for (const Spec& spec : AllCommands()) {
    EXPECT_EQ(spec.handler != nullptr, spec.face == Face::kKey) << spec.name;
    EXPECT_EQ(spec.multi != nullptr, spec.face == Face::kMulti) << spec.name;
    EXPECT_NE(spec.arity, 0) << spec.name;
    EXPECT_FALSE(spec.group.empty()) << spec.name;
    EXPECT_EQ(spec.first_key == 0, spec.key_step == 0) << spec.name;
    EXPECT_FALSE((spec.flags & kRead) && (spec.flags & kWrite)) << spec.name;
    EXPECT_TRUE(AlternativeTo(spec.name).empty()) << spec.name;
    if (spec.flags & kUnavailable) continue;
    EXPECT_FALSE(spec.summary.empty()) << spec.name;
  }
}

// Goal:   a call that cannot run is refused in Redis' words, or says what to use instead.
// Method: one call per reason.
TEST(Table, RefusalsSayWhy) {
  EXPECT_EQ(Refusal({"foo", "a", "b c"}),
            "-ERR unknown command 'foo', with args beginning with: 'a' 'b c' \r\n");
  EXPECT_EQ(Refusal({"FOO"}), "-ERR unknown command 'FOO', with args beginning with: \r\n");
  EXPECT_EQ(Refusal({"f\r\no"}), "-ERR unknown command 'f  o', with args beginning with: \r\n");
  EXPECT_EQ(Refusal({std::string(200, 'x'), std::string(200, 'y'), "z"}),
            "-ERR unknown command '" + std::string(128, 'x') + "', with args beginning with: '" +
                std::string(128, 'y') + "' \r\n");
  EXPECT_EQ(Refusal({"GeT"}), "-ERR wrong number of arguments for 'get' command\r\n");
  EXPECT_EQ(Refusal({"hset", "k", "f"}), "-ERR wrong number of arguments for 'hset' command\r\n");
  EXPECT_EQ(Refusal({"mset", "k", "v", "l"}),
            "-ERR wrong number of arguments for 'mset' command\r\n");
  EXPECT_EQ(Refusal({"get", "k"}), "");
  EXPECT_EQ(Refusal({"sadd"}), "-ERR 'SADD' is not available yet in this version of Sluice\r\n");
  EXPECT_EQ(Refusal({"Multi"}), "-ERR 'MULTI' is not available yet in this version of Sluice\r\n");
  EXPECT_EQ(Refusal({"lPush", "k", "v"}),
            "-ERR 'LPUSH' is not offered by Sluice: streams are the queue here (XADD, XREADGROUP; "
            "in a later version)\r\n");
  for (const char* name :
       {"SUNION", "ZUNIONSTORE", "SETBIT", "GEOADD", "SORT", "OBJECT", "DUMP", "COPY", "RENAME",
        "EVAL", "SUBSCRIBE", "MODULE", "CLUSTER", "SWAPDB", "MOVE", "LCS", "DEBUG", "BRPOPLPUSH"}) {
    EXPECT_NE(Refusal({name}).find("is not offered by Sluice: "), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace sluice::command
