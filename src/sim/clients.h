// Clients: a scripted workload whose writes say, afterwards, what must have survived.
//
// Each client has one connection and sends numbered rounds of writes on keys of its own, and
// increments of shared counters. It knows what was acknowledged; Check compares that with what the
// node answers later.
//
// The promises (docs: acknowledged ⊆ recovered; beyond it, a prefix per connection and shard):
//   counter   acknowledged <= value <= sent
//   register  the last acknowledged value, or a later one that was sent
//   ladder    rungs 1..k exist, in one shard, with k >= acknowledged
//   pair      two keys of different shards, written by one MSET: equal
//   hash      field n of round n, as the ladder
//   once      after retrying what was not acknowledged: exactly as many as tokens
//   shared    at least the greatest value that anyone was told
//   peek      what a client read of another's counter, register or pair counts as acknowledged: no
//   reply
//             reveals what a crash could undo
//
// Threads:  one.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/prng.h"
#include "resp/decoder.h"

namespace sluice::sim {

// How clients reach the node at the moment.
class Network {
 public:
  virtual ~Network() = default;
  virtual void Send(size_t client, std::string_view bytes) = 0;
  virtual std::string Take(size_t client) = 0;  // bytes that came for it
};

class Clients {
 public:
  // What the clients send: everything, or only writes over two shards, or only once tokens, or
  // writes over two shards among FLUSHALLs (whose outcome Check does not know).
  enum class Mix : uint8_t { kAll, kPairs, kOnce, kFlushes };
  Clients(size_t clients, size_t rounds, Mix mix, uint64_t seed);

  // Sends more, if a client has room in its pipeline, and takes replies. Returns a broken promise,
  // if a reply shows one.
  std::optional<std::string> Step(Network& network);
  bool Done() const;  // everything was sent and acknowledged

  // After a restart: connections are new, what was under way is unknown.
  void Reconnect();
  // Reads everything back, one command at a time through `ask`, and retries once tokens.
  using Ask = std::function<std::string(const std::vector<std::string>& command)>;
  std::optional<std::string> Check(const Ask& ask);

 private:
  enum class Kind : uint8_t {
    kCounter,
    kRegister,
    kLadder,
    kPair,
    kHash,
    kOnce,
    kShared,
    kPeek,
    kFlush
  };
  static constexpr size_t kKinds = 9;
  static constexpr size_t kKindsOfAll = 8;  // without FLUSHALL
  struct Sent {
    Kind kind;
    uint64_t n;
  };
  struct Client {
    size_t sent = 0;                // rounds
    uint64_t numbers[kKinds] = {};  // last n sent, by kind
    uint64_t acked[kKinds] = {};    // last n acknowledged
    std::vector<uint64_t> tokens;   // unacknowledged once numbers
    std::vector<Sent> under_way;    // in order; replies come in order
    std::string inbox;
    resp::Decoder decoder;
    Prng prng;
    explicit Client(uint64_t seed) : prng(seed) {}
  };
  std::vector<std::string> CommandOf(size_t client, Kind kind, uint64_t n) const;
  std::optional<std::string> TakeReplies(size_t index, Client& client);
  std::optional<std::string> CheckClient(size_t index, Client& client, const Ask& ask);

  Kind NextKind(Client& client) const;
  uint64_t NextNumber(Client& client, Kind kind);
  void NotePeek(uint64_t peeked, std::string_view value);

  size_t rounds_;
  Mix mix_;
  std::vector<Client> clients_;
  uint64_t shared_told_ = 0, shared_sent_ = 0;
};

// The command as a client would send it.
std::string Encode(const std::vector<std::string>& command);

}  // namespace sluice::sim
