#include "shard/parking.h"

#include "base/bytes.h"
#include "base/check.h"

namespace sluice::shard {

std::string Parking::Name(model::KeyspaceId keyspace, std::string_view key) {
  std::string name;
  AppendBe16(name, keyspace.value);
  name.append(key);
  return name;
}

void Parking::Hold(model::KeyspaceId keyspace, std::string_view key) {
  const auto [at, inserted] = keys_.try_emplace(Name(keyspace, key));
  SLUICE_CHECK(inserted || !at->second.held);
  at->second.held = true;
}

void Parking::Wait(model::KeyspaceId keyspace, std::string_view key, Waiter waiter) {
  const auto at = keys_.find(Name(keyspace, key));
  SLUICE_CHECK(at != keys_.end());
  at->second.waiters.push_back(std::move(waiter));
}

void Parking::Release(model::KeyspaceId keyspace, std::string_view key) {
  std::string name = Name(keyspace, key);
  const auto at = keys_.find(name);
  SLUICE_CHECK(at != keys_.end() && at->second.held);
  at->second.held = false;
  released_.push_back(std::move(name));
  if (draining_) return;  // the Release below us on the stack goes on
  draining_ = true;
  while (!released_.empty()) {
    const std::string next = std::move(released_.front());
    released_.pop_front();
    Drain(next);
  }
  draining_ = false;
}

void Parking::Drain(const std::string& name) {
  const auto at = keys_.find(name);
  if (at == keys_.end()) return;
  Queue& queue = at->second;  // stays in place whatever the waiters add to the map
  while (!queue.held && !queue.waiters.empty()) {
    const Waiter waiter = std::move(queue.waiters.front());
    queue.waiters.pop_front();
    waiter();
  }
  if (!queue.held) keys_.erase(name);
}

}  // namespace sluice::shard
