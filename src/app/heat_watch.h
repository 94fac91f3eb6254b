// HeatWatch: what the lanes tell of their heat, gathered once a second: what each shard does, the
// hot keys, the history of each keyspace, where a hot range would have to be cut, and its skew as a
// meter and as a warning when one holds.
//
// What it tells of keys and tokens is of writes that are durable.
//
// Owns:     the histories: some 2 MB for each keyspace that was written to; the samples of the last
//           second. Borrows the node.
// Threads:  Look and Save from one; the rest from any.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "app/heat_files.h"
#include "env/env.h"
#include "heat/history.h"
#include "heat/recent.h"
#include "heat/skew.h"
#include "ingest/lane.h"
#include "meter/meter.h"

namespace sluice::app {

struct SkewMeters : meter::Set {
  meter::Gauge skew{*this, "sluice_heat_skew_percent",
                    "Writes of the hottest shard by the mean of all, in the last second: 100 when "
                    "they are even; -1 with one shard or too few writes to tell."};
  meter::Gauge hottest{*this, "sluice_heat_hottest_shard",
                       "The id of that shard; -1 when it is not known."};
};

class HeatWatch {
 public:
  HeatWatch(ingest::Node& node, env::Env env, const std::string& data_dir);

  // Often; looks once a second, and saves each history that changed every kSaveEveryUs.
  void Look();
  // All histories, at a clean stop.
  void Save();

  const SkewMeters& meters(model::KeyspaceId keyspace) const {
    return watched_.at(keyspace).meters;
  }

  // As heat::Recent::CutOf.
  std::optional<heat::LoadCut> CutOf(model::KeyspaceId keyspace, std::string_view begin,
                                     std::string_view end) const;
  // As heat::History::Show. None: nothing was ever written to it.
  std::optional<heat::Picture> Show(model::KeyspaceId keyspace, size_t resolution, uint64_t from_s,
                                    uint64_t to_s, size_t buckets);
  // As of about a second ago.
  std::map<model::ShardId, heat::ShardHeat> Shards() const;
  // The hottest first.
  std::vector<ingest::HeatReport::Key> HotKeys() const;
  // What was sampled of a keyspace's writes in the last second that told any: their keys, cut.
  struct Sampled {
    uint64_t second = 0;  // tells one from the next
    std::map<model::KeyspaceId, std::vector<std::string>> keys;
  };
  Sampled LastSampled() const;

 private:
  struct Watched {
    SkewMeters meters;
    heat::SkewAlarm alarm;
    std::optional<heat::History> history;
    uint64_t saved_us = 0;
    bool changed = false;  // by writes, since then
  };

  void LookAt(const model::Keyspace& keyspace, Watched& watched);
  void Gather(uint64_t now_us);
  void Remember(model::KeyspaceId keyspace, Watched& watched,
                const std::vector<const heat::Sample*>& samples);
  void SaveOne(uint64_t now_us);
  void Save(model::KeyspaceId keyspace, Watched& watched);

  ingest::Node& node_;
  const env::Env env_;
  HeatFiles files_;
  uint64_t next_us_ = 0;
  mutable std::mutex mutex_;  // of what follows, but for the meters
  std::map<model::KeyspaceId, Watched> watched_;
  heat::Recent recent_;
  std::map<model::LaneId, ingest::HeatReport> last_;  // of each lane, without its samples
  std::vector<heat::Sample> last_samples_;
  uint64_t last_samples_s_ = 0;
};

}  // namespace sluice::app
