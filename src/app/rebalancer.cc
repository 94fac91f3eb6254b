#include "app/rebalancer.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "app/threads.h"
#include "base/log_line.h"

namespace sluice::app {
namespace {

constexpr uint64_t kIdleUs = 10'000;  // until it is looked again for a new job

Result<std::string> CutOf(const HeatWatch& heat, const model::Shard& shard) {
  const std::optional<heat::LoadCut> cut = heat.CutOf(shard.keyspace, shard.begin, shard.end);
  if (!cut) {
    return Fail(Code::kNotFound,
                fmt::format("shard {} had too few writes lately to tell where its load halves; say "
                            "where to cut it: SPLIT {} AT key",
                            shard.id.value, shard.id.value));
  }
  if (cut->one_key() || cut->at.empty()) {
    return Fail(Code::kNotFound,
                fmt::format("one key takes {:.0f} % of the load of shard {}, and no cut parts it: "
                            "SLUICE HOTKEYS names it. Folding its writes (hot_key = \"fold\"), or "
                            "spreading it over several keys, helps",
                            100 * cut->share, shard.id.value));
  }
  return cut->at;
}

// What comes later than the list of jobs: who asked for what, and what became of it.
void Tell(const rebalance::JobReport& job) {
  std::string shards = std::to_string(job.order.shard.value), made;
  if (job.order.kind == rebalance::JobKind::kMerge) {
    shards += fmt::format(" {}", job.order.with.value);
  }
  for (const model::ShardId shard : job.made) made += fmt::format(" {}", shard.value);
  if (!made.empty()) made.erase(0, 1);
  if (!job.ended()) {
    return LogInfo("rebalance", "a job was asked for",
                   {{"job", job.id},
                    {"kind", NameOf(job.order.kind)},
                    {"shards", shards},
                    {"reason", job.order.reason}});
  }
  const bool failed = job.state == rebalance::JobState::kFailed;
  LogLine(failed ? LogLevel::kWarning : LogLevel::kInfo, "rebalance", "a job has ended",
          {{"job", job.id},
           {"kind", NameOf(job.order.kind)},
           {"shards", shards},
           {"state", NameOf(job.state)},
           {"made", made},
           {"error", job.error},
           {"verification", job.verification},
           {"took_ms", job.ended_ms - job.asked_ms}},
          __builtin_FILE(), __builtin_LINE());
}

}  // namespace

Rebalancer::Rebalancer(ingest::Node& node, route::Topology& topology, route::TopologyContent now,
                       env::Env env, project::ShardBook& book, const HeatWatch& heat)
    : env_(env),
      halt_(node.lanes.size(), node.fabric),
      hands_(node, topology, std::move(now), env.clock,
             {.still = [this](const std::function<void()>& work) { return halt_.While(work); },
              .learn = [&book](const model::ShardMap& map) { book.Learn(map); },
              .median = [&heat](const model::Shard& shard) { return CutOf(heat, shard); },
              .draw = [env] { return env.entropy.Next(); },
              .sleep =
                  [](uint64_t us) { std::this_thread::sleep_for(std::chrono::microseconds(us)); }}),
      jobs_(hands_, env.clock, Tell) {
  node.halt = &halt_;
}

void Rebalancer::Start() {
  thread_ = std::thread([this] {
    NameThread("rebalance");
    Run();
  });
}

void Rebalancer::Run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    const uint64_t next = jobs_.Step();
    const uint64_t now = env_.clock.MonotonicUs();
    lock.lock();
    const uint64_t wait = next <= now ? 0 : std::min(next - now, kIdleUs);
    if (wait > 0) {
      stop_.wait_for(lock, std::chrono::microseconds(wait), [this] { return stopping_; });
    }
  }
}

void Rebalancer::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stop_.notify_all();
  if (thread_.joinable()) thread_.join();
}

}  // namespace sluice::app
