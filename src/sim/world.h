// World: a node, its clients and a disk that can lose power, from one seed.
//
//   Run()    the clients' script to its end, or to the power cut at the given step of the disk.
//   Check()  boots again (and again, when the power fails during recovery) and holds the node to
//   what its
//            clients were promised.
//
// Threads:  one.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "sim/clients.h"
#include "sim/machine.h"

namespace sluice::sim {

struct WorldOptions {
  uint64_t seed = 1;
  size_t lanes = 2;
  size_t clients = 4;
  size_t rounds = 30;
  size_t buffer_bytes = 4 << 10;
  Clients::Mix mix = Clients::Mix::kAll;
};

class World {
 public:
  explicit World(const WorldOptions& options);
  ~World();

  // Boots if need be, and runs until all clients are done. `cut`: the step of the disk from now at
  // which the power fails; 0: never. Returns what is broken, if anything.
  std::optional<std::string> Run(uint64_t cut);
  bool powered() const { return world_.files.powered(); }
  uint64_t disk_steps() const { return world_.files.steps(); }

  // Restart and look. `again`: the power fails anew at that step of each recovery, one step later
  // each time, until one gets through; 0: never. `process_only`: the process died, the machine did
  // not.
  std::optional<std::string> Check(uint64_t again, bool process_only = false);
  // All keys with their values, as the node answers now.
  std::map<std::string, std::string> Content();
  // The process dies and a new one takes over; nothing else is looked at.
  std::optional<std::string> RestartProcess();

  // How often rare things happened; a test expects them.
  struct Seen {
    uint64_t cuts_in_recovery = 0, torn_tails = 0, runs_stored = 0, replayed = 0;
  };
  const Seen& seen() const { return seen_; }

 private:
  class Wires;
  std::optional<std::string> BootAgain(uint64_t again);
  std::string Ask(const std::vector<std::string>& command);
  resp::Value AskValue(const std::vector<std::string>& command);

  const WorldOptions options_;
  env::SimWorld world_;
  Prng prng_;
  std::shared_ptr<store::MemoryStore::Medium> medium_;
  std::unique_ptr<Machine> machine_;
  std::unique_ptr<Wires> wires_;
  Clients clients_;
  Seen seen_;
};

}  // namespace sluice::sim
