// PgConnection: one connection to PostgreSQL, in pipeline mode: statements go out together and cost
// one round trip.
//
//   Send()     statements, as one pipeline; returns when the socket has taken them.
//   Receive()  waits for their results: of all, or the first one's that failed. The server has then
//              run none behind that one.
//   Run()      both.
//
// A transaction is begun and ended by statements: a failed one inside it leaves it open, and
// aborted.
//
// Owns:     the connection and its prepared statements. Borrows clock and interrupt.
// Threads:  one at a time.
// Failure:  PgFault. After one that is lost() the object is of no more use.
// Bounds:   every wait has an end, PgLogin says when; kPreparedMax statements stay prepared, others
//           are parsed each time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "env/env.h"
#include "env/linux/interrupt.h"
#include "project/pg_fault.h"

// libpq's own names, so that its header is read in pg_connection.cc only.
struct pg_conn;
struct pg_result;

namespace sluice::project {

inline constexpr size_t kPreparedMax = 128;
inline constexpr int kPgVersionLeast = 120000;  // older servers are refused

struct PgLogin {
  std::string url;                 // postgresql://user@host/database, or libpq's key=value words
  std::string application;         // what pg_stat_activity shows
  uint64_t connect_ms = 10'000;    // for all hosts of the url together
  uint64_t statement_ms = 60'000;  // for one statement at the server; a little later it is given up
  uint64_t lock_ms = 10'000;       // for one lock
  uint64_t idle_ms = 30'000;       // a transaction whose client fell silent ends by itself
};

struct PgStatement {
  std::string sql;
  std::vector<std::optional<std::string>> values = {};  // of $1, $2, … as text; none: NULL
  std::string name = {};  // prepared under it at its first use; empty: parsed each time
};

using PgRow = std::vector<std::optional<std::string>>;  // as text; none: NULL
struct PgRows {
  std::vector<PgRow> rows;
  uint64_t affected = 0;
  std::string tag;  // "INSERT 0 3", "COMMIT", "ROLLBACK"
};

class PgConnection {
 public:
  // Connects and sets the session: limits, UTC, no durability less than the server's own fsync.
  static PgResult<std::unique_ptr<PgConnection>> Open(const PgLogin& login, env::Clock& clock,
                                                      env::Interrupt& interrupt);
  ~PgConnection();
  PgConnection(const PgConnection&) = delete;
  PgConnection& operator=(const PgConnection&) = delete;

  // Requires: what was sent before has been received.
  PgResult<void> Send(std::span<const PgStatement> statements);
  PgResult<std::vector<PgRows>> Receive(uint64_t timeout_ms);
  PgResult<std::vector<PgRows>> Run(std::span<const PgStatement> statements);
  PgResult<PgRows> Ask(std::string sql, std::vector<std::optional<std::string>> values = {});

  // How long Receive waits for what obeys PgLogin.
  uint64_t patience_ms() const { return login_.statement_ms + login_.lock_ms; }

 private:
  PgConnection(const PgLogin& login, env::Clock& clock, env::Interrupt& interrupt)
      : login_(login), clock_(clock), interrupt_(interrupt) {}
  PgResult<void> Connect();
  PgResult<void> SetSession();
  PgResult<void> Queue(const PgStatement& statement);
  PgResult<void> WaitFor(env::Interrupt::Until until, uint64_t end_us, const char* what);
  PgResult<void> Flush(uint64_t end_us);
  PgFault LostFault() const;

  // A result that is awaited: of a statement, or of its preparation.
  struct Awaited {
    size_t statement;
    std::string prepares;  // the name, of a preparation
  };

  const PgLogin login_;
  env::Clock& clock_;
  env::Interrupt& interrupt_;
  pg_conn* connection_ = nullptr;
  std::vector<Awaited> awaited_;
  std::unordered_set<std::string> prepared_;
};

// A url's mistakes, without connecting: kInvalid says what is wrong, and shows no password.
Status CheckPgUrl(const std::string& url);

}  // namespace sluice::project
