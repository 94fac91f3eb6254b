// A PostgreSQL of a test program's own: Debian's 15, in a temporary directory, on a free port, with
// fsync on. It is stopped at the end, also when the program is killed.
//
// Started as root it runs as the user postgres, which PostgreSQL insists on.
#pragma once

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "env/linux/clock.h"
#include "env/linux/interrupt.h"
#include "env/linux/socket.h"
#include "project/pg_connection.h"

namespace sluice::project {

class PgServer {
 public:
  PgServer() {
    std::string path = (std::filesystem::temp_directory_path() / "sluice_pg_XXXXXX").string();
    SLUICE_CHECK(::mkdtemp(path.data()) != nullptr);
    dir_ = path;
    Shell("if [ $(id -u) = 0 ]; then chown postgres {0}; fi");
    As("initdb -D {0}/data -U sluice -A trust -N --no-instructions -E UTF8 --locale=C.UTF-8");
    port_ = FreePort();
    Shell(
        fmt::format("printf '%s\\n' \"port = {}\" \"listen_addresses = '127.0.0.1'\" "
                    "\"unix_socket_directories = '{{0}}'\" 'fsync = on' 'max_connections = 50' "
                    "'shared_buffers = 64MB' 'deadlock_timeout = 200ms' "
                    "'restart_after_crash = on' 'log_min_messages = warning' "
                    ">> {{0}}/data/postgresql.conf",
                    port_));
    Start();
    // Whatever becomes of this program, the server does not outlive it.
    Shell(
        "setsid sh -c 'while kill -0 $0; do sleep 1; done; if [ -d $1 ]; then "
        "kill -9 $(head -1 $1/data/postmaster.pid); rm -rf $1; fi' $PPID {0} "
        "< /dev/null > {0}/watch 2>&1 &");
  }
  ~PgServer() {
    std::system(Command("pg_ctl -D {0}/data -m immediate stop").c_str());
    std::filesystem::remove_all(dir_);
  }

  void Start() { As("pg_ctl -w -t 60 -D {0}/data -l {0}/log start"); }
  void Stop() { As("pg_ctl -w -D {0}/data -m fast stop"); }
  // As a crash of the machine would, but for what the kernel keeps.
  void Kill() {
    Shell("kill -9 $(head -1 {0}/data/postmaster.pid)");
    // The children see that the postmaster is gone and end; a new one waits for that.
    As("sh -c 'while pg_ctl -D {0}/data status; do sleep 0.05; done'");
    As("sh -c 'until pg_ctl -w -t 60 -D {0}/data -l {0}/log start; do sleep 0.2; done'");
  }
  // After it the server ends all sessions and recovers.
  void KillBackend(const std::string& pid) { Shell("kill -9 " + pid + " || true"); }
  void WaitUntilUp() {
    As("sh -c 'until pg_isready -h {0} -p " + std::to_string(port_) + "; do sleep 0.05; done'");
  }

  std::string Url(uint16_t port = 0, const std::string& database = "postgres") const {
    return fmt::format("postgresql://sluice@127.0.0.1:{}/{}", port == 0 ? port_ : port, database);
  }
  uint16_t port() const { return port_; }

  // One statement on a connection of its own; again while the server is starting, or has crashed.
  PgRows Ask(const std::string& sql, const std::string& database = "postgres") {
    const PgLogin login{.url = Url(0, database), .application = "test"};
    env::LinuxClock clock;
    const auto interrupt = std::move(*env::Interrupt::Open());
    for (int attempt = 0;; ++attempt) {
      auto connection = PgConnection::Open(login, clock, *interrupt);
      PgResult<PgRows> rows = connection.has_value() ? (*connection)->Ask(sql)
                                                     : PgResult<PgRows>(Fault(connection.error()));
      if (rows.has_value()) return *std::move(rows);
      SLUICE_CHECK_MSG(rows.error().lost() && attempt < kAttemptsMax,
                       sql + ": " + rows.error().message);
      WaitUntilUp();
    }
  }
  // Its rows, values joined by '|', NULL as "NULL".
  std::vector<std::string> Lines(const std::string& sql) {
    std::vector<std::string> lines;
    for (const PgRow& row : Ask(sql).rows) {
      std::string& line = lines.emplace_back();
      for (size_t i = 0; i < row.size(); ++i) {
        line += (i == 0 ? "" : "|") + row[i].value_or("NULL");
      }
    }
    return lines;
  }

  // The program's one; started at first use.
  static PgServer& Shared();

 private:
  static constexpr int kAttemptsMax = 100;

  static uint16_t FreePort() {
    auto listener = env::Listener::Open("127.0.0.1:0");
    SLUICE_CHECK(listener.has_value());
    return (*listener)->port();
  }
  std::string Command(const std::string& command) const {
    const std::string filled = fmt::format(fmt::runtime(command), dir_);
    return fmt::format(
        "cd / && PATH=/usr/lib/postgresql/15/bin:$PATH && "
        "run() {{ if [ $(id -u) = 0 ]; then runuser -u postgres -- \"$@\"; "
        "else \"$@\"; fi; }} && run {} >> {}/out 2>&1",
        filled, dir_);
  }
  void As(const std::string& command) {
    SLUICE_CHECK_MSG(std::system(Command(command).c_str()) == 0, command + ": " + Said());
  }
  void Shell(const std::string& command) {
    const std::string filled = fmt::format(fmt::runtime(command), dir_);
    SLUICE_CHECK_MSG(std::system(filled.c_str()) == 0, filled);
  }
  std::string Said() const {
    std::string said;
    for (const char* name : {"/out", "/log"}) {
      std::ifstream file(dir_ + name);
      said.append(std::istreambuf_iterator<char>(file), {});
    }
    return said;
  }

  std::string dir_;
  uint16_t port_ = 0;
};

inline PgServer& PgServer::Shared() {
  static PgServer server;
  return server;
}

}  // namespace sluice::project
