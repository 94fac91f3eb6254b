// Packet: what one lane sends to another in one turn: commands for its shards, replies for its
// connections, and tasks, in order.
//
// A command or a reply is laid down in one flat buffer, so that a full pipeline crosses without an
// allocation of its own per command.
//
// Threads:  built by the sender, read by the receiver, handed over whole.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/ids.h"
#include "shard/shards.h"

namespace sluice::ingest {

class Lane;
using Task = std::function<void(Lane&)>;

// Where a reply goes: a connection of some lane, and the place in its order of replies.
struct Origin {
  model::LaneId lane;
  uint64_t connection = 0;
  uint64_t slot = 0;
};

class Packet {
 public:
  void AddCommand(const shard::Command& command, const Origin& origin);
  void AddReply(const Origin& origin, std::string_view bytes, const shard::Gate& gate);
  void AddTask(Task task);

  bool empty() const { return bytes_.empty(); }
  size_t size() const { return bytes_.size(); }
  void Clear();

  // The sender's turn ended at `lsn`: what replies in here that wait for that turn wait for.
  void Seal(model::Lsn lsn) { turn_ = lsn; }

  class Handler {
   public:
    virtual ~Handler() = default;
    virtual void OnCommand(const shard::Command& command, const Origin& origin) = 0;
    virtual void OnReply(const Origin& origin, std::string_view bytes, model::Lsn gate) = 0;
    virtual void OnTask(const Task& task) = 0;
    // Whether it can take no more now.
    virtual bool Full() const = 0;
  };
  // Everything in order, from where the last call stopped. False when the handler was full before
  // the end. Views are valid during the call only.
  bool Deliver(Handler& handler);

 private:
  std::string bytes_;
  std::vector<Task> tasks_;
  model::Lsn turn_;
  size_t read_ = 0, tasks_read_ = 0;  // by Deliver so far
};

}  // namespace sluice::ingest
