// Registers: a few integers that all clients read, write, count and remove. Each key's history must
// be linearizable, over crashes too: that holds what was acknowledged, the order of writes to a
// key, a connection's order, and that no reply reveals what a crash undid.
//
// Rings: the same of several keys of different shards, which are only written and read together, by
// one command. Flushes: registers with FLUSHALL, which to each key is a removal. Clears: rings with
// FLUSHALL, which clears one lane after the other, so that nothing is known of a ring but what the
// world finds out by itself: a restart does not change it.
#include <map>

#include "sim/history.h"
#include "sim/workload.h"

namespace sluice::sim {
namespace {

using Kind = Operation::Kind;

constexpr size_t kOpenOpsMax = 6;  // of a key; more would only make the search long
constexpr size_t kKeysMax = 4;
constexpr size_t kWidthMax = 5;  // keys of a ring

class Registers final : public Workload {
 public:
  Registers(Scene& scene, const std::string& name, size_t width, bool flushes, Prng& prng)
      : Workload(scene), flushes_(flushes), judges_(!flushes || width == 1) {
    const size_t count = 1 + prng.Below(kKeysMax);
    for (size_t i = 0; i < count; ++i) {
      Cell& cell = cells_.emplace_back(History(scene, fmt::format("{}:{}", name, i)));
      for (size_t j = 0; j < width; ++j) cell.keys.push_back(fmt::format("{}:{}:{}", name, j, i));
    }
  }

  Request Next(uint64_t session, Prng& prng) override;
  void Answered(uint64_t tag, const resp::Value& reply) override;
  void Refused(uint64_t tag) override {
    for (const Sent& sent : Forget(tag)) cells_[sent.cell].history.Refused(sent.operation);
  }
  void Lost(uint64_t tag) override {
    for (const Sent& sent : Forget(tag)) cells_[sent.cell].history.Lost(sent.operation);
  }
  void Ended() override {
    for (Cell& cell : cells_) cell.history.Ended();
  }
  void Check(Asker& ask) override;

 private:
  struct Cell {
    explicit Cell(History h) : history(std::move(h)) {}
    History history;
    std::vector<std::string> keys;
  };
  struct Sent {
    size_t cell, operation;
    Kind kind;
  };
  Command CommandOf(uint64_t session, const Cell& cell, Kind kind, int64_t argument,
                    Prng& prng) const;
  Request Flush(uint64_t session);
  std::vector<Sent> Forget(uint64_t tag);
  std::optional<int64_t> ValueIn(const Cell& cell, const resp::Value& reply);

