// Reconcile: from the keyspaces that are stored and those that are configured to the next topology.
//
// What is baked into stored keys (templates, shard specs, regions and what they match) never
// changes; what is new is added with its first shards; what is no longer configured stays.
//
// Threads:  any; pure functions.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "config/config.h"
#include "model/keyspace.h"
#include "route/topology.h"

namespace sluice::route {

inline constexpr uint16_t kFirstRegionNumber = 1;

struct CatalogueChange {
  // What the topology should be, with the version it has now.
  TopologyContent content;
  // Whether it differs from what is stored: then swap it in before serving.
  bool changed = false;
  // For Router, by keyspace id.
  std::vector<model::Policy> policies;
  // New keyspaces with a template. They may only be added when `default` holds no key that Matches
  // (matcher.h) them: such a key would be looked for elsewhere from then on.
  std::vector<model::KeyspaceId> added;
  // What an operator should hear: settings without effect, keyspaces no longer configured.
  std::vector<std::string> notes;
};

// Draws identities: node, lineages. Each call another number.
using Draw = std::function<uint64_t()>;

// `owner` is the node's name, which gets every new shard.
//   kInvalid  the configuration asks to change what is baked in, or a template can match keys of a
//             stored keyspace; the message names the setting. `now` stands.
Result<CatalogueChange> Reconcile(const TopologyContent& now,
                                  const std::vector<config::KeyspaceConfig>& wanted,
                                  const std::string& owner, const Draw& draw);

// The policies of the keyspaces that are configured and stored, by keyspace id.
std::vector<model::Policy> PoliciesOf(const std::vector<model::Keyspace>& catalogue,
                                      const std::vector<config::KeyspaceConfig>& wanted);
// The same, with what projections ask of the keyspaces that they read.
std::vector<model::Policy> PoliciesOf(const std::vector<model::Keyspace>& catalogue,
                                      const config::Config& config);

// The limits of those keyspaces, by keyspace id.
std::vector<model::WriteLimits> LimitsOf(const std::vector<model::Keyspace>& catalogue,
                                         const std::vector<config::KeyspaceConfig>& wanted);

// The token of a range split point: where the shard behind it begins. Without the region's number.
std::string CutOf(const config::SplitPoint& point);

}  // namespace sluice::route
