// Router: from a client's key to its keyspace, token and shard, at one epoch of the map.
//
// Immutable but for the policies: a change of the map makes a new Router, swapped whole.
//
// Threads:  any.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "model/keyspace.h"
#include "model/shard_map.h"
#include "route/matcher.h"
#include "route/policies.h"

namespace sluice::route {

// Where a key belongs. The pointer is valid as long as the Router.
struct Placed {
  const model::Keyspace* keyspace = nullptr;
  model::Policy policy;
  size_t shard = 0;  // index into map().shards()
};

struct Segment {
  std::string_view name, value;
};

class Router {
 public:
  // Requires: the catalogue holds `default` (id 0), and the map has shards for every keyspace.
  Router(std::vector<model::Keyspace> catalogue, std::shared_ptr<const Policies> policies,
         std::shared_ptr<const model::ShardMap> map);
  // The same with another map.
  Router(const Router& like, std::shared_ptr<const model::ShardMap> map)
      : Router(like.catalogue_, like.policies_, std::move(map)) {}
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  // Finds the key's place and writes its token to `token` (replacing what it held).
  //   kInvalid  the key is for a region that is unknown or refused; the message is the text of a
  //             -REGION reply without the dash ("REGION …"). No key without that error is placed
  //             wrongly.
  // Allocates nothing when `token` has room for it, errors aside.
  Result<Placed> Place(std::string_view key, std::string* token) const;

  // The segments of the key in its keyspace's template; empty for `default`. For SLUICE ROUTE.
  std::vector<Segment> SegmentsOf(std::string_view key) const;

  const model::ShardMap& map() const { return *map_; }
  std::shared_ptr<const model::ShardMap> map_ptr() const { return map_; }
  // nullptr when there is none of that name.
  const model::Keyspace* FindKeyspace(std::string_view name) const;
  // Requires: the catalogue holds the id.
  const model::Keyspace& keyspace(model::KeyspaceId id) const;
  model::Policy policy(model::KeyspaceId id) const { return policies_->Of(id); }
  const std::vector<model::Keyspace>& keyspaces() const { return catalogue_; }

 private:
  // Values of a geo segment and the region each means, by value.
  struct RegionTable {
    std::vector<std::pair<std::string_view, const model::Region*>> by_value;
    const model::Region* unknown = nullptr;  // for all other values; nullptr: refused
  };

  const model::Region* FindRegion(size_t at, std::string_view value) const;

  const std::vector<model::Keyspace> catalogue_;
  const std::shared_ptr<const Policies> policies_;
  std::shared_ptr<const model::ShardMap> map_;
  std::vector<size_t> by_id_;         // index into catalogue_
  std::vector<RegionTable> regions_;  // beside catalogue_
  TemplateIndex templates_;
};

}  // namespace sluice::route
