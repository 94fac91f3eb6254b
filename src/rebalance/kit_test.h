// For tests: a world in which the balancer's proposals are carried out.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "base/prng.h"
#include "rebalance/balancer.h"

namespace sluice::rebalance {

inline constexpr uint64_t kSecondUs = 1'000'000;

// One keyspace whose keys are cells in a row, each with its writes a second; shards are ranges of
// cells. Jobs take their time; the load is what it is set to.
struct World {
  struct Shard {
    SurveyedShard told;
    size_t first = 0, last = 0;  // cells [first, last)
    std::vector<size_t> been;    // owners
  };
  struct Job {
    Proposal proposal;
    uint64_t ends_us = 0;
  };

  SurveyedKeyspace keyspace{.id = model::KeyspaceId(1), .name = "likes", .capacity = 12'000};
  std::vector<SurveyedOwner> owners;
  std::vector<double> cells;  // writes a second of each key
  std::vector<Shard> shards;
  std::vector<Job> jobs;
  Settings settings{.mode = Mode::kOn};
  uint64_t now_us = 1'000'000'000'000;
  uint32_t next_id = 1;
  size_t splits = 0, merges = 0, moves = 0, again = 0;  // again: moves to where it had been

  static std::string Token(size_t cell) {
    return {static_cast<char>(cell >> 8), static_cast<char>(cell & 255)};
  }
  static size_t CellOf(const std::string& token) {
    return static_cast<size_t>(static_cast<unsigned char>(token[0])) << 8 |
           static_cast<unsigned char>(token[1]);
  }

  void AddShard(size_t first, size_t last, size_t owner, std::string region = {}) {
    Shard shard{.told = {.id = model::ShardId(next_id++),
                         .keyspace = keyspace.id,
                         .begin = Token(first),
                         .end = last == cells.size() ? "" : Token(last),
                         .region = std::move(region),
                         .owner = owner,
                         .writes = {},
                         .bytes = (last - first) << 20},
                .first = first,
                .last = last,
                .been = {owner}};
    shards.push_back(std::move(shard));
  }

  double Writes(const Shard& shard) const {
    return std::accumulate(cells.begin() + static_cast<ptrdiff_t>(shard.first),
                           cells.begin() + static_cast<ptrdiff_t>(shard.last), 0.0);
  }
  double Used(size_t owner) const {
    double writes = 0;
    for (const Shard& each : shards) writes += each.told.owner == owner ? Writes(each) : 0;
    return writes / owners[owner].capacity;
  }
  Shard& Find(model::ShardId id) {
    return *std::find_if(shards.begin(), shards.end(),
                         [&](const Shard& each) { return each.told.id == id; });
  }

  Survey Look() {
    Survey survey{.now_us = now_us, .keyspaces = {keyspace}, .owners = owners, .shards = {}};
    for (Shard& each : shards) {
      const double writes = Writes(each);
      each.told.writes = {writes, writes, writes};
      each.told.cut.reset();
      double below = 0, best = 0;
      for (size_t cell = each.first; cell + 1 < each.last && writes > 0; ++cell) {
        below += cells[cell];
        const double even = std::min(below, writes - below);
        if (even > best) each.told.cut = LoadCut{Token(cell + 1), below / writes};
        best = std::max(best, even);
      }
      const auto hottest = std::max_element(cells.begin() + static_cast<ptrdiff_t>(each.first),
                                            cells.begin() + static_cast<ptrdiff_t>(each.last));
      each.told.hottest = SurveyedHotKey{"likes:" + std::to_string(hottest - cells.begin()),
                                         writes > 0 ? *hottest / writes : 0};
      survey.shards.push_back(each.told);
    }
    survey.jobs = jobs.size();
    return survey;
  }

  void Begin(const Proposal& proposal) {
    Shard& shard = Find(proposal.shard);
    shard.told.busy = true;
    uint64_t takes_us = kSecondUs;
    if (proposal.kind == Kind::kMove) {
      shard.told.moving_to = proposal.to;
      takes_us += (shard.told.bytes >> 20) * 100'000;
    } else if (proposal.kind == Kind::kMerge) {
      Find(proposal.with).told.busy = true;
    }
    jobs.push_back({proposal, now_us + takes_us});
  }
  void End(const Proposal& proposal) {
    const auto at = static_cast<size_t>(&Find(proposal.shard) - shards.data());
    Shard shard = shards[at];
    if (proposal.kind == Kind::kMove) {
      ++moves;
      again += std::count(shard.been.begin(), shard.been.end(), proposal.to) > 0;
      shard.told.owner = proposal.to;
      shard.been.push_back(proposal.to);
    } else if (proposal.kind == Kind::kMerge) {
      ++merges;
      shard.been = {shard.told.owner};
      shard.last = shards[at + 1].last;
      shard.told.end = shards[at + 1].told.end;
      shard.told.bytes += shards[at + 1].told.bytes;
      shards.erase(shards.begin() + static_cast<ptrdiff_t>(at) + 1);
    } else {
      ++splits;
      Shard upper = shard;
      upper.told.id = model::ShardId(next_id++);
      upper.told.begin = shard.told.end = proposal.token;
      upper.first = shard.last = CellOf(proposal.token);
      upper.been = shard.been = {upper.told.owner};
      shard.told.bytes = (shard.last - shard.first) << 20;
      upper.told.bytes = (upper.last - upper.first) << 20;
      upper.told.busy = false;
      upper.told.changed_us = now_us;
      shards.insert(shards.begin() + static_cast<ptrdiff_t>(at) + 1, upper);
    }
    shard.told.busy = false;
    shard.told.moving_to.reset();
    shard.told.changed_us = now_us;
    shards[at] = shard;
  }

  // Looks every ten seconds, as a node would. `check(survey, decision)` before anything begins.
  template <class Check>
  void Run(uint64_t seconds, Check check) {
    for (const uint64_t end_us = now_us + seconds * kSecondUs; now_us < end_us;) {
      now_us += 10 * kSecondUs;
      for (size_t i = 0; i < jobs.size();) {
        if (jobs[i].ends_us > now_us) {
          ++i;
          continue;
        }
        const Proposal proposal = jobs[i].proposal;
        jobs.erase(jobs.begin() + static_cast<ptrdiff_t>(i));
        End(proposal);
      }
      const Survey survey = Look();
      const Decision decision = Decide(survey, settings);
      check(survey, decision);
      if (!decision.start) continue;
      for (const Proposal& each : decision.proposals) Begin(each);
    }
  }
};

}  // namespace sluice::rebalance
