#include "app/serve.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <thread>

#include "app/balance_watch.h"
#include "app/face.h"
#include "app/live_config.h"
#include "app/meters.h"
#include "app/node_process.h"
#include "app/process_use.h"
#include "app/projections.h"
#include "auth/users.h"
#include "base/log_line.h"
#include "console/http_server.h"
#include "env/linux/signals.h"
#include "server/lane_server.h"

namespace sluice::app {
namespace {

constexpr int kListenBacklog = 1024;
// Descriptors that are not for clients: the store's tables, HTTP, the log, and what libraries open.
constexpr uint64_t kFilesKept = 512 + 64 + 128;
constexpr int kStopped = 0, kFailed = 1, kWrong = 2, kDamaged = 3;

int StatusOf(const Error& error) {
  switch (error.code) {
    case Code::kCorrupt:
      return kDamaged;
    case Code::kInvalid:
    case Code::kNotFound:
    case Code::kConflict:
    case Code::kNoSpace:
      return kWrong;
    default:
      return kFailed;
  }
}

constexpr std::string_view kMakeRoom =
    "free space on the disk of the data directory (an empty node takes three times log.segment), "
    "or "
    "choose a smaller log.segment";

int Complain(std::string_view what, const Error& error) {
  if (error.code == Code::kNoSpace) {
    LogError("serve", what, {{"error", error.message}, {"what_to_do", kMakeRoom}});
  } else {
    LogError("serve", what, {{"error", error.message}});
  }
  return StatusOf(error);
}

// The parts of a running server, in the order in which they are made.
class Server {
 public:
  Server(const ServeOptions& options, const config::Overrides& overrides, config::Config config)
      : options_(options),
        config_(std::move(config)),
        settings_(options.config_file, overrides, config_),
        users_(config_.users) {}

  int Run();

 private:
  Status OpenHttp();
  Status OpenNode();
  Status OpenLanes();
  void FillContext();
  Status RaiseFiles();
  void LimitClients();
  void SayRecovered();
  void BeginStop();
  void Reload();
  int ServeUntilStopped(env::Signals& signals);

