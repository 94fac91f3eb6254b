#include "ingest/fabric.h"

#include <algorithm>

namespace sluice::ingest {

Fabric::Fabric(size_t lanes, std::function<void(model::LaneId)> wake, Late late)
    : lanes_(lanes), wake_(std::move(wake)), late_(std::move(late)) {
  for (size_t i = 0; i < lanes * lanes; ++i) links_.push_back(std::make_unique<Link>());
  for (size_t i = 0; i < lanes; ++i) boxes_.push_back(std::make_unique<Box>());
}

std::unique_ptr<Packet> Fabric::Send(model::LaneId from, model::LaneId to,
                                     std::unique_ptr<Packet> packet) {
  Link& link = LinkOf(from, to);
  std::unique_ptr<Packet> next;
  {
    const std::lock_guard lock(link.mutex);
    link.waiting.push_back(std::move(packet));
    link.count.store(link.waiting.size(), std::memory_order_release);
    if (!link.spare.empty()) {
      next = std::move(link.spare.back());
      link.spare.pop_back();
    }
  }
  wake_(to);
  return next ? std::move(next) : std::make_unique<Packet>();
}

void Fabric::Receive(model::LaneId to,
                     std::deque<std::pair<model::LaneId, std::unique_ptr<Packet>>>* in) {
  for (uint16_t from = 0; from < lanes_; ++from) {
    Link& link = LinkOf(model::LaneId(from), to);
    if (link.count.load(std::memory_order_acquire) == 0) continue;
    if (late_ && late_(model::LaneId(from), to)) continue;
    const std::lock_guard lock(link.mutex);
    for (auto& packet : link.waiting) in->emplace_back(model::LaneId(from), std::move(packet));
    link.waiting.clear();
    link.count.store(0, std::memory_order_release);
  }
}

void Fabric::Recycle(model::LaneId from, model::LaneId to, std::unique_ptr<Packet> packet) {
  packet->Clear();
  Link& link = LinkOf(from, to);
  const std::lock_guard lock(link.mutex);
  if (link.spare.size() < kPacketsMax) link.spare.push_back(std::move(packet));
}

bool Fabric::Empty() const {
  return std::all_of(links_.begin(), links_.end(), [](const auto& link) {
    return link->count.load(std::memory_order_acquire) == 0;
  });
}

bool Fabric::Crowded(model::LaneId from) const {
  for (size_t to = 0; to < lanes_; ++to) {
    if (links_[from.value * lanes_ + to]->count.load(std::memory_order_acquire) >= kPacketsMax) {
      return true;
    }
  }
  return false;
}

void Fabric::Post(model::LaneId to, Task task) {
  Box& box = *boxes_[to.value];
  {
    const std::lock_guard lock(box.mutex);
    box.tasks.push_back(std::move(task));
    box.any.store(true, std::memory_order_release);
  }
  wake_(to);
}

void Fabric::TakePosted(model::LaneId to, std::vector<Task>* tasks) {
  Box& box = *boxes_[to.value];
  if (!box.any.load(std::memory_order_acquire)) return;
  const std::lock_guard lock(box.mutex);
  tasks->swap(box.tasks);
  box.any.store(false, std::memory_order_release);
}

}  // namespace sluice::ingest
