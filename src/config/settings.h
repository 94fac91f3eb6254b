// The one table of settings: it reads the file, names what was probably meant, prints a resolved
// configuration and writes docs/reference/configuration.md.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/config.h"

namespace sluice::config {

// What may be done to a setting of a running node, or of a directory that holds data.
enum class Change : uint8_t {
  kLive,     // while running: CONFIG SET, or SIGHUP after the file changed
  kRestart,  // at the next start
  kNever,    // baked into the data: a later change is refused
  kBegin,    // says how things begin; later changes of it have no effect
};

enum class Type : uint8_t {
  kAddress,      // "host:port"
  kCount,        // a whole number
  kSize,         // "64MiB", or a whole number of bytes
  kMillis,       // a duration, kept in milliseconds
  kMicros,       // a duration, kept in microseconds
  kFlag,         // true or false
  kText,         // a string
  kTexts,        // an array of strings
  kAck,          // "memory" or "durable"
  kRegions,      // a table of tables, one per region
  kSplitPoints,  // an array of values, or of arrays of values
  kBatch,        // a table: rows and every
  kColumns,      // a table of strings
  kLimitBy,      // a table: segment and rate; or "none"
};

// One setting of a section S, with where it is kept. A setting that is not available yet has no
// place.
template <class S>
using Slot =
    std::variant<std::monostate, Address S::*, uint64_t S::*, bool S::*, std::string S::*,
                 std::vector<std::string> S::*, Ack S::*, std::vector<RegionConfig> S::*,
                 std::vector<SplitPoint> S::*, BatchConfig S::*, Columns S::*, LimitByConfig S::*>;

struct SettingFacts {
  std::string_view name;
  Type type;
  std::string_view usual;        // the default, as TOML; empty: none, or as `help` says
  uint64_t least = 0, most = 0;  // of a count, size or duration, in the unit it is kept in
  Change change;
  std::string_view help;
  // Legal values at which something is tight, for the simulator to choose from.
  std::array<std::string_view, 4> rough = {};
};

template <class S>
struct Setting : SettingFacts {
  Slot<S> slot;
};

std::span<const Setting<ServerConfig>> ServerSettings();
std::span<const Setting<LogConfig>> LogSettings();
std::span<const Setting<RebalanceConfig>> RebalanceSettings();
std::span<const Setting<KeyspaceConfig>> KeyspaceSettings();
std::span<const Setting<RegionConfig>> RegionSettings();    // in keyspace.NAME.regions.REGION
std::span<const Setting<LimitByConfig>> LimitBySettings();  // in keyspace.NAME.limit_by
std::span<const Setting<ProjectionConfig>> ProjectionSettings();
std::span<const Setting<BatchConfig>> BatchSettings();  // in projection.NAME.batch
std::span<const Setting<UserConfig>> UserSettings();

// Settings that this version knows of and does not offer.
struct Later {
  std::string_view section, name;
};
std::span<const Later> LaterSettings();

// "64KiB", "10m", "8": a value as it is written in TOML, without quotes.
std::string FormatBound(Type type, uint64_t value);

// The text of docs/reference/configuration.md.
std::string ReferenceText();

}  // namespace sluice::config
