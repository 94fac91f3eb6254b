// Fault: what goes wrong in a run, now and then. One file each, in sim/faults.
//
//   Step()     between two steps of the machine: perhaps something goes wrong.
//   Booting()  a start begins: perhaps in there.
//   Heal()     a check comes: everything works again, and nothing is ordered any more.
//
// Threads:  one.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "base/prng.h"
#include "sim/clients.h"
#include "sim/scene.h"

namespace sluice::sim {

// How a life of the machine ends.
enum class Ending : uint8_t {
  kPowerCut,   // the machine's power: what was not synced is kept, lost or garbled
  kKilled,     // the process dies
  kStopped,    // a clean stop
  kLogFailed,  // the process exits, as it does when the log failed
};

// What a fault may lay hands on.
struct Hands {
  Scene& scene;
  Trouble& trouble;
  Clients& clients;
  Prng& prng;
  size_t actors = 0;
  std::optional<Ending> ending;  // set: the life ends now

  env::SimFileSystem& files() { return scene.world.files; }
};

class Fault {
 public:
  virtual ~Fault() = default;
  virtual void Step(Hands& hands) = 0;
  virtual void Booting(Hands&) {}
  virtual void Heal(Hands&) {}
};

struct FaultKind {
  std::string_view name;
  std::string_view what;  // in a line
  bool refuses;           // commands may be refused because of it
  std::unique_ptr<Fault> (*make)();
};
std::span<const FaultKind> AllFaults();

// Each fault's maker, for the table.
std::unique_ptr<Fault> MakePower();
std::unique_ptr<Fault> MakeKill();
std::unique_ptr<Fault> MakeEio();
std::unique_ptr<Fault> MakeFull();
std::unique_ptr<Fault> MakeSlow();
std::unique_ptr<Fault> MakeStore();
std::unique_ptr<Fault> MakeStarve();
std::unique_ptr<Fault> MakeClock();
std::unique_ptr<Fault> MakeCuts();
std::unique_ptr<Fault> MakeLimits();
std::unique_ptr<Fault> MakeReshape();

}  // namespace sluice::sim
