// ScanLine: pages of a lane's shards are read one at a time, in the order they were asked for, so
// that what all walks hold here together is one page and one buffer's order in the making.
//
// Threads:  the lane's.
// Bounds:   one waiting task per command under way.
#pragma once

#include <deque>
#include <functional>
#include <utility>

namespace sluice::ingest {

class Lane;

class ScanLine {
 public:
  using Task = std::function<void(Lane&)>;

  // Runs the task when its turn has come; Leave must follow each.
  void Enter(Lane& lane, Task task) {
    if (busy_) {
      waiting_.push_back(std::move(task));
      return;
    }
    busy_ = true;
    task(lane);
  }
  // The next one to be run, if any waits.
  Task Leave() {
    if (waiting_.empty()) {
      busy_ = false;
      return {};
    }
    Task next = std::move(waiting_.front());
    waiting_.pop_front();
    return next;
  }

 private:
  bool busy_ = false;
  std::deque<Task> waiting_;
};

}  // namespace sluice::ingest
