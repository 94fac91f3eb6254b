// Status and Result: how a call says what went wrong and what is now true of the data.
//
// A code exists only if a caller branches on it. The message is for people. Ignoring a Status or a
// Result is a compile error. No exception crosses a room's door.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace sluice {

enum class Code : uint8_t {
  kInvalid,         // nothing happened; it never will as asked
  kNotFound,        // nothing happened; the thing named does not exist
  kConflict,        // nothing happened; lost a compare-and-swap or an expectation did not hold
  kUnavailable,     // nothing happened; may succeed later (full queue, busy, moving)
  kNoSpace,         // nothing happened; the disk is full
  kIo,              // the outside world said no; what it did is unknown to this call
  kCorrupt,         // stored bytes fail their check; nothing was changed
  kFenced,          // nothing happened; a newer owner exists
  kOutcomeUnknown,  // may or may not have happened (a failed sync)
};

// "invalid", "no space", … for log lines.
std::string_view CodeName(Code code);

struct Error {
  Code code;
  std::string message;

  // The same error, with where it happened put before the message: "context: message".
  Error In(std::string_view context) const {
    return Error{code, std::string(context) + ": " + message};
  }
};

using Failure = tl::unexpected<Error>;

// `return Fail(Code::kInvalid, "…")` from a function that returns a Status or a Result.
inline Failure Fail(Code code, std::string message) {
  return Failure(Error{code, std::move(message)});
}
inline Failure Fail(Error error) {
  return Failure(std::move(error));
}

template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
};

class [[nodiscard]] Status : public tl::expected<void, Error> {
 public:
  using tl::expected<void, Error>::expected;
  bool ok() const { return has_value(); }
};

inline Status Ok() {
  return {};
}

}  // namespace sluice

#define SLUICE_CONCAT_INNER(a, b) a##b
#define SLUICE_CONCAT(a, b) SLUICE_CONCAT_INNER(a, b)

// Leaves the enclosing function with the error if `expr` (a Status or Result) has one.
#define SLUICE_TRY(expr)                                          \
  do {                                                            \
    if (auto sluice_status = (expr); !sluice_status.has_value())  \
      return ::sluice::Failure(std::move(sluice_status).error()); \
  } while (false)

// `SLUICE_ASSIGN(const auto x, Make());`: takes the value out, or leaves with the error.
#define SLUICE_ASSIGN(decl, expr)                                                         \
  auto SLUICE_CONCAT(sluice_result_, __LINE__) = (expr);                                  \
  if (!SLUICE_CONCAT(sluice_result_, __LINE__).has_value())                               \
    return ::sluice::Failure(std::move(SLUICE_CONCAT(sluice_result_, __LINE__)).error()); \
  decl = std::move(*SLUICE_CONCAT(sluice_result_, __LINE__))
