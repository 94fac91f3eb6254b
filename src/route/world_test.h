// For tests: a router made from TOML, the way a node makes one.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/prng.h"
#include "config/config.h"
#include "route/catalogue.h"
#include "route/router.h"

namespace sluice::route {

inline std::vector<config::KeyspaceConfig> KeyspacesOf(std::string_view toml) {
  auto config = config::Load(toml, "test.toml", {});
  EXPECT_TRUE(config.has_value()) << config.error().message;
  return config ? config->keyspaces : std::vector<config::KeyspaceConfig>{};
}

inline Result<CatalogueChange> ReconcileText(const TopologyContent& now, std::string_view toml,
                                             uint64_t seed = 1) {
  Prng prng(seed + now.version * 1'000);
  return Reconcile(now, KeyspacesOf(toml), "node-1", [&] { return prng(); });
}

// The change, of a configuration that must be accepted.
inline CatalogueChange Accepted(const TopologyContent& now, std::string_view toml) {
  auto change = ReconcileText(now, toml);
  EXPECT_TRUE(change.has_value()) << change.error().message;
  return change ? *std::move(change) : CatalogueChange{};
}

inline std::shared_ptr<const Router> RouterOf(const CatalogueChange& change) {
  return std::make_shared<const Router>(
      change.content.catalogue, std::make_shared<Policies>(change.policies), change.content.map);
}
inline std::shared_ptr<const Router> RouterOf(std::string_view toml) {
  return RouterOf(Accepted({}, toml));
}

}  // namespace sluice::route
