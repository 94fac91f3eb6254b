// Workload: commands that clients send, and what their replies, and a look at everything later,
// must say. One file each, in sim/workloads.
//
//   Next()      the next command of a session (one connection's life).
//   Answered()  its reply; Refused(): nothing was applied; Lost(): the connection ended first.
//   Ended()     the process ended: what was lost has happened by now, or never will.
//   Check()     all is quiet, and a node serves: does it hold what was promised?
//
// Whatever is broken is told to the scene. Commands of a session are sent in order and answered in
// order; several may be under way, of several workloads.
//
// Threads:  one.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/prng.h"
#include "resp/decoder.h"
#include "sim/scene.h"

namespace sluice::sim {

using Command = std::vector<std::string>;

struct Request {
  Command command;   // empty: nothing now
  uint64_t tag = 0;  // the workload's own name for it
};

// Sends commands one behind the other on a connection of its own.
class Asker {
 public:
  virtual ~Asker() = default;
  virtual std::vector<resp::Value> AskAll(const std::vector<Command>& commands) = 0;
  resp::Value Ask(const Command& command) { return AskAll({command})[0]; }
};

class Workload {
 public:
  explicit Workload(Scene& scene) : scene_(scene) {}
  virtual ~Workload() = default;

  // The keyspaces that it needs, as TOML.
  virtual std::string Keyspaces([[maybe_unused]] uint64_t shards) const { return {}; }
  virtual Request Next(uint64_t session, Prng& prng) = 0;
  // An error comes here only if it is foreseen.
  virtual bool Foresees([[maybe_unused]] const std::string& error) const { return false; }
  virtual void Answered(uint64_t tag, const resp::Value& reply) = 0;
  virtual void Refused(uint64_t tag) = 0;
  virtual void Lost(uint64_t tag) = 0;
  virtual void Ended() {}
  virtual void Check(Asker& ask) = 0;

 protected:
  Scene& scene_;
};

struct WorkloadKind {
  std::string_view name;
  std::string_view what;  // in a line
  bool alone;             // it disturbs the others
  std::unique_ptr<Workload> (*make)(Scene& scene, Prng& prng);
  bool sheds = false;  // the node may hold writes back, and refuse them
};
std::span<const WorkloadKind> AllWorkloads();

// Each workload's maker, for the table.
std::unique_ptr<Workload> MakeRegisters(Scene& scene, Prng& prng);
std::unique_ptr<Workload> MakeRings(Scene& scene, Prng& prng);
std::unique_ptr<Workload> MakeFlushes(Scene& scene, Prng& prng);
std::unique_ptr<Workload> MakeClears(Scene& scene, Prng& prng);
std::unique_ptr<Workload> MakeObjects(Scene& scene, Prng& prng);
std::unique_ptr<Workload> MakeBlind(Scene& scene, Prng& prng);
std::unique_ptr<Workload> MakeOnce(Scene& scene, Prng& prng);
std::unique_ptr<Workload> MakeExpiry(Scene& scene, Prng& prng);
std::unique_ptr<Workload> MakeScans(Scene& scene, Prng& prng);
std::unique_ptr<Workload> MakeMemory(Scene& scene, Prng& prng);
std::unique_ptr<Workload> MakeHot(Scene& scene, Prng& prng);
std::unique_ptr<Workload> MakeProjected(Scene& scene, Prng& prng);
std::unique_ptr<Workload> MakeOverload(Scene& scene, Prng& prng);

// A number that a reply holds; none: nil, or no number.
std::optional<int64_t> NumberIn(const resp::Value& reply);
// The reply in one line, the same for RESP2 and RESP3; pairs of a map in the order of their names.
std::string TextOf(const resp::Value& reply);

}  // namespace sluice::sim
