// PgFault: what went wrong at PostgreSQL, by what can be done about it.
//
// Classes are of SQLSTATE codes, the server's own; a connection that breaks has none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

#include "base/status.h"

namespace sluice::project {

struct PgFault {
  enum class Kind : uint8_t {
    kRace,     // a deadlock, or lost against another transaction: the same again may pass
    kLost,     // the connection is gone, or of no more use
    kBusy,     // the server takes no more now: starting, too many clients, a wait that was too long
    kNoSpace,  // its disk or memory is full
    kReadOnly,   // it takes no writes: a standby, or told so
    kLogin,      // it lets this user, or this database, not in
    kMisfit,     // no such table, column, type or right: not what was found when the sink opened
    kRefused,    // a value or a row is refused for what it is
    kCancelled,  // by Cancel; the connection is of no more use
  };
  Kind kind = Kind::kLost;
  std::string state;     // SQLSTATE; empty: it is not the server who says so
  std::string message;   // the server's own, with its detail
  size_t statement = 0;  // of those that were sent together

  bool lost() const { return kind == Kind::kLost || kind == Kind::kCancelled; }
  // As the answer of a call that, failing so, has changed nothing.
  Error AsError() const;
};

PgFault::Kind KindOfState(std::string_view state);

template <class T>
using PgResult = tl::expected<T, PgFault>;

inline tl::unexpected<PgFault> Fault(PgFault fault) {
  return tl::unexpected<PgFault>(std::move(fault));
}

}  // namespace sluice::project

// As SLUICE_TRY and SLUICE_ASSIGN (base/status.h), of a PgResult.
#define SLUICE_PG_TRY(expr)                                          \
  do {                                                               \
    if (auto sluice_pg = (expr); !sluice_pg.has_value())             \
      return ::sluice::project::Fault(std::move(sluice_pg).error()); \
  } while (false)
#define SLUICE_PG_ASSIGN(decl, expr)                                                         \
  auto SLUICE_CONCAT(sluice_pg_, __LINE__) = (expr);                                         \
  if (!SLUICE_CONCAT(sluice_pg_, __LINE__).has_value())                                      \
    return ::sluice::project::Fault(std::move(SLUICE_CONCAT(sluice_pg_, __LINE__)).error()); \
  decl = std::move(*SLUICE_CONCAT(sluice_pg_, __LINE__))
