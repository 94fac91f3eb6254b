// Fabric: the mailboxes between lanes. A packet a turn and pair of lanes, not a message a command.
//
// Threads:  Send by the sending lane, Receive by the receiving one, Post by any. One short lock a
//           packet.
// Bounds:   a lane stops reading its sockets while kPacketsMax of its packets wait at another lane
//           (Crowded), so what waits here is bounded by that and one turn's worth.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "ingest/packet.h"
#include "model/ids.h"

namespace sluice::ingest {

inline constexpr size_t kPacketsMax = 64;

class Fabric {
 public:
  // `wake` makes a lane that sleeps take its next turn; it may be called from any thread. `late`
  // says whether what waits between two lanes is still on its way: the simulator's delays; empty:
  // never.
  using Late = std::function<bool(model::LaneId from, model::LaneId to)>;
  Fabric(size_t lanes, std::function<void(model::LaneId)> wake, Late late = {});

  size_t lanes() const { return lanes_; }
  // Hands over the packet (sealed) and returns an empty one to fill next.
  std::unique_ptr<Packet> Send(model::LaneId from, model::LaneId to,
                               std::unique_ptr<Packet> packet);
  // Packets for `to`, in order per sender. Give each back with Recycle.
  void Receive(model::LaneId to, std::deque<std::pair<model::LaneId, std::unique_ptr<Packet>>>* in);
  void Recycle(model::LaneId from, model::LaneId to, std::unique_ptr<Packet> packet);
  bool Crowded(model::LaneId from) const;
  bool Empty() const;  // no packet is on its way

  // A task for a lane from outside the lanes (a read finished, a run is stored, a new connection).
  void Post(model::LaneId to, Task task);
  void TakePosted(model::LaneId to, std::vector<Task>* tasks);
  void Wake(model::LaneId lane) { wake_(lane); }

 private:
  struct Link {
    std::mutex mutex;
    std::vector<std::unique_ptr<Packet>> waiting, spare;
    std::atomic<size_t> count{0};
  };
  struct Box {
    std::mutex mutex;
    std::vector<Task> tasks;
    std::atomic<bool> any{false};
  };
  Link& LinkOf(model::LaneId from, model::LaneId to) {
    return *links_[from.value * lanes_ + to.value];
  }

  const size_t lanes_;
  std::function<void(model::LaneId)> wake_;
  Late late_;
  std::vector<std::unique_ptr<Link>> links_;
  std::vector<std::unique_ptr<Box>> boxes_;
};

}  // namespace sluice::ingest
