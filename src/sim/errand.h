// Errand: jobs about one range of keys, asked for one after the other, as by somebody who goes on
// after a crash: the range is split; its upper part moves to the other lane; the two are merged
// over lanes; a split is aborted right after its commit; the range is split and merged again.
//
//   Began()  a machine serves: the map is the one from before the job that was under way or the
//            one after it, as a whole, and never the older one of a job that was further. Who asks
//            for the same again learns which of the two it is: it is refused, or it is done.
//   Step()   between two steps of the machine.
//   Ended()  the machine's life is over, wherever the job was.
//   Check()  all is quiet: nothing of a job is left.
//
// Threads:  one.
// Failure:  told to the scene.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/prng.h"
#include "rebalance/jobs.h"
#include "route/topology.h"
#include "sim/reshaper.h"
#include "sim/scene.h"

namespace sluice::sim {

class Errand {
 public:
  explicit Errand(Scene& scene) : scene_(scene) {}

  void Began(Reshaper& node);
  void Step(Reshaper& node, Prng& prng);
  void Ended(const Reshaper& node);
  void Check(const Reshaper& node);
  // Nothing more of it happens in this life.
  bool over() const { return wish_ == Wish::kNone || stuck_; }
  bool all_done() const { return wish_ == Wish::kNone; }

 private:
  enum class Wish : uint8_t { kSplit, kMove, kMergeOver, kTakenBack, kSplitAgain, kMerge, kNone };
  static Wish After(Wish wish, bool happened);

  void CheckFiles();

  bool ChooseRange(Reshaper& node, Prng& prng);
  rebalance::JobOrder OrderFor(const model::ShardMap& map) const;
  std::vector<std::string> MapsOf(const route::TopologyContent& now) const;
  void Ask(Reshaper& node);
  rebalance::JobReport Report(const Reshaper& node) const;
  size_t IndexOf(const Reshaper& node);  // of the map that is committed, in maps_
  void Judge(const Reshaper& node, const rebalance::JobReport& job);

  Scene& scene_;
  Wish wish_ = Wish::kSplit;
  bool chosen_ = false;
  model::KeyspaceId keyspace_;
  std::string begin_, cut_;
  // Of the job that was asked for last: the maps from before it to after it, and which of them may
  // hold.
  std::optional<rebalance::JobOrder> order_;
  std::vector<std::string> maps_;
  size_t least_ = 0, most_ = 0;
  uint64_t job_ = 0;    // in this life; 0: none
  bool stuck_ = false;  // what the topology holds is not known until the next start
};

}  // namespace sluice::sim
