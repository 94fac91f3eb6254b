// Draft: a decision while it is made: how much owners will have to do, and what is still free to
// change.
//
// Borrows:  the survey and the settings.
// Threads:  none.
#pragma once

#include <string>
#include <vector>

#include "rebalance/balancer.h"

namespace sluice::rebalance {

// From here on an owner or a shard melts: what is done about it does not wait for the cooldown.
inline constexpr double kMelts = 0.9;

class Draft {
 public:
  Draft(const Survey& survey, const Settings& settings);

  const Survey& survey() const { return survey_; }
  const SurveyedShard& shard(size_t at) const { return survey_.shards[at]; }
  const SurveyedKeyspace& KeyspaceOf(size_t at) const { return *keyspaces_[at]; }
  // None where the keyspace has no regions.
  const SurveyedRegion* RegionOf(size_t at) const { return regions_[at]; }
  std::string NameOf(size_t at) const;  // "shard 7 of likes"

  // Writes a second from which a shard is split; 0: its keyspace says no capacity.
  double SplitFrom(size_t at) const { return KeyspaceOf(at).capacity * KeyspaceOf(at).split_at; }
  // What the shard takes, or would take, of an owner.
  double Share(size_t at, size_t owner) const;
  // What an owner has to do with all that moves to it, as a share of what it carries.
  double used(size_t owner) const { return used_[owner]; }
  bool MayOwn(size_t owner, size_t at) const;
  // The shares of owners that have `tag` together, by what they carry; empty: of all.
  double MeanUsed(const std::string& tag) const;

  // No proposal more.
  bool full() const { return decision_.proposals.size() >= slots_; }
  // Nothing works on the shard, nothing is proposed for it, and its last change is long enough ago.
  bool Free(size_t at, bool urgent) const;
  bool UnchangedFor(size_t at, uint64_t us) const;
  // The owner takes part in no move. To take a shard, its own have settled as well; to give one,
  // too, unless it melts.
  bool CanTake(size_t owner) const { return !moves_[owner] && !settles_[owner]; }
  bool CanGive(size_t owner) const {
    return !moves_[owner] && (!settles_[owner] || used_[owner] >= kMelts);
  }

  // Each takes a slot and the shards.
  // Requires: !full().
  void Split(size_t at, std::string reason);
  void Move(size_t at, size_t to, std::string reason, std::string effect);
  void Merge(size_t lower, std::string reason, std::string effect);  // with the next one

  void Warn(Trouble trouble, size_t at, std::string text, bool over = false);
  void WarnOfAll(Trouble trouble, std::string text);

  Decision Take() { return std::move(decision_); }

 private:
  const Survey& survey_;
  const Settings& settings_;
  size_t slots_;
  std::vector<const SurveyedKeyspace*> keyspaces_;  // by shard
  std::vector<const SurveyedRegion*> regions_;      // by shard
  std::vector<bool> taken_;                         // by shard
  std::vector<double> used_;                        // by owner
  std::vector<bool> moves_, settles_;               // by owner
  Decision decision_;
};

// The steps, in their order. Each proposes what it finds until the draft is full.
void ReturnMisplaced(Draft& draft);
void SplitHot(Draft& draft);
void EvenOwners(Draft& draft);
void MergeCold(Draft& draft);
// Says what none of them cures.
void WarnOfTrouble(Draft& draft);

// Why a split would not help, or nothing when it would. `urgent`: a little is help as well.
enum class NoSplit : uint8_t { kNone, kOneKey, kTail, kNoCut };
NoSplit WhyNoSplit(const SurveyedShard& shard, bool urgent);

}  // namespace sluice::rebalance
