// What the process says of itself: one line per event, for the person on call and for programs.
//
//   LogInfo("store", "run applied", {{"rows", rows}, {"ms", ms}});
//   {"time":"2024-05-01T12:00:00.123Z","level":"info","room":"store","message":"run applied",
//    "rows":512,"ms":3}
//
// A call site may write kLogLinesPerSecond lines a second; those beyond are counted, and the next
// line of the site (or FlushLog) carries the count as "suppressed". The log is the process's own,
// as standard error is, and therefore reached without an object.
//
// Threads:  any. Writing blocks while standard error does: no lane logs per command.
// Failure:  a line that cannot be written is lost silently.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

namespace sluice {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarning, kError, kOff };
enum class LogFormat : uint8_t { kJson, kText };

inline constexpr uint32_t kLogLinesPerSecond = 10;

struct LogOptions {
  LogFormat format = LogFormat::kJson;
  LogLevel least = LogLevel::kInfo;
  // Where lines go, without their newline, one call at a time; standard error if empty.
  std::function<void(std::string_view line)> sink = {};
  std::function<uint64_t()> wall_ms = {};  // the time since 1970; the system's if empty
};

// Replaces how lines are written from now on, and forgets what call sites have used up. Before the
// first call lines are JSON to standard error.
void SetLog(LogOptions options);

// Says what is still suppressed, one line per call site; for the end of the process.
void FlushLog();

class LogValue {
 public:
  LogValue(bool value) : value_(value) {}
  LogValue(double value) : value_(value) {}
  template <class T>
  requires(std::is_integral_v<T>&& std::is_signed_v<T>) LogValue(T value)
      : value_(static_cast<int64_t>(value)) {}
  template <class T>
  requires(std::is_integral_v<T>&& std::is_unsigned_v<T>) LogValue(T value)
      : value_(static_cast<uint64_t>(value)) {}
  LogValue(std::string_view value) : value_(value) {}
  LogValue(const std::string& value) : value_(std::string_view(value)) {}
  LogValue(const char* value) : value_(std::string_view(value)) {}

  const auto& get() const { return value_; }

 private:
  std::variant<bool, int64_t, uint64_t, double, std::string_view> value_;
};

// Borrows: the name and a text value, until the call returns.
struct LogField {
  std::string_view name;
  LogValue value;
};
using LogFields = std::initializer_list<LogField>;

// `file` and `line` name the call site; they are never passed.
void LogLine(LogLevel level, std::string_view room, std::string_view message, LogFields fields,
             const char* file, int line);

inline void LogDebug(std::string_view room, std::string_view message, LogFields fields = {},
                     const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  LogLine(LogLevel::kDebug, room, message, fields, file, line);
}
inline void LogInfo(std::string_view room, std::string_view message, LogFields fields = {},
                    const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  LogLine(LogLevel::kInfo, room, message, fields, file, line);
}
inline void LogWarning(std::string_view room, std::string_view message, LogFields fields = {},
                       const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  LogLine(LogLevel::kWarning, room, message, fields, file, line);
}
inline void LogError(std::string_view room, std::string_view message, LogFields fields = {},
                     const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  LogLine(LogLevel::kError, room, message, fields, file, line);
}

}  // namespace sluice
