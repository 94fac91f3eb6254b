#include "admit/refusal.h"

#include <gtest/gtest.h>

#include "base/prng.h"

namespace sluice::admit {
namespace {

// Goal:   refusals have the form that the reference promises.
// Method: each kind, each class.
TEST(Refusal, HasItsForm) {
  EXPECT_EQ(Throttled("limit", "likes", 20),
            "THROTTLED reason=limit scope=likes retry_ms=20 applied=no");
  constexpr std::pair<model::Priority, const char*> kClasses[] = {
      {model::Priority::kCritical, "critical"},
      {model::Priority::kNormal, "normal"},
      {model::Priority::kLow, "low"},
      {model::Priority::kBackground, "background"}};
  for (const auto& [priority, name] : kClasses) {
    const std::string text =
        std::string("OVERLOADED reason=store class=") + name + " retry_ms=7 applied=no";
    EXPECT_EQ(Overloaded("store", priority, 7), text);
    EXPECT_EQ((Refusal{.text = {}, .reason = "store", .retry_ms = 7}.TextFor(priority)), text);
    EXPECT_EQ((Refusal{.text = "NOSPACE full", .reason = {}}.TextFor(priority)), "NOSPACE full");
  }
  EXPECT_TRUE(Refusal{}.none());
}

// Goal:   what a refusal says is read out of each kind, and of no other error.
// Method: texts as they are made, and errors that look like them.
TEST(Refusal, HasItsWords) {
  EXPECT_EQ(WordsOf(Throttled("limit", "likes", 20)),
            "reason=limit scope=likes retry_ms=20 applied=no");
  EXPECT_EQ(WordsOf(Overloaded("store", model::Priority::kLow, 7)),
            "reason=store class=low retry_ms=7 applied=no");
  EXPECT_EQ(WordsOf(NeverPasses(6, "limit_by", "likes/post:x;y", 5)),
            "reason=limit_by scope=likes/post:x;y writes=6 burst=5 applied=no");
  EXPECT_EQ(WordsOf(kLogDiskFull), "reason=log_disk applied=no");
  EXPECT_EQ(WordsOf(kStoreDiskFull), "reason=store_disk applied=no");
  EXPECT_EQ(WordsOf(kDiskNearlyFull), "reason=disk applied=no");
  for (const std::string_view other : {"", "ERR syntax error", "THROTTLED", "NOSPACE ", "WRONGTYPE",
                                       "OUTCOMEUNKNOWN the log failed"}) {
    EXPECT_EQ(WordsOf(other), "") << other;
  }
}

// Goal:   whatever bytes a client chose, what is shown of them is one word, and not longer than its
//         bound.
// Method: drawn bytes of drawn lengths.
TEST(Refusal, ShowsAnyBytesAsOneWord) {
  Prng prng(1);
  for (int round = 0; round < 10'000; ++round) {
    std::string bytes;
    for (uint64_t n = prng() % 200; n > 0; --n) bytes += static_cast<char>(prng());
    const std::string shown = Shown(bytes);
    EXPECT_LE(shown.size(), 4 * kShownBytesMax + 3);
    for (const char c : shown) EXPECT_TRUE(c > 0x20 && c < 0x7f);
    EXPECT_EQ(shown.ends_with("..."), bytes.size() > kShownBytesMax || bytes.ends_with("..."));
  }
  EXPECT_EQ(Shown("a b\\\n"), "a\\x20b\\x5c\\x0a");
  EXPECT_EQ(Shown("tenant-7"), "tenant-7");
}

}  // namespace
}  // namespace sluice::admit
