// Context: what the connections of all lanes share: who the server is, what it was told, who may
// come in.
//
// Made once, before the lanes run, and outlives them.
//
// Threads:  any. What is no atomic and has no lock of its own does not change while lanes run.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "auth/users.h"
#include "config/live.h"
#include "env/env.h"
#include "ingest/lane.h"
#include "server/client_memory.h"
#include "server/kept_stats.h"
#include "server/latency_events.h"
#include "server/overload.h"
#include "server/slow_log.h"

namespace sluice::rebalance {
class Jobs;
}

namespace sluice::server {

class Connections;
class Projections;

inline constexpr std::string_view kRedisVersion = "7.0.15";  // whose replies Sluice's are judged by

// Who the server is. Constant.
struct Identity {
  std::string version;  // of Sluice
  std::string build;    // the commit it was built from
  std::string run_id;   // 40 hex digits, drawn at each start
  std::string os;
  std::string executable;
  std::string config_file;  // empty: none
  uint64_t pid = 0;
  uint16_t port = 0;
  uint64_t started_ms = 0;  // wall clock
};

// What the process uses.
struct ProcessUse {
  uint64_t allocated_bytes = 0;  // of those that are resident
  uint64_t resident_bytes = 0, resident_peak_bytes = 0;
  uint64_t machine_bytes = 0;  // memory of the machine
  double user_s = 0, system_s = 0;
};

// The memory allocator, as MEMORY talks to it.
struct Allocator {
  std::string_view name = "libc";
  std::function<std::string()> stats = [] { return std::string(); };
  std::function<void()> purge = [] {};
};

// The node's own settings, as CONFIG shows and changes them.
class Settings {
 public:
  virtual ~Settings() = default;
  virtual config::Config Now() = 0;
  // All of `values` or nothing. kInvalid, kConflict, kNotFound as in config::With.
  virtual Status Set(std::span<const config::NewValue> values) = 0;
};

struct Context {
  Context(ingest::Node& node_, env::Clock& clock_, const auth::LiveUsers& users_)
      : node(node_), clock(clock_), users(users_) {}

  ingest::Node& node;
  env::Clock& clock;
  const auth::LiveUsers& users;
  Identity identity;
  Settings* settings = nullptr;        // set before the first connection
  Projections* projections = nullptr;  // the same; null: there are none
  rebalance::Jobs* jobs = nullptr;     // set before the first connection
  uint64_t memory_bytes = 0;           // the bound of server.memory
  std::function<ProcessUse()> process = [] { return ProcessUse(); };
  Allocator allocator;
  std::function<void()> stop = [] {};     // asks for a clean stop; called on a lane
  std::vector<Connections*> connections;  // by lane

  std::atomic<uint64_t> clients_max{10'000};
  uint64_t clients_most = 1'000'000;  // what the process has descriptors for
  std::atomic<uint64_t> clients{0};   // open, or on their way to their lane
  std::atomic<uint64_t> next_client_id{1};
  ClientMemory client_memory;
  SlowLog slow_log;
  LatencyEvents latency;
  KeptStats stats;
  Overload overload{*this};
};

}  // namespace sluice::server