  const bool flushes_;
  const bool judges_;  // else only the commands count
  std::vector<Cell> cells_;
  std::map<uint64_t, std::vector<Sent>> sent_;
  uint64_t tags_ = 0;
  int64_t numbers_ = 0;  // each write writes another
};

Command Registers::CommandOf(uint64_t session, const Cell& cell, Kind kind, int64_t argument,
                             Prng& prng) const {
  const std::string number = std::to_string(argument);
  const bool wide = cell.keys.size() > 1;
  Command command;
  switch (kind) {
    case Kind::kRead:
      // A session asks for one of a ring's keys only: commands to several keys that are under way
      // together may run in any order.
      if (!prng.OneIn(3)) return {"GET", cell.keys[session % cell.keys.size()]};
      command = {"MGET"};
      break;
    case Kind::kWrite:
      command = {wide ? "MSET" : "SET"};
      break;
    case Kind::kWriteIfAbsent:
      command = {wide ? "MSETNX" : "SETNX"};
      break;
    case Kind::kRemove:
      command = {prng.OneIn(2) ? "DEL" : "UNLINK"};
      break;
    case Kind::kAdd:
      return {"INCRBY", cell.keys[0], number};
    case Kind::kSwap:
      return {"GETSET", cell.keys[0], number};
    case Kind::kClear:
      return {"FLUSHALL"};
  }
  for (const std::string& key : cell.keys) {
    command.push_back(key);
    if (kind == Kind::kWrite || kind == Kind::kWriteIfAbsent) command.push_back(number);
  }
  return command;
}

Request Registers::Next(uint64_t session, Prng& prng) {
  if (flushes_ && prng.OneIn(20)) return Flush(session);
  const size_t at = prng.Below(cells_.size());
  Cell& cell = cells_[at];
  if (cell.history.open() >= kOpenOpsMax) return {};
  constexpr Kind kNarrow[] = {Kind::kRead,          Kind::kRead, Kind::kRead,
                              Kind::kWrite,         Kind::kAdd,  Kind::kAdd,
                              Kind::kWriteIfAbsent, Kind::kSwap, Kind::kRemove};
  constexpr Kind kWide[] = {Kind::kRead, Kind::kWrite, Kind::kWriteIfAbsent, Kind::kRemove};
  const Kind kind = cell.keys.size() > 1 ? kWide[prng.Below(std::size(kWide))]
                                         : kNarrow[prng.Below(std::size(kNarrow))];
  const int64_t argument =
      kind == Kind::kAdd ? 1 + static_cast<int64_t>(prng.Below(9)) : ++numbers_ * 1000;
  sent_[++tags_] = {{at, cell.history.Begin(session, kind, argument), kind}};
  return {CommandOf(session, cell, kind, argument, prng), tags_};
}

Request Registers::Flush(uint64_t session) {
  for (const Cell& cell : cells_) {
    if (cell.history.open() >= kOpenOpsMax) return {};
  }
  std::vector<Sent> all;
  for (size_t i = 0; i < cells_.size(); ++i) {
    all.push_back({i, cells_[i].history.Begin(session, Kind::kClear, 0), Kind::kClear});
  }
  sent_[++tags_] = std::move(all);
  return {{"FLUSHALL"}, tags_};
}

std::vector<Registers::Sent> Registers::Forget(uint64_t tag) {
  const auto found = sent_.find(tag);
  std::vector<Sent> sent = std::move(found->second);
  sent_.erase(found);
  return sent;
}

// All keys of a ring hold the same.
std::optional<int64_t> Registers::ValueIn(const Cell& cell, const resp::Value& reply) {
  if (reply.type != resp::Value::Type::kArray) return NumberIn(reply);
  const std::optional<int64_t> first = NumberIn(reply.items[0]);
  for (const resp::Value& item : reply.items) {
    if (judges_ && NumberIn(item) != first) {
      scene_.Broken(fmt::format("{} and the keys with it differ: {} and {}", cell.keys[0],
                                TextOf(reply.items[0]), TextOf(item)));
    }
  }
  return first;
}

void Registers::Answered(uint64_t tag, const resp::Value& reply) {
  for (const Sent& sent : Forget(tag)) {
    Cell& cell = cells_[sent.cell];
    std::optional<int64_t> value = ValueIn(cell, reply);
    if (sent.kind == Kind::kRemove) {
      if (judges_ && *value != 0 && *value != static_cast<int64_t>(cell.keys.size())) {
        scene_.Broken(fmt::format("{} of the keys with {} were there", *value, cell.keys[0]));
      }
      value = std::min<int64_t>(*value, 1);
    }
    cell.history.Answered(sent.operation, value);
  }
}

void Registers::Check(Asker& ask) {
  for (Cell& cell : cells_) {
    Command command{"MGET"};
    command.insert(command.end(), cell.keys.begin(), cell.keys.end());
    const std::optional<int64_t> value = ValueIn(cell, ask.Ask(command));
    judges_ ? cell.history.Check(value) : cell.history.Restart(value);
  }
}

}  // namespace

std::unique_ptr<Workload> MakeRegisters(Scene& scene, Prng& prng) {
  return std::make_unique<Registers>(scene, "register", 1, false, prng);
}

std::unique_ptr<Workload> MakeRings(Scene& scene, Prng& prng) {
  const std::string name = fmt::format("ring{}", ++scene.rings);
  return std::make_unique<Registers>(scene, name, 2 + prng.Below(kWidthMax - 1), false, prng);
}

std::unique_ptr<Workload> MakeFlushes(Scene& scene, Prng& prng) {
  // One key wide: a lane clears its shards at once, but not all lanes at the same moment.
  return std::make_unique<Registers>(scene, "flushed", 1, true, prng);
}

std::unique_ptr<Workload> MakeClears(Scene& scene, Prng& prng) {
  return std::make_unique<Registers>(scene, "cleared", 2 + prng.Below(kWidthMax - 1), true, prng);
}

}  // namespace sluice::sim
