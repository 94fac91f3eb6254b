// Config: what the operator asked for, read from TOML, checked, and resolved with every default.
//
// Plain data. Each setting's name, default, bounds and meaning stand in one table (settings.h),
// which reads it, prints it and writes docs/reference/configuration.md.
//
// Failure:  Load reports every mistake it finds, one a line as `file:line:column: what is wrong`,
//           and what was probably meant.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "config/day_window.h"
#include "config/key_template.h"
#include "config/rate.h"
#include "config/shard_spec.h"

namespace sluice::config {

inline constexpr size_t kFileBytesMax = 4 << 20;  // a larger file is refused unread
inline constexpr size_t kErrorsMax = 100;         // reported at once; the rest is only counted
inline constexpr size_t kKeyspacesMax = 1024;     // configured; one more is an error
inline constexpr size_t kRegionsMax = 1024;       // of one keyspace
inline constexpr uint64_t kShardsMax = 4096;      // of one keyspace, all its regions together
inline constexpr size_t kUsersMax = 1024;         // configured
inline constexpr size_t kProjectionsMax = 64;     // configured: each has a thread
inline constexpr size_t kColumnsMax = 1024;       // of one projection
inline constexpr uint64_t kHashShardsUsual = 8;   // when `shards` is not said; range has one
inline constexpr std::string_view kDefaultName = "default";  // the keyspace and the user

struct Address {
  std::string host;  // a name or an address; IPv6 without its brackets
  uint16_t port = 0;

  bool operator==(const Address&) const = default;
  std::string Text() const;  // "127.0.0.1:7379", "[::1]:7379"
  bool IsLoopback() const;
};

struct ServerConfig {
  Address listen, http;
  uint64_t lanes = 0;  // 0: one per core but one
  uint64_t memory_bytes = 0;
  uint64_t once_window_ms = 0;
  uint64_t once_bytes = 0;
};

struct LogConfig {
  uint64_t group_bytes = 0;
  uint64_t group_delay_us = 0;
  uint64_t latency_target_us = 0;  // 0: none
  uint64_t segment_bytes = 0;
  std::string keep;           // as written: "25%" or a size
  uint64_t keep_percent = 0;  // the same, taken apart; 0: keep_bytes
  uint64_t keep_bytes = 0;
};

// What the balancer may do.
enum class BalanceMode : uint8_t { kOff, kPreview, kOn };

struct RebalanceConfig {
  std::string mode, window;  // as written
  uint64_t cooldown_ms = 0;
  uint64_t jobs = 0;

  // What these mean.
  BalanceMode acts = BalanceMode::kPreview;
  std::optional<DayWindow> within;  // none: at any time
};

enum class Ack : uint8_t { kMemory, kDurable };
enum class HotKey : uint8_t { kFold, kOff };

// Where one range shard ends and the next begins: values of the first range segments, at least one.
using SplitPoint = std::vector<std::string>;

struct RegionConfig {
  std::string name;
  std::vector<std::string> match;  // values of the geo segment that mean this region
  uint64_t shards = 0;             // to begin with
  std::string tag;                 // empty: any owner
  std::vector<SplitPoint> split_points;
};

// What is served first when there is not enough for all.
enum class Priority : uint8_t { kCritical, kNormal, kLow };
// What a limit does: refuse, or only count what it would have refused.
enum class LimitMode : uint8_t { kEnforce, kObserve };

inline constexpr std::string_view kNoLimit = "none";

// One limit for each value of a segment.
struct LimitByConfig {
  std::string segment, rate;  // as written; both empty: no such limit

  // What these mean.
  uint16_t index = 0;  // of the segment in the template
  Rate meaning;

  bool operator==(const LimitByConfig&) const = default;
};

struct KeyspaceConfig {
  std::string name;
  std::string key;      // the template as written; empty for `default`
  KeyTemplate pieces;   // the same, taken apart
  std::string shard;    // the shard setting as written, or what stands for it; empty for `default`
  ShardSpec spec;       // the same, taken apart; no parts: the whole key is hashed
  uint64_t shards = 0;  // to begin with, all regions together
  std::vector<SplitPoint> split_points;
  Ack ack = Ack::kDurable;
  std::vector<RegionConfig> regions;  // not empty exactly when spec begins with geo
  std::string unknown_region;         // empty: refuse; else a region's name
  uint64_t ttl_ms = 0;                // 0: none
  bool append_only = false;
  std::string hot_key;                                    // as written
  std::string priority, limit, client_limit, limit_mode;  // as written
  LimitByConfig limit_by;
  std::string capacity, split_at;  // as written

  // What these mean.
  HotKey hot_keys = HotKey::kFold;
  Priority priority_class = Priority::kNormal;
  Rate rate, client_rate;
  LimitMode limit_acts = LimitMode::kEnforce;
  double shard_capacity = 0;  // writes a second; 0: not said
  double split_share = 0;     // of it
};

struct UserConfig {
  std::string name;
  std::string password_sha256;        // 64 lower-case hex digits; empty: none (only `default`)
  std::vector<std::string> commands;  // of read, write, admin
  std::vector<std::string> keys;      // globs
};

struct BatchConfig {
  uint64_t rows = 0;
  uint64_t every_us = 0;
};

// From a column's name to what it is filled with: `{segment}`, `{key}`, `value`, or a field's name.
using Columns = std::vector<std::pair<std::string, std::string>>;

enum class ProjectionSink : uint8_t { kPostgres, kFiles };
enum class ProjectionMode : uint8_t { kSet, kAdd };
enum class ProjectionAdopt : uint8_t { kRefuse, kOverwrite, kAdd, kSeed };
enum class ProjectionOnExpire : uint8_t { kKeep, kDelete };
enum class ProjectionOnFull : uint8_t { kStop, kBlock };

struct ProjectionConfig {
  std::string name;
  std::string from;  // a keyspace
  std::string to;    // a URL, or file:DIR; may hold a password
  std::string table;
  Columns columns;
  std::vector<std::string> key;                       // columns
  std::string mode, adopt, on_expire, on_full, rate;  // as written
  BatchConfig batch;
  uint64_t connections = 0;
  bool create = false;

  // What these mean.
  ProjectionSink sink = ProjectionSink::kPostgres;
  std::string dir;  // kFiles
  ProjectionMode sets = ProjectionMode::kSet;
  ProjectionAdopt adopts = ProjectionAdopt::kRefuse;
  ProjectionOnExpire expires = ProjectionOnExpire::kKeep;
  ProjectionOnFull when_full = ProjectionOnFull::kStop;
  uint64_t rows_per_second = 0;  // 0: as fast as it goes
};

struct Config {
  ServerConfig server;
  LogConfig log;
  RebalanceConfig rebalance;
  std::vector<KeyspaceConfig> keyspaces;      // in the order of the file
  std::vector<ProjectionConfig> projections;  // in the order of the file
  std::vector<UserConfig> users;              // in the order of the file
};

// What the command line says over the file.
struct Overrides {
  std::vector<std::string> set = {};     // "section.key=value"; a value that is no TOML is a string
  std::optional<std::string> port = {};  // of server.listen
  std::optional<std::string> http_port = {};  // of server.http
};

// Reads TOML text; `filename` is for messages. kInvalid: every mistake, one a line.
Result<Config> Load(std::string_view text, std::string_view filename, const Overrides& overrides);

// The same from a file. kNotFound, kIo: it cannot be read.
Result<Config> LoadFile(const std::string& path, const Overrides& overrides);

}  // namespace sluice::config
