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
  const std::string name = Name(keyspace, key);
  const auto at = keys_.find(name);
  SLUICE_CHECK(at != keys_.end() && at->second.held);
  Queue& queue = at->second;  // stays in place whatever the waiters add to the map
  queue.held = false;
  if (queue.draining) return;  // the Release below us on the stack goes on
  queue.draining = true;
  while (!queue.held && !queue.waiters.empty()) {
    const Waiter waiter = std::move(queue.waiters.front());
    queue.waiters.pop_front();
    waiter();
  }
  queue.draining = false;
  if (!queue.held) keys_.erase(name);
}

}  // namespace sluice::shard
