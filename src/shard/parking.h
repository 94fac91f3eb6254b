// Parking: commands that must wait for something on their key, in the order they came.
//
// One mechanism for every reason to wait: a read from disk, a lock of a command over several keys.
// While a key is held, whatever comes for it queues behind; everything else goes on.
//
// Threads:  none; the lane's own.
// Bounds:   the sessions' bounds on commands in flight bound what waits here.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "model/ids.h"

namespace sluice::shard {

class Parking {
 public:
  // Runs when the waiter's turn comes. It may hold the key again (Hold), and must then Release it.
  using Waiter = std::function<void()>;

  bool any() const { return !keys_.empty(); }
  size_t size() const { return keys_.size(); }  // keys that are held
  bool Held(model::KeyspaceId keyspace, std::string_view key) const {
    return !keys_.empty() && keys_.contains(Name(keyspace, key));
  }

  // Holds a key that nobody holds.
  void Hold(model::KeyspaceId keyspace, std::string_view key);
  // Queues behind the holder. Requires: the key is held.
  void Wait(model::KeyspaceId keyspace, std::string_view key, Waiter waiter);
  // Ends the hold and runs waiters in order until one holds the key again or none is left.
  void Release(model::KeyspaceId keyspace, std::string_view key);

 private:
  struct Queue {
    bool held = true;
    std::deque<Waiter> waiters;
  };
  static std::string Name(model::KeyspaceId keyspace, std::string_view key);
  void Drain(const std::string& name);

  std::unordered_map<std::string, Queue> keys_;
  // Keys let go and not drained yet. A waiter that lets go of another key leaves it to the Release
  // below it, so that a chain of waiters takes no stack.
  std::deque<std::string> released_;
  bool draining_ = false;
};

}  // namespace sluice::shard
