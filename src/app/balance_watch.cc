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

}  // namespace

void BalanceWatch::Look(const config::Config& config) {
  next_us_ = clock_.MonotonicUs() + kLookUs;
  const route::Router& router = *node_.router;
  const rebalance::Survey survey =
      surveyor_.Look({.map = router.map(),
                      .keyspaces = router.keyspaces(),
                      .config = config,
                      .lanes = node_.lanes.size(),
                      .owners = node_.owners,
                      .heat = heat_.Shards(),
                      .cut =
                          [this](const model::Shard& shard) {
                            return heat_.CutOf(shard.keyspace, shard.begin, shard.end);
                          },
                      .jobs = desk_.under_way()},
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
             {"shard", shards},
             {"why", each.reason},
             {"then", each.effect},
             {"held_by", decision.held}});
  }
  for (const rebalance::Warning& each : decision.warnings) {
    ++warnings[static_cast<size_t>(each.trouble)];
    if (!IsNews(fmt::format("{} {}", NameOf(each.trouble), each.shard.value))) continue;
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
  const Status begun = desk_.start(proposal);
  const uint64_t now_us = clock_.WallMs() * 1'000;
  surveyor_.Touch(proposal.shard, now_us);
  if (proposal.kind == Kind::kMerge) surveyor_.Touch(proposal.with, now_us);
  const std::string shards = ShardsOf(proposal);
  if (!begun.ok()) {
    return LogWarning(
        "rebalance", "a job of the balancer does not begin",
        {{"kind", NameOf(proposal.kind)}, {"shard", shards}, {"error", begun.error().message}});
  }
  meters_.started[proposal.kind].Add();
  LogInfo("rebalance", "the balancer started a job",
          {{"kind", NameOf(proposal.kind)},
           {"shard", shards},
           {"why", proposal.reason},
           {"then", proposal.effect}});
}

}  // namespace sluice::app
