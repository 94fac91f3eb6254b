#include "console/pages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/prng.h"
#include "console/page.h"

namespace sluice::console {
namespace {

class FakeSource final : public Source {
 public:
  Readiness Ready() override { return readiness; }
  std::string MetricsText() override { return "# TYPE x counter\nx 1\n"; }
  Result<std::string> ShardsJson() override { return shards; }
  Result<std::string> KeyspacesJson() override { return R"({"keyspaces":[]})"; }
  Result<std::string> HotKeysJson() override { return R"({"hotkeys":[]})"; }
  Result<std::string> HeatmapJson(const HeatmapQuery& query) override {
    asked = query;
    return R"({"keyspace":"likes"})";
  }
  Result<std::string> JobsJson() override { return R"({"jobs":[]})"; }
  Result<std::string> SamplesJson() override { return R"({"keyspaces":[]})"; }
  Result<std::string> ProjectionsJson() override { return R"({"projections":[]})"; }
  Result<std::string> ConfigJson() override { return R"({"server":{}})"; }

  HeatmapQuery asked;
  Readiness readiness{.ready = true, .reason = {}};
  Result<std::string> shards = R"({"shards":[{"id":1}]})";
};

const char* const kPaths[] = {"/",
                              "/console.js",
                              "/console.css",
                              "/healthz",
                              "/readyz",
                              "/metrics",
                              "/api/v1/shards",
                              "/api/v1/keyspaces",
                              "/api/v1/hotkeys",
                              "/api/v1/samples",
                              "/api/v1/config"};

// Goal:   every path answers GET and HEAD, whatever its query, and refuses what would change it.
TEST(Pages, AnswersEachPath) {
  FakeSource source;
  const Pages pages(source, {});
  for (const std::string path : kPaths) {
    for (const char* query : {"", "?", "?a=b?c"}) {
      const std::string target = path + query;
      EXPECT_EQ(pages.Answer({"GET", target, ""}).status, 200) << target;
      EXPECT_EQ(pages.Answer({"HEAD", target, ""}).status, 200) << target;
      for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "get", "BREW"}) {
        EXPECT_EQ(pages.Answer({method, target, ""}).status, 405) << method << target;
      }
    }
  }
  for (const char* target : {"", "//", "/x", "/healthz/", "/Healthz", "/api/v1", "/../", "*",
                             "http://host/healthz", "/api/v1/shards%00"}) {
    EXPECT_EQ(pages.Answer({"GET", target, ""}).status, 404) << target;
  }
  EXPECT_EQ(pages.Answer({"GET", "/", ""}).body, kPageHtml);
  EXPECT_EQ(pages.Answer({"GET", "/console.js", ""}).body, kPageScript);
  EXPECT_EQ(pages.Answer({"GET", "/api/v1/shards", ""}).content_type, "application/json");
}

// Goal:   what is not there yet is said with its reason and the right status.
TEST(Pages, SaysWhyNot) {
  FakeSource source;
  const Pages pages(source, {});
  source.readiness = {.ready = false, .reason = "replaying the log: 40 of 100 MiB"};
  Response answer = pages.Answer({"GET", "/readyz", ""});
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.body, "replaying the log: 40 of 100 MiB\n");
  EXPECT_EQ(pages.Answer({"GET", "/healthz", ""}).status, 200);
  source.shards = Fail(Code::kUnavailable, "the \"map\" is \xff being read");
  answer = pages.Answer({"GET", "/api/v1/shards", ""});
  EXPECT_EQ(answer.status, 503);
  EXPECT_THAT(nlohmann::json::parse(answer.body)["error"].get<std::string>(),
              testing::StartsWith("the \"map\" is "));
  source.shards = Fail(Code::kIo, "x");
  EXPECT_EQ(pages.Answer({"GET", "/api/v1/shards", ""}).status, 500);
}

