#include "sim/scale/fleet.h"

#include <algorithm>
#include <numeric>

#include "base/check.h"

namespace sluice::sim::scale {
namespace {

constexpr uint64_t kBeginUs = 1'700'000'000'000'000;  // of the world's time
constexpr double kCutoverSeconds = 2;                 // of a job, besides copying
constexpr double kCopyUnitsPerSecond = 20'000;        // that a node likes to spend on a copy,
constexpr double kBytesPerUnit = 10'486;              // each for so much: 200 MiB/s
constexpr auto kBackground = static_cast<size_t>(model::Priority::kBackground);

bool Tagged(const rebalance::SurveyedOwner& owner, const std::string& tag) {
  return tag.empty() || std::find(owner.tags.begin(), owner.tags.end(), tag) != owner.tags.end();
}

}  // namespace

Fleet::Fleet(Plan plan) : plan_(std::move(plan)), prng_(plan_.seed) {
  for (const auto& owner : plan_.owners) nodes_.emplace_back(owner.capacity);
  done_.resize(nodes_.size());
  std::vector<Space> spaces = std::move(plan_.spaces);
  plan_.spaces.clear();
  for (size_t i = 0; i < spaces.size(); ++i) AddSpace(std::move(spaces[i]), plan_.shards[i]);
}

void Fleet::AddSpace(Space space, size_t shards) {
  std::string tag;
  for (const auto& region : plan_.keyspaces[space.keyspace].regions) {
    if (region.name == space.region) tag = region.tag;
  }
  std::vector<size_t> owners;
  for (size_t i = 0; i < plan_.owners.size(); ++i) {
    if (Tagged(plan_.owners[i], tag)) owners.push_back(i);
  }
  const auto count = static_cast<double>(shards);
  for (size_t i = 0; i < shards; ++i) {
    shards_.push_back({.id = model::ShardId(next_id_++),
                       .space = plan_.spaces.size(),
                       .owner = owners[prng_.Below(owners.size())],
                       .from = static_cast<double>(i) / count,
                       .to = static_cast<double>(i + 1) / count});
  }
  plan_.spaces.push_back(std::move(space));
}

uint64_t Fleet::now_us() const {
  return kBeginUs + seconds_ * kSecondUs;
}

size_t Fleet::Find(model::ShardId id) const {
  const auto found = std::find_if(shards_.begin(), shards_.end(),
                                  [&](const Shard& each) { return each.id == id; });
  SLUICE_CHECK(found != shards_.end());
  return static_cast<size_t>(found - shards_.begin());
}

uint64_t Fleet::BytesOf(const Shard& shard) const {
  const auto bytes = static_cast<double>(plan_.spaces[shard.space].bytes);
  return static_cast<uint64_t>(bytes * (shard.to - shard.from));
}

void Fleet::Second(scale::Second* second) {
  *second = {};
  Ask(second);
  RunNodes(second);
  ++seconds_;
  Work();
  if (seconds_ % kLookSeconds == 0) Look();
  second->shards = shards_.size();
  second->jobs = jobs_.size();
}

// What comes, and how much of it shards can take: each is one writer.
void Fleet::Ask(scale::Second* second) {
  std::vector<admit::ByPriority<double>> rates(nodes_.size());
  second->nodes.assign(nodes_.size(), 0);
  for (Shard& each : shards_) {
    const Space& space = plan_.spaces[each.space];
    const double capacity = plan_.keyspaces[space.keyspace].capacity;
    each.wanted = space.Writes(each.from, each.to);
    each.offered = std::min(each.wanted, capacity);
    rates[each.owner][static_cast<size_t>(space.priority)] += each.offered;
    second->nodes[each.owner] += each.offered / nodes_[each.owner].capacity();
    second->wanted += each.wanted;
    second->refused += each.wanted - each.offered;
    second->refused_named += each.named ? each.wanted - each.offered : 0;
    second->shard_most = std::max(second->shard_most, each.wanted / capacity);
    for (const auto& region : plan_.keyspaces[space.keyspace].regions) {
      if (region.name != space.region) continue;
      totals_.misplaced += !Tagged(plan_.owners[each.owner], region.tag);
    }
  }
  for (const Job& job : jobs_) {
    if (job.proposal.kind != rebalance::Kind::kMove) continue;
    rates[shards_[Find(job.proposal.shard)].owner][kBackground] = kCopyUnitsPerSecond;
    rates[job.proposal.to][kBackground] = kCopyUnitsPerSecond;
  }
  for (size_t i = 0; i < nodes_.size(); ++i) nodes_[i].Offer(rates[i]);
}

void Fleet::RunNodes(scale::Second* second) {
  for (size_t i = 0; i < nodes_.size(); ++i) {
    for (uint64_t step = 1; step <= kStepsPerSecond; ++step) {
      nodes_[i].Step(now_us() + step * admit::kStepUs);
    }
    done_[i] = nodes_[i].Take();
    for (size_t priority = 0; priority < kBackground; ++priority) {
      second->refused += static_cast<double>(done_[i].refused[priority]);
    }
    second->critical_refused += static_cast<double>(done_[i].refused[0]);
  }
  for (Shard& each : shards_) {
    const Node::Done& done = done_[each.owner];
    const auto priority = static_cast<size_t>(plan_.spaces[each.space].priority);
    const auto came = static_cast<double>(done.came[priority]);
    const double part =
        came > 0 ? std::min(1.0, static_cast<double>(done.ran[priority]) / came) : 0;
    const double error = kErrorMost * (static_cast<double>(prng_.Below(2'001)) / 1'000 - 1);
    each.windows.EndSecond({.writes = each.offered * part * (1 + error)});
  }
}

void Fleet::Work() {
  std::vector<rebalance::Proposal> ended;
  for (Job& job : jobs_) {
    if (job.bytes_left > 0) {
      const Shard& shard = shards_[Find(job.proposal.shard)];
      const uint64_t units =
          std::min(done_[shard.owner].ran[kBackground], done_[job.proposal.to].ran[kBackground]);
      job.bytes_left -= static_cast<double>(units) * kBytesPerUnit;
    } else if (--job.seconds_left <= 0) {
      ended.push_back(job.proposal);
    }
  }
  for (const rebalance::Proposal& proposal : ended) {
    std::erase_if(jobs_, [&](const Job& job) { return job.proposal.shard == proposal.shard; });
    End(proposal);
  }
}

void Fleet::End(const rebalance::Proposal& proposal) {
  const size_t at = Find(proposal.shard);
  Shard shard = shards_[at];
  const bool moves = proposal.kind == rebalance::Kind::kMove;
  const uint64_t pause_us = moves ? kMovePauseUs : kSplitPauseUs;
  totals_.paused_writes += shard.wanted * static_cast<double>(pause_us) / 1e6;
  totals_.pause_us_most = std::max(totals_.pause_us_most, pause_us);
  shard.busy = false;
  shard.moving_to.reset();
  shard.changed_us = now_us();
  if (moves) {
    ++totals_.moves;
    totals_.copied_bytes += BytesOf(shard);
    shard.owner = proposal.to;
    shards_[at] = shard;
    return;
  }
  shard.windows = {};
  if (proposal.kind == rebalance::Kind::kMerge) {
    ++totals_.merges;
    shard.to = shards_[at + 1].to;
    shards_.erase(shards_.begin() + static_cast<ptrdiff_t>(at) + 1);
    shards_[at] = shard;
    return;
  }
  ++totals_.splits;
  Shard upper = shard;
  upper.id = model::ShardId(next_id_++);
  upper.from = shard.to = Space::At(proposal.token);
  shards_[at] = shard;
  shards_.insert(shards_.begin() + static_cast<ptrdiff_t>(at) + 1, upper);
}

void Fleet::Look() {
  decision_ = plan_.decide(Survey(), plan_.settings);
  for (Shard& each : shards_) each.named = false;
  for (const rebalance::Warning& each : decision_.warnings) {
    if (each.trouble != rebalance::Trouble::kFull) shards_[Find(each.shard)].named = true;
  }
  if (!decision_.start) return;
  for (const rebalance::Proposal& each : decision_.proposals) Begin(each);
}

rebalance::Survey Fleet::Survey() const {
  rebalance::Survey survey{.now_us = now_us(),
                           .keyspaces = plan_.keyspaces,
                           .owners = plan_.owners,
                           .shards = {},
                           .jobs = jobs_.size()};
  for (const Shard& each : shards_) {
    const Space& space = plan_.spaces[each.space];
    const heat::Windows& windows = each.windows;
    survey.shards.push_back({.id = each.id,
                             .keyspace = plan_.keyspaces[space.keyspace].id,
                             .begin = space.Token(each.from),
                             .end = space.Token(each.to),
                             .region = space.region,
                             .owner = each.owner,
                             .writes = {windows.second().writes, windows.minute().writes,
                                        windows.ten_minutes().writes, windows.busiest_minute()},
                             .bytes = BytesOf(each),
                             .cut = space.Cut(each.from, each.to),
                             .hottest = space.Hottest(each.from, each.to),
                             .rising = space.Rising(each.from, each.to),
                             .changed_us = each.changed_us,
                             .busy = each.busy,
                             .moving_to = each.moving_to});
  }
  return survey;
}

void Fleet::Begin(const rebalance::Proposal& proposal) {
  Shard& shard = shards_[Find(proposal.shard)];
  shard.busy = true;
  Job job{.proposal = proposal, .seconds_left = kCutoverSeconds, .bytes_left = 0};
  if (proposal.kind == rebalance::Kind::kMove) {
    shard.moving_to = proposal.to;
    job.bytes_left = static_cast<double>(BytesOf(shard));
  } else if (proposal.kind == rebalance::Kind::kMerge) {
    shards_[Find(proposal.with)].busy = true;
  }
  jobs_.push_back(std::move(job));
}

}  // namespace sluice::sim::scale
