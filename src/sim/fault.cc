#include "sim/fault.h"

namespace sluice::sim {
namespace {

constexpr FaultKind kFaults[] = {
    {"power", "the power fails, recoveries included; unsynced pages and names are lost or torn",
     false, MakePower},
    {"kill", "the process dies, or stops in order", false, MakeKill},
    {"eio", "one call to the disk fails: EIO or ENOSPC", true, MakeEio},
    {"full", "the disk is full for a while", true, MakeFull},
    {"slow", "the disk takes up to 30 s for a call", false, MakeSlow},
    {"store", "the store refuses runs, stalls, or cannot be read for a while", true, MakeStore},
    {"starve", "one thread gets no turn for a while", false, MakeStarve},
    {"clock", "the wall clock jumps, or much time passes at once", false, MakeClock},
    {"cuts", "connections are cut with commands under way", false, MakeCuts},
    {"limits", "keyspaces have tight limits for a while", true, MakeLimits},
    {"reshape", "shards are split, merged and moved; jobs are paused and aborted", false,
     MakeReshape},
};

}  // namespace

std::span<const FaultKind> AllFaults() {
  return kFaults;
}

}  // namespace sluice::sim