// Goal:   with users configured nothing but /healthz answers a stranger, not even "no such page".
TEST(Pages, AsksForTheUser) {
  FakeSource source;
  Access access = kEverything;
  const Pages pages(source, [&access](std::string_view user, std::string_view password) {
    return user == "ops" && password == "a:b c" ? access : Access();
  });
  const std::string right = "Basic b3BzOmE6YiBj", wrong = "Basic b3BzOmE6YiBk";
  for (const std::string path : kPaths) {
    const bool open = path == "/healthz";
    for (const std::string& header : {std::string(), wrong, std::string("Basic"),
                                      std::string("Bearer b3BzOmE6YiBj"), right + "!"}) {
      EXPECT_EQ(pages.Answer({"GET", path, header}).status, open ? 200 : 401) << path << header;
    }
    EXPECT_EQ(pages.Answer({"GET", path, right}).status, 200) << path;
    EXPECT_EQ(pages.Answer({"GET", path, "bAsIc b3BzOmE6YiBj"}).status, 200) << path;
  }
  EXPECT_EQ(pages.Answer({"GET", "/x", ""}).status, 401);
  EXPECT_EQ(pages.Answer({"POST", "/metrics", ""}).status, 401);
  EXPECT_EQ(pages.Answer({"GET", "/x", right}).status, 404);
  for (const bool all_keys : {false, true}) {
    access = {.known = true, .all_keys = all_keys};
    for (const std::string path : kPaths) {
      const bool names_keys = path == "/api/v1/hotkeys" || path == "/api/v1/samples";
      const bool shown = path != "/api/v1/config" && (all_keys || !names_keys);
      EXPECT_EQ(pages.Answer({"GET", path, right}).status, shown ? 200 : 403) << path;
    }
    EXPECT_EQ(pages.Answer({"GET", "/api/v1/heatmap?keyspace=likes", right}).status,
              all_keys ? 200 : 403);
  }
}

// Goal:   the heat map is asked for as its parameters say; what is none is refused with the reason.
TEST(Pages, ReadTheParametersOfTheHeatmap) {
  FakeSource source;
  const Pages pages(source, {});
  const auto ask = [&](const std::string& query) {
    source.asked = {};
    return pages.Answer({"GET", "/api/v1/heatmap" + query, ""});
  };
  EXPECT_EQ(ask("?keyspace=a%2fb+c%4&resolution=1h&from=5&to=70&buckets=9").status, 200);
  EXPECT_EQ(source.asked.keyspace, "a/b c%4");
  EXPECT_EQ(source.asked.resolution, "1h");
  EXPECT_EQ(source.asked.from_s, 5u);
  EXPECT_EQ(source.asked.to_s, 70u);
  EXPECT_EQ(source.asked.buckets, 9u);
  EXPECT_EQ(ask("").status, 200);
  EXPECT_FALSE(source.asked.from_s || source.asked.to_s || source.asked.buckets);
  for (const char* query : {"?from=", "?from=-1", "?to=x", "?buckets=99999999999999999999", "?a=b",
                            "?keyspace=a&&to=3", "?from"}) {
    const Response answer = ask(query);
    EXPECT_EQ(answer.status, 400) << query;
    EXPECT_TRUE(nlohmann::json::parse(answer.body).contains("error")) << query;
  }
}

std::string Base64(std::string_view bytes) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t bits = 0;
    for (size_t j = 0; j < 3; ++j) {
      bits = bits << 8 | (i + j < bytes.size() ? static_cast<uint8_t>(bytes[i + j]) : 0);
    }
    for (size_t j = 0; j < 4; ++j) {
      text += i + j <= bytes.size() ? kDigits[bits >> (18 - 6 * j) & 63] : '=';
    }
  }
  return text;
}

// Goal:   user and password come out as they went in, with any bytes but a colon in the user's.
// Method: random names and passwords of each length; then each header once damaged: the answer may
//         be no, or another text, but never a crash.
TEST(Pages, TakesAuthorizationApart) {
  Prng prng(11);
  for (int i = 0; i < 3000; ++i) {
    std::string user(prng.Below(9), 0), password(prng.Below(9), 0);
    for (char& c : password) c = static_cast<char>(prng());
    for (char& c : user) c = static_cast<char>('A' + prng.Below(50));
    std::string header = "Basic " + Base64(user + ":" + password);
    std::string got_user, got_password;
    ASSERT_TRUE(ParseBasicAuthorization(header, &got_user, &got_password)) << header;
    ASSERT_EQ(got_user, user);
    ASSERT_EQ(got_password, password);
    header[prng.Below(header.size())] = static_cast<char>(prng());
    got_user.clear();
    (void)ParseBasicAuthorization(header, &got_user, &got_password);
  }
}

}  // namespace
}  // namespace sluice::console
