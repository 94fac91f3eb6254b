// Surveyor: what the balancer is told of a node: its map, its lanes, and the heat of its shards.
//
// Owns:     when each shard was first seen as it is: with that range, at that lane.
// Threads:  none.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "heat/lane_heat.h"
#include "heat/recent.h"
#include "model/keyspace.h"
#include "model/shard_map.h"
#include "rebalance/balancer.h"

namespace sluice::app {

// Below this many writes a second nobody asks where a shard would be cut.
inline constexpr double kCutWritesLeast = 100;

// A job that has not ended.
struct JobUnderWay {
  model::ShardId shard;
  std::optional<model::ShardId> with = {};  // of a merge
  std::optional<model::LaneId> to = {};     // of a move
};

struct NodeSeen {
  const model::ShardMap& map;
  const std::vector<model::Keyspace>& keyspaces;
  const config::Config& config;
  size_t lanes = 1;
  std::vector<model::LaneId> owners;  // by index in the map
  std::map<model::ShardId, heat::ShardHeat> heat;
  std::function<std::optional<heat::LoadCut>(const model::Shard&)> cut;
  std::vector<JobUnderWay> jobs;
};

class Surveyor {
 public:
  // Requires: now_us (since 1970) never steps back far.
  rebalance::Survey Look(const NodeSeen& seen, uint64_t now_us);
  // A job was begun for it, or could not be: it is left alone like one that has changed.
  void Touch(model::ShardId shard, uint64_t now_us) { places_[shard].since_us = now_us; }

 private:
  struct Place {
    std::string begin, end;
    model::LaneId lane;
    uint64_t since_us = 0;  // 0: since the first look

    bool IsSame(const Place& other) const {
      return begin == other.begin && end == other.end && lane == other.lane;
    }
  };

  std::map<model::ShardId, Place> places_;
  std::optional<uint64_t> first_us_;  // when it looked first
};

// The settings that hold now, as the balancer takes them.
rebalance::Settings SettingsOf(const config::RebalanceConfig& config);

}  // namespace sluice::app
