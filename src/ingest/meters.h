// What a lane counts.
#pragma once

#include "meter/meter.h"

namespace sluice::ingest {

enum class Behind : uint8_t { kLog, kStore, kLane };
inline constexpr meter::Label<Behind, 3> kBehind{"behind", {"log", "store", "lane"}};

struct Meters : meter::Set {
  meter::Counter turns{*this, "sluice_ingest_turns_total", "Turns taken."};
  meter::Histogram turn_records{*this, "sluice_ingest_turn_records",
                                "Records that one turn handed to the log."};
  meter::Counter packets{*this, "sluice_ingest_packets_total", "Packets sent to other lanes."};
  meter::Counter remote{*this, "sluice_ingest_remote_commands_total",
                        "Commands whose key another lane owns."};
  meter::Counter multi{*this, "sluice_ingest_multi_commands_total", "Commands over several keys."};
  meter::Counter unmatched{*this, "sluice_ingest_default_keyspace_total",
                           "Commands on keys that match no keyspace's template."};
  meter::Per<meter::Counter, kBehind> crowded{
      *this, "sluice_ingest_crowded_total",
      "Turns in which sockets were not read, by what was behind."};
};

}  // namespace sluice::ingest
