// Clients: connections that send what workloads want, take the replies, and are sometimes cut.
//
// Each client has one connection at a time, to a lane by lot, and mixes the commands of all
// workloads on it.
//
// Threads:  one.
// Bounds:   kPipelineMax commands of a client are under way.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/prng.h"
#include "resp/decoder.h"
#include "sim/machine.h"
#include "sim/workload.h"

namespace sluice::sim {

inline constexpr size_t kPipelineMax = 8;

class Clients {
 public:
  Clients(Scene& scene, std::vector<std::unique_ptr<Workload>>& workloads, size_t count,
          uint64_t seed);

  // The machine that clients connect to from now on; null: it is gone, and all connections with it.
  void Attach(Machine* machine);
  // One client takes replies, and sends more unless it is to be quiet.
  void Step();
  void SetQuiet(bool quiet) { quiet_ = quiet; }
  // Takes all replies that have left.
  void TakeAll();
  bool Idle() const;  // nothing is under way
  // One connection is cut, from outside.
  void Cut();

 private:
  struct Sent {
    Workload* workload;  // null: the client's own
    uint64_t tag;
    std::string name;  // for the trace
  };
  struct Client {
    size_t lane = 0;
    uint64_t connection = 0;  // 0: none
    uint64_t session = 0;
    std::deque<Sent> under_way;
    std::string inbox;
    resp::Decoder decoder;
  };
  void Connect(Client& client);
  void Send(Client& client);
  void Take(Client& client);
  void TakeReply(Client& client, const resp::Value& reply);
  void Lose(Client& client);

  Scene& scene_;
  std::vector<std::unique_ptr<Workload>>& workloads_;
  Prng prng_;
  Machine* machine_ = nullptr;
  std::vector<Client> clients_;
  uint64_t sessions_ = 0;
  bool quiet_ = false;
};

// The commands as a client sends them.
std::string Encode(const Command& command);

}  // namespace sluice::sim
