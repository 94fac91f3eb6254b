// World: a node, its clients, and all that goes wrong, from one seed.
//
//   Run()   the machine's lives, one after the other, until a promise is broken or all are over.
//
// A life ends by a fault, or because its steps are over. What follows is a start (which faults may
// hit again), and often a check: every fault is healed, all that is under way is answered, and the
// workloads look at everything. A check now and then kills the process and looks again: what
// recovery makes of log and store must be what the lanes held.
//
// Threads:  one.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/clients.h"
#include "sim/errand.h"
#include "sim/fault.h"
#include "sim/machine.h"
#include "sim/scenario.h"
#include "sim/scene.h"
#include "sim/workload.h"

namespace sluice::sim {

// One thing that goes wrong at a given call to the disk: for sweeps over all of them.
struct Incident {
  // kKill: the process dies in the call. kKillBetween: between two steps; `call` is a step then.
  enum class Kind : uint8_t {
    kNone,
    kPowerCut,
    kEio,
    kNoSpace,
    kKill,
    kKillBetween
  } kind = Kind::kNone;
  uint64_t call = 0;  // from the very beginning, 1 is the first
  // A second one, at this call of the start that follows, and one call later of each further start,
  // until a start gets through before it; 0: none.
  uint64_t again = 0;
};

class World final : private Asker {
 public:
  // `notes`: of the trace, that are kept.
  World(const Scenario& scenario, const Incident& incident, size_t notes);
  ~World() override;

  void Run();
  const Scene& scene() const { return scene_; }
  uint64_t disk_calls() const { return scene_.world.files.steps(); }

  // How often rare things happened; a test expects them.
  struct Seen {
    uint64_t failed_starts = 0, torn_tails = 0, rewritten_tails = 0, clean_starts = 0;
    uint64_t runs_stored = 0, replayed = 0, log_failures = 0, segments_most = 0;
    uint64_t replay_checks = 0, folded = 0;
    uint64_t reshaped = 0;  // shards split, merged and moved
    bool errand_done = false;
    uint64_t calls = 0;            // to the disk, before the first check
    uint64_t steps = 0;            // of all lives
    std::vector<uint64_t> of_map;  // calls to the disk for the topology
  };
  const Seen& seen() const { return seen_; }

 private:
  std::vector<resp::Value> AskAll(const std::vector<Command>& commands) override;

  void CountMachine();
  void Live();
  bool Start();
  void Boot();
  void End(Ending ending);
  Ending HowItEnded() const;
  bool Settle();
  bool StopInOrder();
  void Check();
  void CheckReplay();
  void CheckLogIsFree();
  void Heal();
  bool Step();
  void OnDiskCall(env::SimStep kind, const std::string& path);
  void Order(uint64_t call);
  std::map<std::string, std::string> Content();

  const Scenario scenario_;
  Incident incident_;
  Scene scene_;
  Trouble trouble_;
  Prng prng_;
  std::shared_ptr<store::MemoryStore::Medium> medium_;
  std::string keyspaces_;
  std::vector<std::unique_ptr<Workload>> workloads_;
  std::vector<std::unique_ptr<Fault>> faults_;
  Clients clients_;
  std::unique_ptr<Machine> machine_;
  std::optional<Errand> errand_;
  Hands hands_;
  bool checking_ = false;
  bool sheds_ = false;
  Seen seen_;
};

}  // namespace sluice::sim