  const ServeOptions options_;
  const config::Config config_;  // as at the start
  LiveConfig settings_;
  auth::LiveUsers users_;
  env::LinuxClock clock_;
  meter::Registry registry_;
  Face face_{settings_, registry_};
  server::Front front_;
  std::unique_ptr<NodeProcess> node_;
  std::unique_ptr<Projections> projections_;
  std::unique_ptr<Meters> meters_;
  std::unique_ptr<BalanceWatch> balance_;
  std::unique_ptr<server::Context> context_;
  std::vector<std::unique_ptr<server::LaneServer>> lanes_;
  std::string address_;
  uint64_t files_ = 0;                         // that the process may have open
  std::unique_ptr<console::HttpServer> http_;  // ends first: it shows all of the above
};

Status Server::OpenHttp() {
  console::HttpOptions http;
  http.listen = config_.server.http.Text();
  http.authenticate = [this](std::string_view user, std::string_view password) {
    const auto users = users_.Get();
    if (!users->configured()) return console::kEverything;
    const auth::User* known = users->Authenticate(user, password);
    if (known == nullptr) return console::Access();
    return console::Access{true, known->all_keys, auth::MayRun(*known, auth::kAdmin)};
  };
  SLUICE_ASSIGN(http_, console::HttpServer::Start(std::move(http), face_, clock_));
  registry_.Add(http_->meters());
  return Ok();
}

Status Server::OpenNode() {
  face_.SetPhase("opening the data directory");
  const auto wake = [this](model::LaneId lane) {
    if (lane.value < front_.servers.size()) front_.servers[lane.value]->Wake();
  };
  SLUICE_ASSIGN(node_, NodeProcess::Open(config_, options_.data, wake));
  for (const std::string& note : node_->notes()) LogWarning("config", note);
  face_.SetRecovering(*node_);
  SLUICE_TRY(node_->Recover());
  SayRecovered();
  SLUICE_ASSIGN(projections_, Projections::Open(config_, *node_));
  return Ok();
}

void Server::SayRecovered() {
  const log::RecoveryReport& log = node_->log_report();
  const ingest::RecoveryProgress& replayed = node_->replayed();
  LogInfo("recovery", log.created ? "a new data directory" : "recovered",
          {{"clean_stop", log.clean_stop},
           {"records_replayed", replayed.applied},
           {"records_already_stored", replayed.skipped},
           {"from_lsn", replayed.from.value},
           {"next_lsn", log.next.value},
           {"log_scan_ms", log.micros / 1000},
           {"rewritten_records", log.rewritten_records},
           {"cut_bytes", log.cut_bytes},
           {"cut_reason", log.cut_reason}});
}

void Server::FillContext() {
  context_ = std::make_unique<server::Context>(node_->node(), node_->env().clock, users_);
  server::Identity& identity = context_->identity;
  identity.version = SLUICE_VERSION;
  identity.build = SLUICE_BUILD;
  for (int i = 0; i < 3; ++i)
    identity.run_id += fmt::format("{:016x}", node_->env().entropy.Next());
  identity.run_id.resize(40);
  identity.os = "Linux";
  identity.executable = ExecutablePath();
  identity.config_file = options_.config_file;
  identity.pid = static_cast<uint64_t>(::getpid());
  identity.started_ms = node_->env().clock.WallMs();
  context_->settings = &settings_;
  context_->projections = projections_.get();
  context_->memory_bytes = config_.server.memory_bytes;
  const size_t lanes = node_->node().lanes.size();
  context_->client_memory.Limit(PlanMemory(context_->memory_bytes, lanes).client_bytes);
  context_->process = CurrentUse;
  context_->allocator = TheAllocator();
  context_->stop = [this] { BeginStop(); };
}

Status Server::RaiseFiles() {
  files_ = RaiseFileLimit();
  if (files_ > kFilesKept) return Ok();
  return Fail(Code::kInvalid,
              fmt::format("this process may have {} files open and needs more than {}: raise the "
                          "limit (ulimit -n, or LimitNOFILE of its systemd unit)",
                          files_, kFilesKept));
}

// Clients must never take the descriptors that the log and the store need.
void Server::LimitClients() {
  context_->clients_most = std::min(context_->clients_most, files_ - kFilesKept);
  if (context_->clients_max <= context_->clients_most) return;
  context_->clients_max = context_->clients_most;
  LogWarning("serve", "fewer clients than usual: the process may open few files",
             {{"maxclients", context_->clients_most}, {"files", files_}});
}

Status Server::OpenLanes() {
  SLUICE_ASSIGN(auto listener, env::Listener::Open(config_.server.listen.Text(), kListenBacklog));
  address_ = listener->address();
  FillContext();
  LimitClients();
  context_->identity.port = listener->port();
  for (size_t i = 0; i < node_->lanes(); ++i) {
    SLUICE_ASSIGN(auto lane, server::LaneServer::Open(*context_, front_, node_->lane(i),
                                                      i == 0 ? std::move(listener) : nullptr));
    context_->connections.push_back(&lane->connections());
    lanes_.push_back(std::move(lane));
  }
  for (const auto& lane : lanes_) front_.servers.push_back(lane.get());
  const auto wake = [this] {
    for (server::LaneServer* lane : front_.servers) lane->Wake();
  };
  SLUICE_TRY(node_->Start(wake, [this] { return projections_->needs(); }));
  context_->jobs = &node_->jobs();
  SLUICE_TRY(projections_->Start());
  meters_ = std::make_unique<Meters>(*node_, lanes_, context_->overload, registry_);
  projections_->AddMeters(registry_);
  node_->rebalancer().AddMeters(registry_);
  balance_ = std::make_unique<BalanceWatch>(node_->node(), node_->heat(), node_->jobs(), clock_);
  registry_.Add(balance_->meters());
  return Ok();
}

void Server::BeginStop() {
  projections_->EndWaits();
  front_.Stop();
}

void Server::Reload() {
  const auto reloaded = settings_.Reload();
  if (!reloaded.has_value()) {
    return LogWarning("config", "not read again; everything stays as it was",
                      {{"error", reloaded.error().message}});
  }
  LogInfo("config", "read again",
          {{"changed", fmt::format("{}", fmt::join(reloaded->changed, ", "))},
           {"at_the_next_start", fmt::format("{}", fmt::join(reloaded->waiting, ", "))}});
}

int Server::ServeUntilStopped(env::Signals& signals) {
  face_.SetServing(*node_, projections_->All());
  settings_.OnChange([this](const config::Config& config) {
    node_->Adopt(config);
    users_.Replace(config.users);
  });
  std::vector<std::thread> threads;
  std::atomic<size_t> running{lanes_.size()};
  for (const auto& lane : lanes_) {
    threads.emplace_back([&lane, &running] {
      NameThread("lane");
      lane->Run();
      --running;
    });
  }
  node_->rebalancer().Start();
  LogInfo("serve", "ready",
          {{"listen", address_},
           {"http", http_->address()},
           {"lanes", lanes_.size()},
           {"data", options_.data},
           {"version", SLUICE_VERSION}});
  while (running > 0) {
    const int signal = signals.Wait(100);
    node_->disk().Look();
    node_->heat().Look();
    if (balance_->due()) balance_->Look(settings_.Now());
    if (signal == SIGHUP) Reload();
    if (signal == SIGTERM || signal == SIGINT) {
      LogInfo("serve", "stopping", {{"signal", signal}});
      face_.SetPhase("stopping");
      node_->rebalancer().Stop();
      BeginStop();
    }
  }
  for (std::thread& thread : threads) thread.join();
  face_.SetPhase("stopping");
  projections_->Stop();
  node_->Stop();
  if (node_->committer().failed()) {
    LogError("serve",
             node_->committer().no_space()
                 ? "stopped while the log's disk was full: writes that were not answered are not "
                   "kept"
                 : "the log failed: what waited for it is in doubt; the next start says what "
                   "survived");
    return kFailed;
  }
  LogInfo("serve", "stopped", {{"next_lsn", node_->log().next().value}});
  return kStopped;
}

int Server::Run() {
  auto signals = env::Signals::Block({SIGTERM, SIGINT, SIGHUP});
  if (!signals.has_value()) return Complain("signals cannot be taken", signals.error());
  if (const Status files = RaiseFiles(); !files.ok())
    return Complain("cannot start", files.error());
  if (const Status http = OpenHttp(); !http.ok()) {
    return Complain("cannot serve HTTP", http.error()), kFailed;
  }
  if (const Status opened = OpenNode(); !opened.ok()) {
    return Complain("cannot start", opened.error());
  }
  if (const Status lanes = OpenLanes(); !lanes.ok()) {
    return Complain("cannot listen", lanes.error()), kFailed;
  }
  return ServeUntilStopped(**signals);
}

}  // namespace

int Serve(const ServeOptions& options) {
  LogOptions log;
  log.format = options.text_log ? LogFormat::kText : LogFormat::kJson;
  SetLog(log);
  config::Overrides overrides;
  overrides.set = options.set;
  if (!options.port.empty()) overrides.port = options.port;
  if (!options.http_port.empty()) overrides.http_port = options.http_port;
  auto config = options.config_file.empty() ? config::Load("", "(defaults)", overrides)
                                            : config::LoadFile(options.config_file, overrides);
  if (!config.has_value()) {
    fmt::print(stderr, "{}\n", config.error().message);
    return kWrong;
  }
  const int status = Server(options, overrides, std::move(*config)).Run();
  FlushLog();
  return status;
}

}  // namespace sluice::app
