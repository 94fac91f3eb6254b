#include "sim/scale/script.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/check.h"

namespace sluice::sim::scale {
namespace {

using model::Priority;

constexpr double kNodeWrites = 160'000;  // that a node carries
constexpr double kShardWrites = 24'000;  // that a shard carries
constexpr uint64_t kShardBytes = 1 << 30;
constexpr size_t kBandsOfASpace = 16;  // with more or less than their share of its writes

constexpr double kCelebrityWrites = 20'000, kHotKeyWrites = 36'000, kAuditWrites = 40'000;
constexpr size_t kNodesPerCelebrity = 12, kCelebritiesLeast = 2;
constexpr uint64_t kPosts = 1'000'000;
constexpr double kGrows = 3, kNight = 0.1;  // of India's writes by day
constexpr size_t kBucketsOfAudit = 16;
constexpr uint64_t kCooldownSeconds = 120;
constexpr size_t kNodesPerJob = 5, kJobsLeast = 2;

constexpr uint64_t kMinute = 60;
constexpr uint64_t kCelebrities = 10 * kMinute, kCelebritiesMove = 4 * kMinute,
                   kHotKey = 22 * kMinute, kGrowth = 26 * kMinute, kGrowthTakes = 6 * kMinute,
                   kTail = 40 * kMinute, kCure = 46 * kMinute, kNightFalls = 50 * kMinute;

// Of each node: shards and writes a second.
struct Share {
  double shards, writes;
};
constexpr Share kOfLikes = {5.2, 50'000}, kOfRegion = {1, 10'000}, kOfOrders = {1.2, 12'000},
                kOfLogs = {0.6, 8'000};

Space Uneven(size_t keyspace, Priority priority, Share share, size_t nodes, Prng& prng) {
  const auto count = static_cast<double>(nodes);
  Space space{.keyspace = keyspace,
              .priority = priority,
              .bytes = static_cast<uint64_t>(share.shards * count) * kShardBytes};
  std::array<double, kBandsOfASpace> parts;
  double sum = 0;
  for (double& part : parts) sum += part = 0.7 + 0.001 * static_cast<double>(prng.Below(601));
  for (size_t i = 0; i < kBandsOfASpace; ++i) {
    space.bands.push_back({.from = static_cast<double>(i) / kBandsOfASpace,
                           .to = static_cast<double>(i + 1) / kBandsOfASpace,
                           .writes = share.writes * count * parts[i] / sum});
  }
  return space;
}

size_t Count(double per_node, size_t nodes) {
  return static_cast<size_t>(std::lround(per_node * static_cast<double>(nodes)));
}

}  // namespace

Script::Script(uint64_t seed, size_t nodes)
    : prng_(seed), celebrities_(std::max(kCelebritiesLeast, nodes / kNodesPerCelebrity)) {
  SLUICE_CHECK(nodes >= kNodesLeast);
  constexpr uint64_t kSoon = 3 * kMinute;
  events_ = {
      {0, "shards lie on nodes at random", kSoon},
      {kCelebrities, fmt::format("{} keys of likes take 20,000 writes/s each", celebrities_),
       kSoon},
      {kCelebrities + kCelebritiesMove, "other keys do", kSoon},
      {kCelebrities + 2 * kCelebritiesMove, "and others", kSoon},
      {kHotKey, "one key of likes takes 36,000 writes/s", kSoon, rebalance::Trouble::kHotKey,
       "likes:everyone"},
      {kGrowth, "region IN grows to 3 times its writes in 6 minutes", kGrowthTakes + kSoon},
      {kTail, "audit takes 40,000 writes/s in the order of time", kSoon, rebalance::Trouble::kTail,
       "audit"},
      {kCure, "audit gets one of 16 buckets in front of the time", kSoon},
      {kNightFalls, "night in IN: a tenth of its writes", kSoon},
  };
  MakePlan(seed, nodes);
  MakeSpaces(nodes);
}

void Script::MakePlan(uint64_t seed, size_t nodes) {
  plan_.seed = seed;
  const auto keyspace = [&](std::string name, size_t least) {
    const auto id = static_cast<uint16_t>(plan_.keyspaces.size());
    plan_.keyspaces.push_back({.id = model::KeyspaceId(id),
                               .name = std::move(name),
                               .capacity = kShardWrites,
                               .shards_least = static_cast<uint32_t>(least)});
  };
  keyspace("likes", Count(kOfLikes.shards, nodes));
  keyspace("profiles", 0);
  keyspace("orders", Count(kOfOrders.shards, nodes));
  keyspace("logs", Count(kOfLogs.shards, nodes));
  keyspace("audit", 1);
  keyspace("audit2", kBucketsOfAudit);
  const auto least = static_cast<uint32_t>(Count(kOfRegion.shards, nodes) / 2);
  auto& regions = plan_.keyspaces[1].regions;
  regions = {{"IN", "in", least}, {"EU", "eu", least}, {"US", "us", least}};
  for (size_t i = 0; i < nodes; ++i) {
    plan_.owners.push_back({.name = fmt::format("node{:02}", i),
                            .tags = {regions[i % regions.size()].tag},
                            .capacity = kNodeWrites});
  }
  plan_.settings = {.mode = rebalance::Mode::kOn,
                    .cooldown_us = kCooldownSeconds * kSecondUs,
                    .window = {},
                    .jobs = std::max(kJobsLeast, nodes / kNodesPerJob)};
}

// In the order of SpaceIndex.
void Script::MakeSpaces(size_t nodes) {
  const auto space = [&](Space each, size_t shards) {
    plan_.spaces.push_back(std::move(each));
    plan_.shards.push_back(shards);
  };
  space(Uneven(0, Priority::kLow, kOfLikes, nodes, prng_), Count(kOfLikes.shards, nodes));
  for (uint16_t region = 0; region < plan_.keyspaces[1].regions.size(); ++region) {
    Space each = Uneven(1, Priority::kNormal, kOfRegion, nodes, prng_);
    each.number = region;
    each.region = plan_.keyspaces[1].regions[region].name;
    space(std::move(each), Count(kOfRegion.shards, nodes));
  }
  space(Uneven(2, Priority::kCritical, kOfOrders, nodes, prng_), Count(kOfOrders.shards, nodes));
  space(Uneven(3, Priority::kLow, kOfLogs, nodes, prng_), Count(kOfLogs.shards, nodes));
  space({.keyspace = 4, .priority = Priority::kLow, .bytes = kShardBytes}, 1);
  space({.keyspace = 5, .priority = Priority::kLow, .bytes = kShardBytes}, kBucketsOfAudit);
}

void Script::Play(Fleet& fleet) {
  const uint64_t at = fleet.seconds();
  auto& spaces = fleet.spaces();
  if (at >= kCelebrities && at < kHotKey && (at - kCelebrities) % kCelebritiesMove == 0) {
    Celebrities(fleet);
  } else if (at == kHotKey) {
    spaces[kLikes].spikes = {{"likes:everyone", 0.37, kHotKeyWrites}};
  } else if (at == kGrowth) {
    spaces[kLikes].spikes.clear();
  }
  const auto scale_india = [&](double times) {
    for (size_t i = 0; i < spaces[kIndia].bands.size(); ++i) {
      spaces[kIndia].bands[i].writes = times * plan_.spaces[kIndia].bands[i].writes;
    }
  };
  if (at >= kGrowth && at <= kGrowth + kGrowthTakes) {
    const double part = static_cast<double>(at - kGrowth) / static_cast<double>(kGrowthTakes);
    scale_india(1 + (kGrows - 1) * part);
  } else if (at == kNightFalls) {
    scale_india(kNight);
  }
  if (at >= kTail && at < kCure) {
    // All of it falls on the last minute's tokens, which move on.
    const double now = static_cast<double>(at) / static_cast<double>(kScriptSeconds);
    const double minute = static_cast<double>(kMinute) / static_cast<double>(kScriptSeconds);
    spaces[kAudit].bands = {{.from = now - minute, .to = now, .writes = kAuditWrites}};
    spaces[kAudit].seen = now - minute;
  } else if (at == kCure) {
    spaces[kAudit].bands.clear();
    spaces[kBuckets].bands = {{.from = 0, .to = 1, .writes = kAuditWrites}};
  }
}

void Script::Celebrities(Fleet& fleet) {
  auto& spikes = fleet.spaces()[kLikes].spikes;
  spikes.clear();
  for (size_t i = 0; i < celebrities_; ++i) {
    const uint64_t post = prng_.Below(kPosts);
    spikes.push_back({.key = fmt::format("likes:{}", post),
                      .at = static_cast<double>(post) / static_cast<double>(kPosts),
                      .writes = kCelebrityWrites});
  }
}

}  // namespace sluice::sim::scale
