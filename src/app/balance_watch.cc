#include "app/balance_watch.h"

#include <fmt/format.h>

#include <array>

#include "base/log_line.h"

namespace sluice::app {
namespace {

using rebalance::Kind;

// Which shards a proposal is about: "7", "7 8".
std::string ShardsOf(const rebalance::Proposal& proposal) {
  if (proposal.kind != Kind::kMerge) return std::to_string(proposal.shard.value);
  return fmt::format("{} {}", proposal.shard.value, proposal.with.value);
}

rebalance::JobOrder OrderOf(const rebalance::Proposal& proposal) {
  constexpr std::array kKinds = {rebalance::JobKind::kSplit, rebalance::JobKind::kMerge,
                                 rebalance::JobKind::kMove};
  rebalance::JobOrder order{.kind = kKinds[static_cast<size_t>(proposal.kind)],
                            .shard = proposal.shard,
                            .with = proposal.with,
                            .to = model::LaneId(static_cast<uint16_t>(proposal.to)),
                            .reason = "balancer: " + proposal.reason};
  if (proposal.kind == Kind::kSplit) order.at_token = proposal.token;
  return order;
}

std::vector<JobUnderWay> UnderWay(const rebalance::Jobs& jobs) {
  std::vector<JobUnderWay> under_way;
  for (const rebalance::JobReport& job : jobs.List()) {
    if (job.ended()) continue;
    JobUnderWay told{.shard = job.order.shard};
    if (job.order.kind == rebalance::JobKind::kMerge) told.with = job.order.with;
    if (job.order.kind == rebalance::JobKind::kMove) told.to = job.order.to;
    under_way.push_back(told);
  }
  return under_way;
}

}  // namespace

void BalanceWatch::Look(const config::Config& config) {
  next_us_ = clock_.MonotonicUs() + kLookUs;
  const auto router = node_.layout().router;
  std::vector<model::LaneId> owners;
  for (const model::Shard& each : router->map().shards()) owners.push_back(each.lane);
  const rebalance::Survey survey =
      surveyor_.Look({.map = router->map(),
                      .keyspaces = router->keyspaces(),
                      .config = config,
                      .lanes = node_.lanes.size(),
                      .owners = std::move(owners),
                      .heat = heat_.Shards(),
                      .cut =
                          [this](const model::Shard& shard) {
                            return heat_.CutOf(shard.keyspace, shard.begin, shard.end);
                          },
                      .jobs = UnderWay(jobs_)},
                     clock_.WallMs() * 1'000);
  const rebalance::Decision decision = rebalance::Decide(survey, SettingsOf(config.rebalance));
  Tell(decision);
  if (!decision.start) return;
  for (const rebalance::Proposal& each : decision.proposals) Begin(each);
}

void BalanceWatch::Tell(const rebalance::Decision& decision) {
  std::array<int64_t, kProposalKinds.kSize> proposals{};
  std::array<int64_t, kTroubles.kSize> warnings{};
  std::erase_if(told_us_, [&](const auto& told) { return next_us_ - told.second > kTellAgainUs; });
  for (const rebalance::Proposal& each : decision.proposals) {
    ++proposals[static_cast<size_t>(each.kind)];
    const std::string shards = ShardsOf(each);
    if (decision.start || !IsNews(fmt::format("{} {}", NameOf(each.kind), shards))) continue;
    LogInfo("rebalance", "the balancer would start a job",
            {{"kind", NameOf(each.kind)},
             {"shards", shards},
             {"why", each.reason},
             {"then", each.effect},
             {"held_by", decision.held}});
  }
  for (const rebalance::Warning& each : decision.warnings) {
    ++warnings[static_cast<size_t>(each.trouble)];
    // A key that has passed what its shard carries wants more than it did before.
    if (!IsNews(fmt::format("{} {} {}", NameOf(each.trouble), each.shard.value, each.over))) {
      continue;
    }
    LogWarning("rebalance", each.text,
               {{"trouble", NameOf(each.trouble)}, {"shard", each.shard.value}});
  }
  for (size_t i = 0; i < proposals.size(); ++i) {
    meters_.proposals[static_cast<Kind>(i)].Set(proposals[i]);
  }
  for (size_t i = 0; i < warnings.size(); ++i) {
    meters_.warnings[static_cast<rebalance::Trouble>(i)].Set(warnings[i]);
  }
}

bool BalanceWatch::IsNews(const std::string& what) {
  return told_us_.emplace(what, next_us_).second;
}

void BalanceWatch::Begin(const rebalance::Proposal& proposal) {
  const Result<uint64_t> job = jobs_.Start(OrderOf(proposal));
  const uint64_t now_us = clock_.WallMs() * 1'000;
  surveyor_.Touch(proposal.shard, now_us);
  if (proposal.kind == Kind::kMerge) surveyor_.Touch(proposal.with, now_us);
  const std::string shards = ShardsOf(proposal);
  if (!job.has_value()) {
    return LogWarning(
        "rebalance", "a job of the balancer does not begin",
        {{"kind", NameOf(proposal.kind)}, {"shards", shards}, {"error", job.error().message}});
  }
  meters_.started[proposal.kind].Add();
  LogInfo("rebalance", "the balancer started a job",
          {{"job", *job},
           {"kind", NameOf(proposal.kind)},
           {"shards", shards},
           {"why", proposal.reason},
           {"then", proposal.effect}});
}

}  // namespace sluice::app
