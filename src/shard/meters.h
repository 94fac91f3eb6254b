// What a lane's shards count.
#pragma once

#include "meter/meter.h"

namespace sluice::shard {

struct Meters : meter::Set {
  meter::Counter commands{*this, "sluice_shard_commands_total", "Commands run on a key."};
  meter::Counter writes{*this, "sluice_shard_writes_total", "Commands that changed something."};
  meter::Counter folded{*this, "sluice_shard_folded_total",
                        "Writes that became a part of an earlier write's record."};
  meter::Counter records{*this, "sluice_shard_records_total", "Records handed to the log."};
  meter::Counter log_bytes{*this,
                           "sluice_shard_log_bytes_total",
                           "Bytes of records handed to the log.",
                           {.unit = meter::Unit::kBytes}};
  meter::Counter cold_reads{*this, "sluice_shard_cold_reads_total",
                            "Commands parked for a row that was on disk only."};
  meter::Counter hits{*this, "sluice_shard_read_hits_total",
                      "Keys that commands which only read asked for and found."};
  meter::Counter misses{*this, "sluice_shard_read_misses_total",
                        "Keys that commands which only read asked for and did not find."};
  meter::Counter expired{*this, "sluice_shard_expired_total", "Keys ended by their time to live."};
  meter::Counter once_replays{*this, "sluice_shard_once_replays_total",
                              "Retried writes answered with their first reply."};
  meter::Counter once_refused{*this, "sluice_shard_once_refused_total",
                              "Writes refused because once_bytes were in use."};
  meter::Counter runs{*this, "sluice_shard_runs_total", "Write buffers frozen for the store."};
  meter::Gauge buffer_bytes{*this,
                            "sluice_shard_buffer_bytes",
                            "Memory of write buffers, on their way to the store included.",
                            {.unit = meter::Unit::kBytes}};
  meter::Gauge once_bytes{*this,
                          "sluice_shard_once_bytes",
                          "Bytes of once tokens that are remembered.",
                          {.unit = meter::Unit::kBytes}};
  meter::Gauge parked{*this, "sluice_shard_parked_keys", "Keys whose commands wait."};
};

}  // namespace sluice::shard
