#include "project/pg_connection.h"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <utility>

#include "base/check.h"

namespace sluice::project {
namespace {

using Outcome = env::Interrupt::Outcome;
using Until = env::Interrupt::Until;

constexpr uint64_t kUsPerMs = 1000;
constexpr int kNothingsMax = 16;  // in a row, from a libpq that has lost its place

// How soon a peer that is gone is noticed; whoever writes other values into the url gets those.
constexpr const char* kKeepaliveIdleS = "10";
constexpr const char* kKeepaliveIntervalS = "5";
constexpr const char* kKeepaliveCount = "3";

struct ResultDeleter {
  void operator()(PGresult* result) const { PQclear(result); }
};
using ResultPtr = std::unique_ptr<PGresult, ResultDeleter>;

std::string Trimmed(const char* text) {
  std::string trimmed = text == nullptr ? "" : text;
  while (!trimmed.empty() && (trimmed.back() == '\n' || trimmed.back() == ' ')) trimmed.pop_back();
  for (char& c : trimmed) {
    if (c == '\n' || c == '\t') c = ' ';
  }
  return trimmed;
}

PgFault FaultOf(const PGresult* result, size_t statement) {
  const auto field = [&](int code) { return Trimmed(PQresultErrorField(result, code)); };
  PgFault fault;
  fault.state = field(PG_DIAG_SQLSTATE);
  fault.kind = KindOfState(fault.state);
  fault.message = field(PG_DIAG_MESSAGE_PRIMARY);
  if (fault.message.empty()) fault.message = Trimmed(PQresultErrorMessage(result));
  if (const std::string detail = field(PG_DIAG_MESSAGE_DETAIL); !detail.empty()) {
    fault.message += " (" + detail + ")";
  }
  if (!fault.state.empty()) fault.message += " [" + fault.state + "]";
  fault.statement = statement;
  return fault;
}

PgRows RowsOf(const PGresult* result) {
  PgRows rows;
  rows.tag = PQcmdStatus(const_cast<PGresult*>(result));
  const std::string affected = PQcmdTuples(const_cast<PGresult*>(result));
  if (!affected.empty()) rows.affected = std::stoull(affected);
  const int count = PQntuples(result);
  const int columns = PQnfields(result);
  rows.rows.reserve(static_cast<size_t>(count));
  for (int row = 0; row < count; ++row) {
    PgRow& values = rows.rows.emplace_back();
    values.reserve(static_cast<size_t>(columns));
    for (int column = 0; column < columns; ++column) {
      if (PQgetisnull(result, row, column) != 0) {
        values.emplace_back();
      } else {
        values.emplace_back(std::in_place, PQgetvalue(result, row, column),
                            static_cast<size_t>(PQgetlength(result, row, column)));
      }
    }
  }
  return rows;
}

PgFault TimedOut(const char* what) {
  return {PgFault::Kind::kLost, "", fmt::format("no answer from PostgreSQL while {}", what), 0};
}

void IgnoreNotice(void*, const PGresult*) {}

}  // namespace

Status CheckPgUrl(const std::string& url) {
  char* message = nullptr;
  PQconninfoOption* options = PQconninfoParse(url.c_str(), &message);
  if (options != nullptr) {
    PQconninfoFree(options);
    return Ok();
  }
  // libpq's message may quote the url, and with it a password.
  PQfreemem(message);
  return Fail(Code::kInvalid,
              "not an address of PostgreSQL: write postgresql://USER@HOST:PORT/DATABASE");
}

PgResult<std::unique_ptr<PgConnection>> PgConnection::Open(const PgLogin& login, env::Clock& clock,
                                                           env::Interrupt& interrupt) {
  std::unique_ptr<PgConnection> opened(new PgConnection(login, clock, interrupt));
  SLUICE_PG_TRY(opened->Connect());
  SLUICE_PG_TRY(opened->SetSession());
  return opened;
}

PgConnection::~PgConnection() {
  if (connection_ != nullptr) PQfinish(connection_);
}

PgFault PgConnection::LostFault() const {
  std::string message = Trimmed(PQerrorMessage(connection_));
  if (message.empty()) message = "the connection is gone";
  return {PgFault::Kind::kLost, "", std::move(message), 0};
}

PgResult<void> PgConnection::WaitFor(Until until, uint64_t end_us, const char* what) {
  const uint64_t now_us = clock_.MonotonicUs();
  const uint64_t left_us = now_us < end_us ? end_us - now_us : 0;
  switch (interrupt_.Wait(PQsocket(connection_), until, left_us)) {
    case Outcome::kReady:
      return {};
    case Outcome::kTimedOut:
      return Fault(TimedOut(what));
    case Outcome::kRaised:
      return Fault({PgFault::Kind::kCancelled, "", "ended while waiting for PostgreSQL", 0});
  }
  return {};
}

PgResult<void> PgConnection::Connect() {
  // The later of two equal words counts, so those of the url win over all but the last two.
  const char* const names[] = {"keepalives_idle",
                               "keepalives_interval",
                               "keepalives_count",
                               "application_name",
                               "dbname",
                               "client_encoding",
                               nullptr};
  const char* const values[] = {kKeepaliveIdleS,
                                kKeepaliveIntervalS,
                                kKeepaliveCount,
                                login_.application.c_str(),
                                login_.url.c_str(),
                                "UTF8",
                                nullptr};
  connection_ = PQconnectStartParams(names, values, 1);
  SLUICE_CHECK_MSG(connection_ != nullptr, "out of memory");
  PQsetNoticeReceiver(connection_, IgnoreNotice, nullptr);
  const uint64_t end_us = clock_.MonotonicUs() + login_.connect_ms * kUsPerMs;
  PostgresPollingStatusType next = PGRES_POLLING_WRITING;
  while (PQstatus(connection_) != CONNECTION_BAD && next != PGRES_POLLING_OK &&
         next != PGRES_POLLING_FAILED) {
    const Until until = next == PGRES_POLLING_READING ? Until::kReadable : Until::kWritable;
    SLUICE_PG_TRY(WaitFor(until, end_us, "connecting"));
    next = PQconnectPoll(connection_);
  }
  if (PQstatus(connection_) != CONNECTION_OK) return Fault(LostFault());
  if (PQserverVersion(connection_) < kPgVersionLeast) {
    return Fault({PgFault::Kind::kMisfit, "",
                  fmt::format("PostgreSQL {} is too old: {} is the least",
                              PQserverVersion(connection_) / 10000, kPgVersionLeast / 10000),
                  0});
  }
  if (PQsetnonblocking(connection_, 1) != 0 || PQenterPipelineMode(connection_) != 1) {
    return Fault(LostFault());
  }
  return {};
}

PgResult<void> PgConnection::SetSession() {
  // A role or database may be set to commit without a sync; then a crash of the server would take
  // back what the log no longer keeps.
  PgResult<PgRows> set = Ask(
      "SELECT set_config('statement_timeout', $1, false), set_config('lock_timeout', $2, false), "
      "set_config('idle_in_transaction_session_timeout', $3, false), "
      "set_config('synchronous_commit', CASE current_setting('synchronous_commit') "
      "WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false), "
      "set_config('datestyle', 'ISO, YMD', false), set_config('timezone', 'UTC', false), "
      "set_config('intervalstyle', 'postgres', false), set_config('bytea_output', 'hex', false), "
      "set_config('plan_cache_mode', 'force_generic_plan', false), "
      "set_config('jit', 'off', false), "
      "set_config('tcp_keepalives_idle', $4, false), "
      "set_config('tcp_keepalives_interval', $5, false)",
      {std::to_string(login_.statement_ms), std::to_string(login_.lock_ms),
       std::to_string(login_.idle_ms), kKeepaliveIdleS, kKeepaliveIntervalS});
  SLUICE_PG_TRY(std::move(set));
  return {};
}

PgResult<void> PgConnection::Flush(uint64_t end_us) {
  for (;;) {
    const int flushed = PQflush(connection_);
    if (flushed == 0) return {};
    if (flushed < 0) return Fault(LostFault());
    // The server may be unable to read on until we read what it answers.
    SLUICE_PG_TRY(WaitFor(Until::kEither, end_us, "sending"));
    if (PQconsumeInput(connection_) != 1) return Fault(LostFault());
  }
}

PgResult<void> PgConnection::Queue(const PgStatement& statement) {
  const size_t number = awaited_.empty() ? 0 : awaited_.back().statement + 1;
  std::vector<const char*> values;
  std::vector<int> lengths;
  for (const auto& value : statement.values) {
    values.push_back(value.has_value() ? value->c_str() : nullptr);
    lengths.push_back(value.has_value() ? static_cast<int>(value->size()) : 0);
  }
  const int count = static_cast<int>(values.size());
  bool by_name = !statement.name.empty();
  if (by_name && !prepared_.contains(statement.name)) {
    by_name = prepared_.size() < kPreparedMax;
    if (by_name) {
      if (PQsendPrepare(connection_, statement.name.c_str(), statement.sql.c_str(), 0, nullptr) !=
          1) {
        return Fault(LostFault());
      }
      awaited_.push_back({number, statement.name});
      prepared_.insert(statement.name);
    }
  }
  const int sent = by_name ? PQsendQueryPrepared(connection_, statement.name.c_str(), count,
                                                 values.data(), lengths.data(), nullptr, 0)
                           : PQsendQueryParams(connection_, statement.sql.c_str(), count, nullptr,
                                               values.data(), lengths.data(), nullptr, 0);
  if (sent != 1) return Fault(LostFault());
  awaited_.push_back({number, ""});
  return {};
}

PgResult<void> PgConnection::Send(std::span<const PgStatement> statements) {
  SLUICE_CHECK(awaited_.empty());
  for (const PgStatement& statement : statements) SLUICE_PG_TRY(Queue(statement));
  if (PQpipelineSync(connection_) != 1) return Fault(LostFault());
  return Flush(clock_.MonotonicUs() + patience_ms() * kUsPerMs);
}

PgResult<std::vector<PgRows>> PgConnection::Receive(uint64_t timeout_ms) {
  const uint64_t end_us = clock_.MonotonicUs() + timeout_ms * kUsPerMs;
  std::vector<PgRows> all;
  std::optional<PgFault> fault;
  size_t received = 0;
  int nothings = 0;
  for (;;) {
    while (PQisBusy(connection_) == 1) {
      PgResult<void> ready = WaitFor(Until::kReadable, end_us, "waiting for a result");
      if (!ready.has_value()) return Fault(std::move(ready).error());
      if (PQconsumeInput(connection_) != 1) return Fault(fault.value_or(LostFault()));
    }
    const ResultPtr result(PQgetResult(connection_));
    if (result == nullptr) {  // between the results of two statements
      const bool stuck = ++nothings > kNothingsMax;
      if (stuck || PQstatus(connection_) == CONNECTION_BAD) {
        return Fault(fault.value_or(LostFault()));
      }
      continue;
    }
    nothings = 0;
    const ExecStatusType status = PQresultStatus(result.get());
    if (status == PGRES_PIPELINE_SYNC) break;
    const Awaited* awaited = received < awaited_.size() ? &awaited_[received] : nullptr;
    ++received;
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
      if (awaited != nullptr && awaited->prepares.empty()) all.push_back(RowsOf(result.get()));
      continue;
    }
    if (awaited != nullptr) prepared_.erase(awaited->prepares);
    if (status == PGRES_PIPELINE_ABORTED || fault.has_value()) continue;
    fault = FaultOf(result.get(), awaited == nullptr ? 0 : awaited->statement);
  }
  awaited_.clear();
  if (fault.has_value()) return Fault(*std::move(fault));
  return all;
}

PgResult<std::vector<PgRows>> PgConnection::Run(std::span<const PgStatement> statements) {
  SLUICE_PG_TRY(Send(statements));
  return Receive(patience_ms());
}

PgResult<PgRows> PgConnection::Ask(std::string sql,
                                   std::vector<std::optional<std::string>> values) {
  const PgStatement statement{.sql = std::move(sql), .values = std::move(values)};
  SLUICE_PG_ASSIGN(std::vector<PgRows> all, Run({&statement, 1}));
  return std::move(all.front());
}

}  // namespace sluice::project
