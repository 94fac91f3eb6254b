// Turns: which log position each of a lane's turns ended at, so that a reply that looked at an
// entry written in some turn knows which LSN it waits for.
//
// Threads:  none; the lane's own.
// Bounds:   one entry per turn with records that is not durable yet.
#pragma once

#include <algorithm>
#include <deque>

#include "model/ids.h"

namespace sluice::shard {

// What must be durable before a reply may leave. A turn that has not been handed over yet has no
// LSN.
struct Gate {
  model::Lsn lsn;          // 0: nothing to wait for
  bool this_turn = false;  // and the end of the turn that is running

  void Cover(const Gate& other) {
    lsn = std::max(lsn, other.lsn);
    this_turn = this_turn || other.this_turn;
  }
};

class Turns {
 public:
  model::Turn current() const { return current_; }

  // The running turn depends on a record of another lane's batch, at `lsn`.
  void CoverForeign(model::Lsn lsn) { floor_ = std::max(floor_, lsn); }
  model::Lsn last() const { return floor_; }  // the greatest LSN any turn so far depends on

  // Ends the running turn; `last` is the LSN of its last record, 0 if it had none.
  // Returns what a reply gated on this turn waits for.
  model::Lsn End(model::Lsn last) {
    floor_ = std::max(floor_, last);
    if (floor_ <= durable_lsn_) {
      durable_ = current_;
    } else if (ended_.empty() || ended_.back().lsn != floor_) {
      ended_.push_back({current_, floor_});
    } else {
      ended_.back().turn = current_;
    }
    current_ = current_.Next();
    return floor_;
  }
  // Forgets turns that are durable.
  void Durable(model::Lsn lsn) {
    durable_lsn_ = std::max(durable_lsn_, lsn);
    while (!ended_.empty() && ended_.front().lsn <= lsn) {
      durable_ = ended_.front().turn;
      ended_.pop_front();
    }
  }
  Gate GateOf(model::Turn turn) const {
    if (turn == current_) return {model::Lsn(), true};
    if (turn <= durable_) return {};
    const auto at = std::lower_bound(ended_.begin(), ended_.end(), turn,
                                     [](const Ended& e, model::Turn t) { return e.turn < t; });
    return {at == ended_.end() ? model::Lsn() : at->lsn, false};
  }

 private:
  struct Ended {
    model::Turn turn;  // the last turn that ended at this LSN
    model::Lsn lsn;
  };
  std::deque<Ended> ended_;
  model::Turn current_{1};
  model::Turn durable_;     // it and all before it are durable
  model::Lsn durable_lsn_;  // told so far
  model::Lsn floor_;
};

}  // namespace sluice::shard
