#include "base/log_line.h"

#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "base/prng.h"

namespace sluice {
namespace {

class LogLineTest : public testing::Test {
 protected:
  ~LogLineTest() override { SetLog({}); }
  void Use(LogFormat format, LogLevel least = LogLevel::kInfo) {
    SetLog({.format = format,
            .least = least,
            .sink = [this](std::string_view line) { lines_.emplace_back(line); },
            .wall_ms = [this] { return now_ms_.load(); }});
  }

  std::vector<std::string> lines_;
  std::atomic<uint64_t> now_ms_{1714564800123};
};

// Goal:   a line is exactly what the documents show.
TEST_F(LogLineTest, ReadsAsDocumented) {
  Use(LogFormat::kJson);
  LogInfo("store", "run applied", {{"rows", 512}, {"ms", 3u}, {"late", false}, {"share", 0.25}});
  LogError("log", "sync failed", {{"why", std::string("EIO")}});
  Use(LogFormat::kText);
  LogWarning("store", "run applied",
             {{"rows", int64_t{-5}}, {"why", "no space left"}, {"to", "a.sst"}});
  ASSERT_EQ(lines_.size(), 3u);
  EXPECT_EQ(lines_[0], R"({"time":"2024-05-01T12:00:00.123Z","level":"info","room":"store",)"
                       R"("message":"run applied","rows":512,"ms":3,"late":false,"share":0.25})");
  EXPECT_EQ(lines_[1], R"({"time":"2024-05-01T12:00:00.123Z","level":"error","room":"log",)"
                       R"("message":"sync failed","why":"EIO"})");
  EXPECT_EQ(
      lines_[2],
      R"(2024-05-01T12:00:00.123Z warning store: run applied rows=-5 why="no space left" to=a.sst)");
}

// Goal:   whatever bytes a client sends, a line stays one line and one valid JSON object.
// Method: random bytes as message and field, in both formats.
TEST_F(LogLineTest, SurvivesAnyBytes) {
  Prng prng(3);
  for (int i = 0; i < 2000; ++i) {
    std::string bytes(prng.Below(20), 0);
    for (char& c : bytes) c = static_cast<char>(prng.OneIn(3) ? prng.Below(40) : prng());
    lines_.clear();
    Use(i % 2 ? LogFormat::kJson : LogFormat::kText);
    LogInfo("server", bytes, {{"peer", bytes}});
    ASSERT_EQ(lines_.size(), 1u);
    for (const char c : lines_[0]) ASSERT_GE(static_cast<unsigned char>(c), ' ') << lines_[0];
    if (i % 2) {
      const auto json = nlohmann::json::parse(lines_[0], nullptr, false);
      ASSERT_TRUE(json.is_object()) << lines_[0];
      ASSERT_TRUE(json["peer"].is_string());
    }
  }
}

// Goal:   numbers are exact at their ends, and JSON has no word for infinity.
TEST_F(LogLineTest, WritesNumbersExactly) {
  Use(LogFormat::kJson);
  LogInfo("base", "ends",
          {{"u", std::numeric_limits<uint64_t>::max()},
           {"i", std::numeric_limits<int64_t>::min()},
           {"d", std::numeric_limits<double>::infinity()}});
  const auto json = nlohmann::json::parse(lines_.at(0));
  EXPECT_EQ(json["u"].get<uint64_t>(), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(json["i"].get<int64_t>(), std::numeric_limits<int64_t>::min());
  EXPECT_TRUE(json["d"].is_null());
}

// Goal:   a call site writes at most its share in a second, says how much it kept back, and does
//         not use up the share of another site.
TEST_F(LogLineTest, LimitsEachCallSite) {
  Use(LogFormat::kJson);
  for (int second = 0; second < 3; ++second) {
    lines_.clear();
    for (int i = 0; i < 100; ++i) {
      if (i == 50) LogInfo("base", "another site");
      LogInfo("base", "busy");
    }
    ASSERT_EQ(lines_.size(), kLogLinesPerSecond + 1);
    const auto first = nlohmann::json::parse(lines_[0]);
    EXPECT_EQ(first.value("suppressed", 0u), second == 0 ? 0u : 100 - kLogLinesPerSecond);
    EXPECT_FALSE(nlohmann::json::parse(lines_[1]).contains("suppressed"));
    EXPECT_EQ(nlohmann::json::parse(lines_.back())["message"], "another site");
    now_ms_ += 1000;
  }
  lines_.clear();
  FlushLog();
  FlushLog();
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_EQ(nlohmann::json::parse(lines_[0])["suppressed"], 100 - kLogLinesPerSecond);
}

// Goal:   lines below the least level are not written, and kOff writes none.
TEST_F(LogLineTest, KeepsToItsLevel) {
  for (const LogLevel least :
       {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError, LogLevel::kOff}) {
    lines_.clear();
    Use(LogFormat::kText, least);
    LogDebug("base", "x");
    LogInfo("base", "x");
    LogWarning("base", "x");
    LogError("base", "x");
    EXPECT_EQ(lines_.size(), 4u - static_cast<size_t>(least));
  }
}

// Goal:   lines of many threads come out whole, and none is lost or counted twice.
// Method: four threads share one call site; written plus suppressed must be what was logged.
TEST_F(LogLineTest, IsSafeFromManyThreads) {
  Use(LogFormat::kJson);
  constexpr int kThreads = 4, kLines = 500;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this] {
      for (int i = 0; i < kLines; ++i) {
        if (i % 50 == 0) now_ms_ += 1000;
        LogInfo("base", "shared", {{"i", i}});
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  FlushLog();
  uint64_t total = 0;
  for (const std::string& line : lines_) {
    const auto json = nlohmann::json::parse(line);
    total += json.value("suppressed", uint64_t{0}) + (json["message"] == "shared" ? 1 : 0);
  }
  EXPECT_EQ(total, uint64_t{kThreads} * kLines);
}

}  // namespace
}  // namespace sluice
