// Router: from a client's key to its keyspace, token and shard, at one epoch of the map.
//
// Immutable: a change of map or policies makes a new Router, swapped whole.
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

namespace sluice::route {

// Where a key belongs. Pointers are valid as long as the Router.
struct Placed {
  const model::Keyspace* keyspace = nullptr;
  const model::Policy* policy = nullptr;
  size_t shard = 0;  // index into map().shards()
};

struct Segment {
  std::string_view name, value;
};

class Router {
 public:
  // `policies` by keyspace id; a keyspace without one has the defaults.
  // Requires: the catalogue holds `default` (id 0), and the map has shards for every keyspace.
  Router(std::vector<model::Keyspace> catalogue, std::vector<model::Policy> policies,
         std::shared_ptr<const model::ShardMap> map);
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
  const model::Policy& policy(model::KeyspaceId id) const;
  const std::vector<model::Keyspace>& keyspaces() const { return catalogue_; }

 private:
  // Values of a geo segment and the region each means, by value.
  struct RegionTable {
    std::vector<std::pair<std::string_view, const model::Region*>> by_value;
    const model::Region* unknown = nullptr;  // for all other values; nullptr: refused
  };

  const model::Region* FindRegion(size_t at, std::string_view value) const;

  const std::vector<model::Keyspace> catalogue_;
  std::vector<model::Policy> policies_;  // by id, one for every keyspace
  std::shared_ptr<const model::ShardMap> map_;
  std::vector<size_t> by_id_;         // index into catalogue_
  std::vector<RegionTable> regions_;  // beside catalogue_
  TemplateIndex templates_;
};

}  // namespace sluice::route
