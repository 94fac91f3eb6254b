// SLUICE SPLIT, MERGE, MOVE, JOBS and JOB: shards that change.
#include <fmt/format.h>

#include "base/number.h"
#include "base/text.h"
#include "rebalance/jobs.h"
#include "server/handlers.h"

namespace sluice::server {
namespace {

std::string AskedFor(const Call& call) {
  return fmt::format("asked for by {} at {}", call.client.user->name, call.client.peer);
}

// False: it is no number of a shard, and that was replied.
bool ReadShard(Call& call, std::string_view word, model::ShardId* shard) {
  int64_t number = 0;
  const bool read = ParseInt(word, &number) && number > 0 && number <= UINT32_MAX;
  if (!read) {
    Refuse(call, fmt::format("ERR '{}' is no shard's number; SLUICE SHARDS lists them", word));
  }
  *shard = model::ShardId(static_cast<uint32_t>(read ? number : 0));
  return read;
}

Answer Start(Call& call, const rebalance::JobOrder& order) {
  const auto started = call.context.jobs->Start(order);
  if (!started.has_value()) return Refuse(call, "ERR " + started.error().message);
  call.reply.Int(static_cast<int64_t>(*started));
  return {};
}

// Few fields at a time, so that none is counted wrongly.
class Fields {
 public:
  explicit Fields(resp::Reply& reply, size_t count) : reply_(reply) { reply.Map(count); }
  void Text(std::string_view name, std::string_view value) {
    reply_.Bulk(name);
    reply_.Bulk(value);
  }
  void Number(std::string_view name, uint64_t value) {
    reply_.Bulk(name);
    reply_.Int(static_cast<int64_t>(value));
  }
  void Known(std::string_view name, const std::optional<uint64_t>& value) {
    if (value) return Number(name, *value);
    reply_.Bulk(name);
    reply_.Null();
  }
  void Shards(std::string_view name, const std::vector<model::ShardId>& shards) {
    reply_.Bulk(name);
    reply_.Array(shards.size());
    for (const model::ShardId shard : shards) reply_.Int(shard.value);
  }

 private:
  resp::Reply& reply_;
};

void Describe(resp::Reply& reply, const rebalance::JobReport& job) {
  using rebalance::JobKind;
  std::vector<model::ShardId> shards = {job.order.shard};
  if (job.order.kind == JobKind::kMerge) shards.push_back(job.order.with);
  const bool ordered = job.order.kind == JobKind::kMove;
  Fields fields(reply, 15);
  fields.Number("job", job.id);
  fields.Text("kind", rebalance::NameOf(job.order.kind));
  fields.Shards("shards", shards);
  fields.Known("to", ordered ? std::optional<uint64_t>(job.order.to.value) : std::nullopt);
  fields.Text("cut", Hex(job.order.at_token.value_or("")));
  fields.Text("state", rebalance::NameOf(job.state));
  fields.Text("phase", rebalance::NameOf(job.phase));
  fields.Number("percent", job.percent);
  fields.Known("eta_ms", job.eta_ms);
  fields.Text("waits_for", job.waits_for);
  fields.Text("error", job.error);
  fields.Text("verification", job.verification);
  fields.Shards("made", job.made);
  fields.Text("reason", job.order.reason);
  fields.Known("took_ms",
               job.ended() ? std::optional<uint64_t>(job.ended_ms - job.asked_ms) : std::nullopt);
}

}  // namespace

// SPLIT shard [AT key].
Answer SplitShard(Call& call) {
  rebalance::JobOrder order{.kind = rebalance::JobKind::kSplit, .reason = AskedFor(call)};
  if (!ReadShard(call, call.args[2], &order.shard)) return {};
  const size_t n = call.args.size();
  if (n != 3 && (n != 5 || !EqualFolded(call.args[3], "at"))) return RefuseSyntax(call);
  if (n == 5) order.at_key = call.args[4];
  return Start(call, order);
}

// MERGE a b.
Answer MergeShards(Call& call) {
  rebalance::JobOrder order{.kind = rebalance::JobKind::kMerge, .reason = AskedFor(call)};
  if (!ReadShard(call, call.args[2], &order.shard)) return {};
  if (!ReadShard(call, call.args[3], &order.with)) return {};
  return Start(call, order);
}

// MOVE shard owner.
Answer MoveShard(Call& call) {
  rebalance::JobOrder order{.kind = rebalance::JobKind::kMove, .reason = AskedFor(call)};
  if (!ReadShard(call, call.args[2], &order.shard)) return {};
  int64_t lane = 0;
  if (!ParseInt(call.args[3], &lane) || lane < 0 || lane >= UINT16_MAX) {
    return Refuse(call, fmt::format("ERR there is no lane '{}'; the owners of shards are lanes, "
                                    "and SLUICE SHARDS tells them",
                                    call.args[3]));
  }
  order.to = model::LaneId(static_cast<uint16_t>(lane));
  return Start(call, order);
}

Answer ListJobs(Call& call) {
  const std::vector<rebalance::JobReport> jobs = call.context.jobs->List();
  call.reply.Array(jobs.size());
  for (const rebalance::JobReport& job : jobs) Describe(call.reply, job);
  return {};
}

// JOB PAUSE|RESUME|ABORT id.
Answer OrderJob(Call& call) {
  const std::string_view verb = call.args[2];
  int64_t id = 0;
  if (!ParseInt(call.args[3], &id) || id < 1) {
    return Refuse(call,
                  fmt::format("ERR '{}' is no job's number; SLUICE JOBS lists them", call.args[3]));
  }
  rebalance::Jobs& jobs = *call.context.jobs;
  Status done = Ok();
  if (EqualFolded(verb, "pause")) {
    done = jobs.Pause(static_cast<uint64_t>(id));
  } else if (EqualFolded(verb, "resume")) {
    done = jobs.Resume(static_cast<uint64_t>(id));
  } else if (EqualFolded(verb, "abort")) {
    done = jobs.Abort(static_cast<uint64_t>(id));
  } else if (EqualFolded(verb, "undo")) {
    return Refuse(call, "ERR 'SLUICE JOB UNDO' is not available yet in this version of Sluice");
  } else {
    return Refuse(call, fmt::format("ERR there is no order '{}': PAUSE, RESUME or ABORT", verb));
  }
  return done.ok() ? Okay(call) : Refuse(call, "ERR " + done.error().message);
}

}  // namespace sluice::server
