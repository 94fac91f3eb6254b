// ReplyQueue: the replies of one connection, in the order of its commands, each held back until
// what it reveals is durable.
//
//   Begin()     the next command: says where its reply is to be appended.
//   End()       the reply is written; or
//   EndLater()  it will come with Fulfil, and replies behind it wait.
//   SealTurn()  the lane's turn has its LSN: so have the replies that wait for it.
//   Sendable()  the bytes that may leave now.
//
// A reply never overtakes an earlier one, so what it waits for is at least what they wait for. A
// reply that is there at once, with nothing unanswered before it, is written straight behind the
// others; one behind an unanswered command rests in a slot whose memory serves the next.
//
// Owns:     the bytes.
// Threads:  none; the lane's own.
// Bounds:   the owner stops running commands at in_flight() and bytes() of its choice.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "command/command.h"
#include "model/keyspace.h"
#include "shard/turns.h"

namespace sluice::server {

// How a reply leaves.
struct Terms {
  model::Ack ack = model::Ack::kDurable;  // memory: it waits for no disk
  bool write = false;   // its command may have changed something: what a failed log makes unknown
  bool silent = false;  // it does not leave (CLIENT REPLY)
  bool after_all = false;  // it waits for whatever this connection did before, memory or not
  const command::Spec* spec = nullptr;  // its command, for who asks while it is unanswered
};

class ReplyQueue {
 public:
  // How large a reply that comes later is taken to be, until some have come.
  static constexpr size_t kExpectedFirst = 512 << 10;

  // The slot of the next command, for Fulfil.
  uint64_t next_slot() const { return next_; }

  // The string behind whose end the next command's reply is to be written. End or EndLater follows
  // before anything else is called.
  std::string& Begin();
  // The reply stands there, and waits for `gate`.
  void End(const shard::Gate& gate, const Terms& terms);
  // The same for a reply that waits no longer than until `deadline_us`: then `late`, which is as
  // long, takes its place, and waits for what stands before it and no more. Requires: nothing is in
  // flight; `late` outlives it.
  void EndWithin(const shard::Gate& gate, const Terms& terms, uint64_t deadline_us,
                 std::string_view late);
  // No reply yet; what was appended since Begin counts for nothing.
  void EndLater(const Terms& terms);

  // Whether the slot is unanswered, and its command may have changed something.
  bool AwaitsWrite(uint64_t slot) const {
    return slot >= first_ && slot < next_ && At(slot).terms.write;
  }
  // Its command; nullptr: it is answered, or was not told.
  const command::Spec* SpecOf(uint64_t slot) const {
    return slot >= first_ && slot < next_ ? At(slot).terms.spec : nullptr;
  }
  // The reply of an unanswered slot. Nothing happens if there is no such slot (any more).
  void Fulfil(uint64_t slot, std::string_view bytes, const shard::Gate& gate);

  // What replies came to wait for since the last call.
  shard::Gate TakeAwaited() { return std::exchange(awaited_, {}); }

  // The turn that ran until now ended at `lsn`.
  void SealTurn(model::Lsn lsn);

  // Whether replies have a deadline, and lets those go whose time has come.
  bool timed() const { return timed_ > 0; }
  void PassDeadlines(uint64_t now_us);

  // What may leave once all up to `durable` is; valid until the next call of anything else.
  std::string_view Sendable(model::Lsn durable);
  // The first `bytes` of it left.
  void Sent(size_t bytes);

  // The log failed: every reply that is still held back, or missing, becomes an error that says
  // what is now known of its command. All of it may leave.
  void FailWaiting(std::string_view write_error, std::string_view read_error);

  // Gives memory back, if there is nothing in it.
  void Release();

  size_t in_flight() const { return next_ - first_; }  // commands without a reply, or behind one
  size_t bytes() const { return out_.size() - begin_ + slot_bytes_; }
  // The same, with what was sent and lies in front of others yet.
  size_t held_bytes() const { return out_.size() + slot_bytes_; }
  // The same, if each command without a reply gets one like the largest of late.
  size_t expected_bytes() const { return bytes() + in_flight() * expected_each_; }
  bool empty() const { return in_flight() == 0 && begin_ == out_.size(); }
  size_t waiting() const { return stretches_used_; }  // stretches that are held back

 private:
  // One command behind an unanswered one, or unanswered itself.
  struct Slot {
    std::string bytes;
    shard::Gate gate;
    Terms terms;
    bool answered = false;
  };
  // Replies of one kind that wait for the same, up to `end`.
  struct Stretch {
    uint64_t end = 0;  // counted from the first byte this connection ever got
    shard::Gate gate;
    uint64_t replies = 0;
    bool write = false;
    uint64_t deadline_us = 0;  // 0: none. A stretch with one is a single reply
    std::string_view late = {};
  };

  Slot& At(uint64_t slot) { return slots_[slot & (slots_.size() - 1)]; }
  const Slot& At(uint64_t slot) const { return slots_[slot & (slots_.size() - 1)]; }
  Stretch& StretchAt(size_t i) {
    return stretches_[(stretches_first_ + i) & (stretches_.size() - 1)];
  }
  void GrowSlots();
  // What stands between `from` and the end of out_ is the next reply.
  void Place(size_t from, const shard::Gate& gate, const Terms& terms);
  void PushStretch(const Stretch& stretch);
  void ReleaseAnswered();
  void Compact();

  std::string out_;  // [begin_, end) has not left; up to free_ (absolute) nothing waits
  size_t begin_ = 0;
  uint64_t passed_ = 0;  // bytes that left and are no longer in out_
  uint64_t free_ = 0;
  size_t mark_ = 0;      // where the reply in hand began
  bool direct_ = false;  // the reply in hand goes straight to out_

  std::vector<Slot> slots_;  // a ring; its size is a power of two
  uint64_t first_ = 0, next_ = 0;
  size_t slot_bytes_ = 0;
  size_t unsealed_slots_ = 0;
  size_t expected_each_ = kExpectedFirst;

  std::vector<Stretch> stretches_;  // a ring; its size is a power of two
  size_t stretches_first_ = 0, stretches_used_ = 0;
  shard::Gate awaited_;
  size_t timed_ = 0;  // stretches with a deadline
  shard::Gate seen_;  // what the replies in out_ and before looked at, whatever their terms
};

}  // namespace sluice::server
