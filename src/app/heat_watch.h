// HeatWatch: each keyspace's skew as a meter, and a warning when one holds.
//
// Borrows:  the node.
// Threads:  Look from one; the numbers from any.
#pragma once

#include <map>

#include "env/env.h"
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
  HeatWatch(const ingest::Node& node, env::Clock& clock);

  // Often; looks once a second.
  void Look();

  const SkewMeters& meters(model::KeyspaceId keyspace) const {
    return watched_.at(keyspace).meters;
  }

 private:
  struct Watched {
    SkewMeters meters;
    heat::SkewAlarm alarm;
  };

  void LookAt(const model::Keyspace& keyspace, Watched& watched);

  const ingest::Node& node_;
  env::Clock& clock_;
  std::map<model::KeyspaceId, Watched> watched_;
  uint64_t next_us_ = 0;
};

}  // namespace sluice::app
