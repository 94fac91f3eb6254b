// What of a configuration may change while the node runs, and how.
//
// Threads:  any; pure functions.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/settings.h"

namespace sluice::config {

// One setting as it is now.
struct Item {
  std::string name;   // "keyspace.likes.ttl"
  std::string value;  // as in the file, a string without its quotes; empty: not said
  Change change;
};

// All settings but those of users. Keyspace `default` is among them, configured or not.
std::vector<Item> Items(const Config& config);

struct NewValue {
  std::string_view name, value;
};

// `now` with these values.
//   kInvalid   the result is no configuration; the message says why, in one line.
//   kConflict  one of them cannot change while running; the message is its name.
//   kNotFound  there is no setting of that name; the message is the name.
Result<Config> With(const Config& now, std::span<const NewValue> values);

// `now` with what may change while running as `wanted` has it. The keyspaces stay those of `now`;
// the users become those of `wanted`.
//   kInvalid  what would hold then is no configuration.
Result<Config> Adopt(const Config& now, const Config& wanted);

}  // namespace sluice::config
