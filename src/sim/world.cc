#include "sim/world.h"

#include "base/check.h"

namespace sluice::sim {
namespace {

constexpr uint64_t kSettleStepsMax = 1'000'000;  // more means that something hangs
constexpr uint64_t kRestSteps = 300;             // packets may be on their way that nobody counts
constexpr uint64_t kStartsMax = 2000;            // in a row, before one succeeds
constexpr uint64_t kTroubledStarts = 4;          // of these, such that faults may hit
constexpr uint64_t kSlices = 20;                 // steps of others during a slow call
constexpr uint64_t kShards[] = {1, 2, 5};
constexpr const char* kCalls[] = {"write",  "sync",   "truncate", "create",
                                  "rename", "remove", "sync dir", "create dir"};

std::vector<std::unique_ptr<Workload>> MakeWorkloads(const Scenario& scenario, Scene& scene,
                                                     Prng& prng) {
  std::vector<std::unique_ptr<Workload>> made;
  for (const WorkloadKind* kind : scenario.workloads) made.push_back(kind->make(scene, prng));
  return made;
}

}  // namespace

World::World(const Scenario& scenario, const Incident& incident, size_t notes)
    : scenario_(scenario),
      incident_(incident),
      scene_(scenario.seed, notes),
      prng_(scenario.seed ^ 0x5eed),
      medium_(std::make_shared<store::MemoryStore::Medium>()),
      workloads_(MakeWorkloads(scenario, scene_, prng_)),
      clients_(scene_, workloads_, scenario.clients, scenario.seed ^ 0xc11e),
      hands_{scene_, trouble_, clients_, prng_, 0, std::nullopt} {
  scene_.refusals =
      incident.kind == Incident::Kind::kEio || incident.kind == Incident::Kind::kNoSpace;
  for (const FaultKind* kind : scenario.faults) {
    faults_.push_back(kind->make());
    scene_.refusals = scene_.refusals || kind->refuses;
  }
  for (const WorkloadKind* kind : scenario.workloads) sheds_ = sheds_ || kind->sheds;
  scene_.refusals = scene_.refusals || sheds_;
  const uint64_t shards = kShards[prng_.Below(std::size(kShards))];
  keyspaces_ = fmt::format("[keyspace.default]\nshards = {}\n", shards);
  for (const auto& workload : workloads_) keyspaces_ += workload->Keyspaces(shards);
  scene_.world.files.OnStep(
      [this](env::SimStep kind, const std::string& path) { OnDiskCall(kind, path); });
  if (scenario.errand) errand_.emplace(scene_);
  Order(incident_.call);
}

World::~World() = default;

void World::Order(uint64_t call) {
  if (call == 0) return;
  switch (incident_.kind) {
    case Incident::Kind::kNone:
    case Incident::Kind::kKillBetween:
      break;
    case Incident::Kind::kPowerCut:
    case Incident::Kind::kKill:
      scene_.world.files.CutPowerAt(call);
      break;
    case Incident::Kind::kEio:
      scene_.world.files.FailAt(call, Code::kIo);
      break;
    case Incident::Kind::kNoSpace:
      scene_.world.files.FailAt(call, Code::kNoSpace);
      break;
  }
}

// While one thread of the node waits for the disk, the others go on, and so do the clients.
void World::OnDiskCall(env::SimStep kind, const std::string& path) {
  scene_.Note("disk: {} {}", kCalls[static_cast<size_t>(kind)], path);
  if (path == "data" || path.starts_with("data/topology")) {
    seen_.of_map.push_back(scene_.world.files.steps());
  }
  if (!machine_ || !machine_->serving()) return;
  uint64_t steps = prng_.OneIn(4) ? prng_.Below(6) : 0;
  if (trouble_.disk_us > 0) steps = kSlices;
  for (; steps > 0 && scene_.world.files.powered(); --steps) {
    scene_.world.clock.Advance(trouble_.disk_us / kSlices);
    Step();
  }
}

// One step of the machine and of its clients. False: nothing more can happen in this life.
bool World::Step() {
  scene_.Observe();
  machine_->Step();
  if (!scene_.world.files.powered()) return false;
  if (!checking_) clients_.Step();
  return scene_.held() && !machine_->failed();
}

void World::Heal() {
  for (const auto& fault : faults_) fault->Heal(hands_);
}

void World::Run() {
  for (size_t life = 0; life < scenario_.lives && scene_.held(); ++life) {
    if (!machine_ && !Start()) return;
    Live();
    const bool last = life + 1 == scenario_.lives;
    // What the crash left must be durable by now, and what came after it too.
    if (errand_ && life == 1 && machine_ && scene_.held()) End(Ending::kPowerCut);
    if (scene_.held() && (last || (!errand_ && prng_.OneIn(2)))) Check();
  }
  if (machine_) CountMachine();
  seen_.errand_done = errand_ && errand_->all_done();
}

void World::CountMachine() {
  seen_.runs_stored += machine_->stored_runs();
  seen_.folded += machine_->folded();
  seen_.reshaped += machine_->reshaped();
}

void World::Live() {
  hands_.actors = machine_->actors();
  hands_.ending.reset();
  for (uint64_t step = 0; step < scenario_.life_steps || (errand_ && !errand_->over()); ++step) {
    if (step == kSettleStepsMax) return scene_.Broken("the errand never ends");
    for (const auto& fault : faults_) fault->Step(hands_);
    ++seen_.steps;
    if (incident_.kind == Incident::Kind::kKillBetween && seen_.steps == incident_.call) {
      hands_.ending = Ending::kKilled;
    }
    if (hands_.ending) return End(*hands_.ending);
    if (Step()) {
      if (errand_ && step > scenario_.life_steps / 4) errand_->Step(machine_->reshaper(), prng_);
      continue;
    }
    if (!scene_.held()) return;
    return End(HowItEnded());
  }
}

// By what has happened to it.
Ending World::HowItEnded() const {
  if (scene_.world.files.powered()) return Ending::kLogFailed;
  return incident_.kind == Incident::Kind::kKill ? Ending::kKilled : Ending::kPowerCut;
}

void World::End(Ending ending) {
  constexpr const char* kEndings[] = {"the power fails", "the process is killed",
                                      "the process stops in order", "the log failed"};
  scene_.Note("{}", kEndings[static_cast<size_t>(ending)]);
  if (ending == Ending::kLogFailed) {
    ++seen_.log_failures;
    if (prng_.OneIn(2)) clients_.TakeAll();  // what is in doubt, and what is not
  }
  if (ending == Ending::kStopped && !StopInOrder() && !scene_.world.files.powered()) {
    ending = Ending::kPowerCut;
  }
  CountMachine();
  if (errand_) errand_->Ended(machine_->reshaper());
  machine_.reset();
  clients_.Attach(nullptr);
  if (ending == Ending::kPowerCut) {
    scene_.world.files.Restart();
  } else {
    scene_.world.files.RestartProcess();
  }
}

// False when that was not possible: then the process is killed while it tries.
bool World::StopInOrder() {
  clients_.SetQuiet(true);
  machine_->BeginStop();
  for (uint64_t step = 0; step < kSettleStepsMax / 100 && !machine_->Drained(); ++step) {
    if (!Step()) return false;
  }
  clients_.SetQuiet(false);
  if (!machine_->Drained()) return false;
  machine_->EndStop();
  return scene_.world.files.powered();
}

// A start after the other until one gets through. False: none does, and that is broken.
bool World::Start() {
  for (uint64_t attempt = 0; attempt < kStartsMax; ++attempt) {
    if (attempt == kTroubledStarts) Heal();
    if (attempt < kTroubledStarts) {
      for (const auto& fault : faults_) fault->Booting(hands_);
    }
    if (scene_.starts > 0 && incident_.again != 0) Order(incident_.again++);
    ++scene_.starts;
    MachineOptions options = DrawOptions(keyspaces_, prng_);
    options.sheds = sheds_;
    if (scenario_.lanes) options.config.server.lanes = *scenario_.lanes;
    if (scenario_.buffer_bytes) options.buffer_bytes = *scenario_.buffer_bytes;
    uint64_t& once_window_ms = options.config.server.once_window_ms;
    if (scene_.once_window_ms == 0) scene_.once_window_ms = once_window_ms;
    once_window_ms = scene_.once_window_ms;  // workloads count on it
    machine_ = std::make_unique<Machine>(scene_, trouble_, medium_, std::move(options), prng_);
    const Status booted = machine_->Boot();
    if (booted.ok()) {
      Boot();
      return true;
    }
    scene_.Note("start failed: {}", booted.error().message);
    ++seen_.failed_starts;
    machine_.reset();
    const Code code = booted.error().code;
    if (scene_.world.files.powered()) {
      const bool disk =
          code == Code::kIo || code == Code::kNoSpace || code == Code::kOutcomeUnknown;
      const bool troubled = incident_.kind != Incident::Kind::kNone || attempt < kTroubledStarts;
      if (!disk || !troubled || !scene_.refusals) {
        scene_.Broken("the node does not start: " + booted.error().message);
        return false;
      }
      scene_.world.files.RestartProcess();
    } else {
      HowItEnded() == Ending::kKilled ? scene_.world.files.RestartProcess()
                                      : scene_.world.files.Restart();
    }
  }
  scene_.Broken("the node never starts");
  return false;
}

void World::Boot() {
  const log::RecoveryReport& report = machine_->log_report();
  if (scene_.starts > 1 && incident_.again != 0) {
    incident_ = {};  // it got through before the incident
    scene_.world.files.Disarm();
  }
  seen_.torn_tails += report.cut_bytes > 0 ? 1 : 0;
  seen_.rewritten_tails += report.rewritten_records > 0 ? 1 : 0;
  seen_.clean_starts += report.clean_stop ? 1 : 0;
  seen_.replayed += machine_->replayed().applied;
  seen_.segments_most = std::max<uint64_t>(seen_.segments_most, report.segments);
  scene_.Note("started: LSN {} to {}, {} bytes cut, {} records replayed", report.first.value,
              report.next.value, report.cut_bytes, machine_->replayed().applied);
  clients_.Attach(machine_.get());
  if (errand_) errand_->Began(machine_->reshaper());
}

// All that is under way comes to its end. False: the life ended first, or something hangs.
bool World::Settle() {
  if (seen_.calls == 0) seen_.calls = scene_.world.files.steps();
  Heal();
  if (incident_.kind != Incident::Kind::kNone) scene_.world.files.Disarm();
  clients_.SetQuiet(true);
  uint64_t rest = 0;
  for (uint64_t step = 0; rest < kRestSteps; ++step) {
    if (step == kSettleStepsMax) {
      scene_.Broken("a command is never answered, or the node never comes to rest");
      return false;
    }
    if (!Step()) return false;
    rest = clients_.Idle() && machine_->Idle() ? rest + 1 : 0;
  }
  return true;
}

void World::Check() {
  // A log that failed before all was healed ends the life once more.
  for (int life = 0; life < 3 && scene_.held(); ++life) {
    if (!machine_ && !Start()) return;
    if (Settle()) break;
    clients_.SetQuiet(false);
    if (!scene_.held()) return;
    End(HowItEnded());
  }
  if (!scene_.held()) return;
  SLUICE_CHECK(machine_ != nullptr);
  scene_.Note("check");
  checking_ = true;
  for (const auto& workload : workloads_) workload->Check(*this);
  if (errand_) errand_->Check(machine_->reshaper());
  if (scene_.held() && errand_ && prng_.OneIn(3)) CheckLogIsFree();
  if (scene_.held() && (errand_ || prng_.OneIn(2))) CheckReplay();
  checking_ = false;
  clients_.SetQuiet(false);
}

// Nothing that is left of jobs or of anything else holds the log.
void World::CheckLogIsFree() {
  machine_->StoreAll();
  for (uint64_t step = 0; !machine_->LogIsFree(); ++step) {
    if (step == kSettleStepsMax) return scene_.Broken("the log cannot be trimmed to its end");
    if (!Step()) return;
  }
}

// What a start makes of log and store is what the lanes held.
void World::CheckReplay() {
  const auto before = Content();
  End(Ending::kKilled);
  if (!scene_.held() || !Start()) return;
  scene_.world.files.Disarm();
  ++seen_.replay_checks;
  const auto after = Content();
  if (before == after) return;
  for (const auto& [key, value] : before) {
    const auto now = after.find(key);
    if (now != after.end() && now->second == value) continue;
    return scene_.Broken(fmt::format("{} was {}; after a restart it is {}", key, value,
                                     now == after.end() ? "gone" : now->second));
  }
  scene_.Broken("after a restart there are keys that were not there before");
}

// Every key that does not end soon, with its value and its end.
std::map<std::string, std::string> World::Content() {
  constexpr uint64_t kSoonMs = 60'000;
  std::map<std::string, std::string> content;
  const resp::Value keys = Ask({"KEYS", "*"});
  std::vector<Command> commands;
  for (const resp::Value& key : keys.items) {
    commands.push_back({"PEXPIRETIME", key.text});
    commands.push_back({"GET", key.text});
    commands.push_back({"HGETALL", key.text});
  }
  if (commands.empty()) return content;
  const auto replies = AskAll(commands);
  for (size_t i = 0; i < keys.items.size(); ++i) {
    const int64_t ends = replies[3 * i].number;
    if (ends != -1 && ends < static_cast<int64_t>(scene_.log_most_ms() + kSoonMs)) continue;
    const resp::Value& value = replies[3 * i + (replies[3 * i + 1].is_error() ? 2 : 1)];
    content[keys.items[i].text] = fmt::format("{} until {}", TextOf(value), ends);
  }
  return content;
}

std::vector<resp::Value> World::AskAll(const std::vector<Command>& commands) {
  const size_t lane = prng_.Below(machine_->lanes());
  const uint64_t connection = machine_->Connect(lane);
  std::string bytes, inbox;
  for (const Command& command : commands) bytes += Encode(command);
  machine_->Send(lane, connection, bytes);
  resp::Decoder decoder;
  std::vector<resp::Value> replies;
  for (uint64_t step = 0; replies.size() < commands.size(); ++step) {
    if (step == kSettleStepsMax || !Step()) {
      scene_.Broken("no answer to " + commands[replies.size()][0]);
      replies.resize(commands.size());
      return replies;
    }
    const auto taken = machine_->Take(lane, connection);
    if (!taken) {
      scene_.Broken("a connection of the check was closed");
      continue;
    }
    inbox += *taken;
    resp::Value reply;
    size_t consumed = 0;
    while (decoder.Next(inbox, &consumed, &reply) == resp::Decoder::Got::kReply) {
      inbox.erase(0, consumed);
      replies.push_back(reply);
    }
    inbox.erase(0, consumed);
  }
  machine_->Disconnect(lane, connection);
  return replies;
}

}  // namespace sluice::sim
