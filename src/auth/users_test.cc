#include "auth/users.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sluice::auth {
namespace {

// printf %s secret | sha256sum
constexpr std::string_view kSecret =
    "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
// The digest of the empty string: a password all the same.
constexpr std::string_view kEmpty =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

Users Of(std::string_view toml) {
  const auto config = config::Load(toml, "test.toml", {});
  EXPECT_TRUE(config.has_value()) << config.error().message;
  return Users(config->users);
}

// Goal:   without configured users everybody may do everything.
TEST(Users, AreOneWhenNoneIsConfigured) {
  const Users users = Of("");
  const User* user = users.Unauthenticated();
  ASSERT_NE(user, nullptr);
  EXPECT_EQ(user->name, "default");
  EXPECT_FALSE(user->has_password);
  EXPECT_TRUE(MayRun(*user, kRead | kWrite | kAdmin));
  EXPECT_TRUE(MayUse(*user, std::string("\0any\r\n", 6)));
  EXPECT_EQ(users.Authenticate("default", "whatever"), user);
  EXPECT_EQ(users.Authenticate("other", "whatever"), nullptr);
}

// Goal:   a password is asked for exactly where there is one, and only the right one is taken.
// Method: each user with the right password, one bit off, another's, none, and a longer one.
TEST(Users, AuthenticateByPassword) {
  const Users users = Of("[user.app]\npassword_sha256 = \"" + std::string(kSecret) +
                         "\"\n[user.nil]\npassword_sha256 = \"" + std::string(kEmpty) + "\"\n");
  EXPECT_EQ(users.Unauthenticated(), nullptr);
  EXPECT_EQ(users.Find("default"), nullptr);
  EXPECT_NE(users.Authenticate("app", "secret"), nullptr);
  for (const std::string_view wrong :
       {std::string_view(""), std::string_view("Secret"), std::string_view("secret "),
        std::string_view("secret\0", 7), kSecret}) {
    EXPECT_EQ(users.Authenticate("app", wrong), nullptr) << wrong;
  }
  for (int bit = 0; bit < 48; ++bit) {
    std::string wrong = "secret";
    wrong[static_cast<size_t>(bit / 8)] = static_cast<char>(wrong[bit / 8] ^ (1 << bit % 8));
    EXPECT_EQ(users.Authenticate("app", wrong), nullptr) << wrong;
  }
  EXPECT_NE(users.Authenticate("nil", ""), nullptr);
  EXPECT_EQ(users.Authenticate("nil", "secret"), nullptr);
  for (const std::string_view name : {"", "default", "APP", "app ", "nobody"}) {
    EXPECT_EQ(users.Authenticate(name, "secret"), nullptr) << name;
    EXPECT_EQ(users.Authenticate(name, ""), nullptr) << name;
  }
}

// Goal:   an unauthenticated connection is the default user only while that has no password.
TEST(Users, DefaultUserNeedsItsPassword) {
  const Users locked = Of("[user.default]\npassword_sha256 = \"" + std::string(kSecret) + "\"");
  EXPECT_EQ(locked.Unauthenticated(), nullptr);
  ASSERT_NE(locked.Authenticate("default", "secret"), nullptr);
  EXPECT_FALSE(MayRun(*locked.Authenticate("default", "secret"), kAdmin));
  const Users open = Of("[user.default]\ncommands = [\"read\"]\n[user.app]\npassword_sha256 = \"" +
                        std::string(kSecret) + "\"");
  ASSERT_NE(open.Unauthenticated(), nullptr);
  EXPECT_TRUE(MayRun(*open.Unauthenticated(), kRead));
  EXPECT_FALSE(MayRun(*open.Unauthenticated(), kWrite));
}

// Goal:   a command runs exactly if all that it needs is allowed.
// Method: every set of allowed categories against every need.
TEST(Users, MayRunWhatTheyWereGiven) {
  const std::vector<std::string> names = {"read", "write", "admin"};
  for (uint32_t given = 1; given < 8; ++given) {
    std::string list;
    for (uint32_t i = 0; i < 3; ++i) {
      if ((given >> i & 1) != 0) list += (list.empty() ? "\"" : ", \"") + names[i] + "\"";
    }
    const Users users = Of("[user.default]\ncommands = [" + list + "]");
    for (uint32_t needs = 0; needs < 8; ++needs) {
      EXPECT_EQ(MayRun(*users.Unauthenticated(), needs), (needs & ~given) == 0)
          << given << " " << needs;
    }
  }
}

// Goal:   keys are allowed by glob, and a command needs all of its keys.
TEST(Users, MayUseKeysByPattern) {
  const Users users = Of("[user.default]\nkeys = [\"likes:*\", \"order:[0-9]*\"]");
  const User& user = *users.Unauthenticated();
  EXPECT_FALSE(user.all_keys);
  EXPECT_TRUE(MayUse(user, "likes:1"));
  EXPECT_TRUE(MayUse(user, "order:7:x"));
  EXPECT_FALSE(MayUse(user, "order:x"));
  EXPECT_FALSE(MayUse(user, ""));
  const std::vector<std::string_view> good = {"likes:", "order:1"}, bad = {"likes:", "secrets"};
  EXPECT_TRUE(MayUseAll(user, good));
  EXPECT_FALSE(MayUseAll(user, bad));
  EXPECT_TRUE(MayUseAll(user, {}));
}

}  // namespace
}  // namespace sluice::auth
