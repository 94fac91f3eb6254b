#include "sim/world.h"

#include <fmt/format.h>

#include "base/check.h"

namespace sluice::sim {
namespace {

constexpr uint64_t kStepsMax = 2'000'000;  // of one script; more means that something hangs

constexpr const char* kConfig =
    "[keyspace.default]\n"
    "shards = 5\n"
    "[keyspace.pair]\n"
    "key = \"pair:{side}:{client}\"\n"
    "shard = \"hash(side)\"\n"
    "shards = 4\n";

}  // namespace

// One connection per client, on lanes in turn.
class World::Wires final : public Network {
 public:
  Wires(Machine& machine, size_t clients, size_t lanes) : machine_(machine), lanes_(lanes) {
    for (size_t i = 0; i <= clients; ++i) ids_.push_back(machine.Connect(i % lanes));
  }
  void Send(size_t client, std::string_view bytes) override {
    machine_.Send(client % lanes_, ids_[client], bytes);
  }
  std::string Take(size_t client) override { return machine_.Take(client % lanes_, ids_[client]); }

 private:
  Machine& machine_;
  const size_t lanes_;
  std::vector<uint64_t> ids_;
};

World::World(const WorldOptions& options)
    : options_(options),
      world_(options.seed),
      prng_(options.seed ^ 0x5eed),
      medium_(std::make_shared<store::MemoryStore::Medium>()),
      clients_(options.clients, options.rounds, options.mix, options.seed) {}

World::~World() = default;

std::optional<std::string> World::BootAgain(uint64_t again) {
  for (uint64_t attempt = 0;; ++attempt) {
    wires_.reset();
    machine_.reset();
    if (again != 0) world_.files.CutPowerAt(again + attempt);
    MachineOptions machine;
    machine.config = kConfig;
    machine.lanes = options_.lanes;
    machine.buffer_bytes = options_.buffer_bytes;
    machine_ = std::make_unique<Machine>(world_, medium_, machine, prng_);
    const Status booted = machine_->Boot();
    if (booted.ok()) {
      if (again != 0) world_.files.CutPowerAt(UINT32_MAX);  // it got through before the cut
      break;
    }
    if (world_.files.powered()) return "the node does not start: " + booted.error().message;
    ++seen_.cuts_in_recovery;
    world_.files.Restart();
  }
  seen_.torn_tails += machine_->log_report().cut_bytes > 0 ? 1 : 0;
  seen_.replayed += machine_->replayed().applied;
  wires_ = std::make_unique<Wires>(*machine_, options_.clients, options_.lanes);
  return std::nullopt;
}

std::optional<std::string> World::Run(uint64_t cut) {
  if (!machine_) {
    if (auto broken = BootAgain(0)) return broken;
  }
  if (cut != 0) world_.files.CutPowerAt(cut);
  for (uint64_t step = 0; !clients_.Done(); ++step) {
    if (step == kStepsMax) return "the script does not end";
    if (!world_.files.powered()) break;
    machine_->Step();
    if (!world_.files.powered()) break;
    if (auto broken = clients_.Step(*wires_)) return broken;
  }
  seen_.runs_stored += machine_->stored_runs();
  return std::nullopt;
}

std::optional<std::string> World::Check(uint64_t again, bool process_only) {
  clients_.Reconnect();
  wires_.reset();
  machine_.reset();
  if (process_only) {
    world_.files.RestartProcess();
  } else {
    world_.files.CutPower();
    world_.files.Restart();
  }
  if (auto broken = BootAgain(again)) return broken;
  return clients_.Check([this](const auto& command) { return Ask(command); });
}

std::optional<std::string> World::RestartProcess() {
  clients_.Reconnect();
  wires_.reset();
  machine_.reset();
  world_.files.RestartProcess();
  return BootAgain(0);
}

std::map<std::string, std::string> World::Content() {
  std::map<std::string, std::string> content;
  for (const resp::Value& key : AskValue({"KEYS", "*"}).items) {
    content[key.text] = Ask({"GET", key.text});
  }
  return content;
}

std::string World::Ask(const std::vector<std::string>& command) {
  const resp::Value reply = AskValue(command);
  return reply.type == resp::Value::Type::kInt ? std::to_string(reply.number) : reply.text;
}

resp::Value World::AskValue(const std::vector<std::string>& command) {
  const size_t asker = options_.clients;  // a connection of its own
  wires_->Send(asker, Encode(command));
  resp::Decoder decoder;
  resp::Value reply;
  std::string inbox;
  for (uint64_t step = 0; step < kStepsMax; ++step) {
    machine_->Step();
    inbox += wires_->Take(asker);
    size_t consumed = 0;
    const auto got = decoder.Next(inbox, &consumed, &reply);
    inbox.erase(0, consumed);
    if (got == resp::Decoder::Got::kReply) return reply;
  }
  SLUICE_CHECK_MSG(false, "no answer to " + command.front());
}

}  // namespace sluice::sim
