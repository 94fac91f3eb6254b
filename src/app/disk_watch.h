// DiskWatch: holds back some room of the disk, so that what is there can be written out, merged,
// trimmed and deleted when clients have filled the rest.
//
// Owns:     ingest::Node::disk_low. Borrows all else.
// Threads:  Look from one; the numbers from any.
// Failure:  a disk that cannot be asked leaves things as they were.
#pragma once

#include <cstdint>
#include <string>

#include "env/env.h"
#include "ingest/lane.h"
#include "log/log.h"
#include "meter/meter.h"
#include "store/rocks_store.h"

namespace sluice::app {

// The reserve is room for all write buffers as runs, for two segments of the log, and for the
// largest merge that may be due: of all runs with the level that they go to, which stand beside
// their result until it is whole. Never more than this part of the disk.
inline constexpr uint64_t kReserveDiskPart = 2;

struct DiskMeters : meter::Set {
  meter::Gauge free_bytes{*this,
                          "sluice_app_disk_free_bytes",
                          "Room on the disk of the data directory.",
                          {.unit = meter::Unit::kBytes}};
  meter::Gauge reserve_bytes{*this,
                             "sluice_app_disk_reserve_bytes",
                             "Of that, what is kept for recovery, merging and deleting: with less, "
                             "growing writes are refused.",
                             {.unit = meter::Unit::kBytes}};
  meter::Gauge low{*this, "sluice_app_disk_low",
                   "1 while growing writes are refused for want of room."};
};

class DiskWatch {
 public:
  struct Disk {
    env::FileSystem& files;
    std::string dir;
    const log::Log& log;
    store::RocksStore& store;
  };
  struct Needs {
    uint64_t steady_bytes = 0;  // buffers and segments
    uint64_t merge_bytes = 0;   // of the largest merge, when there is as much to merge
  };
  DiskWatch(Disk disk, ingest::Node& node, Needs needs)
      : disk_(std::move(disk)), node_(node), needs_(needs) {}

  // Asks the disk, and has writes refused or taken again, and runs merged as they come while
  // room is low. Low when less than the reserve is free,
  // and until a sixteenth more than it is.
  void Look();

  const DiskMeters& meters() const { return meters_; }

 private:
  const Disk disk_;
  ingest::Node& node_;
  const Needs needs_;
  DiskMeters meters_;
};

}  // namespace sluice::app
