#include "base/log_line.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <utility>

namespace sluice {
namespace {

constexpr std::string_view kLevelNames[] = {"debug", "info", "warning", "error", "off"};
constexpr spdlog::level::level_enum kSpdlogLevels[] = {spdlog::level::debug, spdlog::level::info,
                                                       spdlog::level::warn, spdlog::level::err,
                                                       spdlog::level::off};

class FunctionSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit FunctionSink(std::function<void(std::string_view)> function)
      : function_(std::move(function)) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    function_({message.payload.data(), message.payload.size()});
  }
  void flush_() override {}

 private:
  const std::function<void(std::string_view)> function_;
};

uint64_t SystemWallMs() {
  const auto now = spdlog::log_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

struct Site {
  LogLevel level;
  std::string room;
  uint64_t second = 0;
  uint32_t lines = 0;       // in that second
  uint64_t suppressed = 0;  // since the last line that was written
};

struct Log {
  explicit Log(LogOptions given) : options(std::move(given)) {
    if (!options.wall_ms) options.wall_ms = SystemWallMs;
    spdlog::sink_ptr sink;
    if (options.sink) {
      sink = std::make_shared<FunctionSink>(options.sink);
    } else {
      sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    }
    writer = std::make_unique<spdlog::logger>("sluice", std::move(sink));
    writer->set_pattern("%v");
    writer->set_level(kSpdlogLevels[static_cast<int>(options.least)]);
    writer->flush_on(spdlog::level::debug);
  }

  LogOptions options;
  std::unique_ptr<spdlog::logger> writer;
  std::mutex mutex;                                   // guards `sites`
  std::map<std::pair<const char*, int>, Site> sites;  // as many as the program has calls
};

std::shared_ptr<Log>& CurrentLog() {
  static std::shared_ptr<Log> log = std::make_shared<Log>(LogOptions{});
  return log;
}

std::string Quoted(std::string_view text) {
  // Keys and peers' bytes may be anything; a line must be valid UTF-8 without control characters.
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

bool IsPlainWord(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c < 0x7f && c != '"' && c != '=' && c != '\\';
  });
}

std::string ValueText(const LogValue& value, LogFormat format) {
  return std::visit(
      [format](const auto& got) -> std::string {
        using T = std::decay_t<decltype(got)>;
        if constexpr (std::is_same_v<T, std::string_view>) {
          if (format == LogFormat::kText && IsPlainWord(got)) return std::string(got);
          return Quoted(got);
        } else if constexpr (std::is_same_v<T, double>) {
          return std::isfinite(got) ? fmt::format("{}", got) : std::string("null");
        } else {
          return fmt::format("{}", got);
        }
      },
      value.get());
}

struct Event {
  LogLevel level;
  std::string_view room, message;
  LogFields fields;
  uint64_t suppressed;
};

std::string JsonLine(std::string_view time, const Event& event) {
  std::string line = fmt::format(R"({{"time":"{}","level":"{}","room":{},"message":{})", time,
                                 kLevelNames[static_cast<int>(event.level)], Quoted(event.room),
                                 Quoted(event.message));
  for (const LogField& field : event.fields) {
    line += fmt::format(",{}:{}", Quoted(field.name), ValueText(field.value, LogFormat::kJson));
  }
  if (event.suppressed > 0) line += fmt::format(R"(,"suppressed":{})", event.suppressed);
  return line + "}";
}

std::string TextLine(std::string_view time, const Event& event) {
  const bool plain = std::none_of(event.message.begin(), event.message.end(),
                                  [](char c) { return static_cast<unsigned char>(c) < ' '; });
  std::string line =
      fmt::format("{} {:<7} {}: {}", time, kLevelNames[static_cast<int>(event.level)], event.room,
                  plain ? std::string(event.message) : Quoted(event.message));
  for (const LogField& field : event.fields) {
    line += fmt::format(" {}={}", field.name, ValueText(field.value, LogFormat::kText));
  }
  if (event.suppressed > 0) line += fmt::format(" suppressed={}", event.suppressed);
  return line;
}

void Write(Log& log, uint64_t now_ms, const Event& event) {
  const std::string time =
      fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                  fmt::gmtime(static_cast<std::time_t>(now_ms / 1000)), now_ms % 1000);
  const std::string line =
      log.options.format == LogFormat::kJson ? JsonLine(time, event) : TextLine(time, event);
  log.writer->log(kSpdlogLevels[static_cast<int>(event.level)], spdlog::string_view_t(line));
}

}  // namespace

void SetLog(LogOptions options) {
  std::atomic_store(&CurrentLog(), std::make_shared<Log>(std::move(options)));
}

void LogLine(LogLevel level, std::string_view room, std::string_view message, LogFields fields,
             const char* file, int line) {
  const std::shared_ptr<Log> log = std::atomic_load(&CurrentLog());
  if (level < log->options.least) return;
  const uint64_t now_ms = log->options.wall_ms();
  uint64_t suppressed = 0;
  {
    const std::lock_guard lock(log->mutex);
    Site& site = log->sites.try_emplace({file, line}, Site{level, std::string(room)}).first->second;
    if (site.second != now_ms / 1000) site.second = now_ms / 1000, site.lines = 0;
    if (site.lines == kLogLinesPerSecond) {
      ++site.suppressed;
      return;
    }
    ++site.lines;
    suppressed = std::exchange(site.suppressed, 0);
  }
  Write(*log, now_ms, Event{level, room, message, fields, suppressed});
}

void FlushLog() {
  const std::shared_ptr<Log> log = std::atomic_load(&CurrentLog());
  const uint64_t now_ms = log->options.wall_ms();
  const std::lock_guard lock(log->mutex);
  for (auto& [key, site] : log->sites) {
    const uint64_t suppressed = std::exchange(site.suppressed, 0);
    if (suppressed == 0) continue;
    Write(*log, now_ms,
          Event{site.level, site.room, "lines suppressed", {{"line", key.second}}, suppressed});
  }
}

}  // namespace sluice
