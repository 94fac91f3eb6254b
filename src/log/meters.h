// What the log counts.
//
// Threads:  written by the log's own thread.
#pragma once

#include <cstdint>

#include "meter/meter.h"

namespace sluice::log {

// What closed a group: the disk was free, a bound, or the end of the window that the latency target
// left (kTarget), or that nothing more came (kQuiet). Witnesses, and the mark of a clean stop, are
// groups without records.
enum class Close : uint8_t { kIdle, kBytes, kDelay, kTarget, kQuiet, kWitness };
inline constexpr meter::Label<Close, 6> kClose{
    "reason", {"idle", "bytes", "delay", "target", "quiet", "witness"}};

struct LogMeters : meter::Set {
  meter::Per<meter::Counter, kClose> closes{*this, "sluice_log_group_closes_total",
                                            "Groups closed, by what closed them."};
  meter::Counter groups{*this, "sluice_log_groups_total", "Groups made durable: one sync each."};
  meter::Counter records{*this, "sluice_log_records_total", "Records made durable."};
  meter::Counter bytes{*this,
                       "sluice_log_written_bytes_total",
                       "Bytes of batches made durable, without headers and padding.",
                       {.unit = meter::Unit::kBytes}};
  meter::Counter no_space{*this, "sluice_log_no_space_total",
                          "Times that writing was put off because the disk is full."};
  meter::Histogram sync{*this,
                        "sluice_log_sync_seconds",
                        "Time to write and sync one group.",
                        {.unit = meter::Unit::kMicroseconds}};
  meter::Histogram wait{*this,
                        "sluice_log_wait_seconds",
                        "Time from a group's first record to its being durable.",
                        {.unit = meter::Unit::kMicroseconds}};
  meter::Gauge window_us{*this,
                         "sluice_log_group_window_seconds",
                         "How long the last group with records stayed open for more at most, to "
                         "meet log.latency_target.",
                         {.unit = meter::Unit::kMicroseconds}};
  meter::Histogram group_bytes{*this,
                               "sluice_log_group_bytes",
                               "Bytes of batches in a group with records.",
                               {.unit = meter::Unit::kBytes}};
};

}  // namespace sluice::log
