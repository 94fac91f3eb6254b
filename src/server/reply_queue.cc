#include "server/reply_queue.h"

#include "base/check.h"
#include "resp/reply.h"

namespace sluice::server {
namespace {

constexpr size_t kOutKept = 8 << 10;        // capacity that the empty output keeps,
constexpr size_t kSlotKept = 256;           // and an empty slot
constexpr size_t kCompactBytes = 64 << 10;  // bytes that left stay in front of others up to here
constexpr size_t kRingMin = 8;
constexpr size_t kExpectedFade = 16;  // of what is expected, taken off by a smaller reply

bool Reaches(const shard::Gate& gate, const shard::Gate& other) {
  return gate.lsn >= other.lsn && (gate.this_turn || !other.this_turn);
}

void SealGate(shard::Gate& gate, model::Lsn lsn) {
  if (!gate.this_turn) return;
  gate = {std::max(gate.lsn, lsn), false};
}

void Clear(std::string& bytes, size_t kept) {
  bytes.clear();
  if (bytes.capacity() > kept) bytes.shrink_to_fit();
}

}  // namespace

std::string& ReplyQueue::Begin() {
  direct_ = in_flight() == 0;
  if (direct_) {
    mark_ = out_.size();
    return out_;
  }
  if (in_flight() == slots_.size()) GrowSlots();
  Slot& slot = At(next_);
  slot.bytes.clear();
  return slot.bytes;
}

void ReplyQueue::End(const shard::Gate& gate, const Terms& terms) {
  if (direct_) {
    ++first_, ++next_;
    Place(mark_, gate, terms);
    return;
  }
  Slot& slot = At(next_++);
  slot.answered = true;
  slot.gate = gate;
  slot.terms = terms;
  slot_bytes_ += slot.bytes.size();
  if (gate.this_turn) ++unsealed_slots_;
}

void ReplyQueue::EndWithin(const shard::Gate& gate, const Terms& terms, uint64_t deadline_us,
                           std::string_view late) {
  SLUICE_CHECK(direct_ && out_.size() - mark_ == late.size());
  const size_t before = stretches_used_;
  End(gate, terms);
  if (terms.silent || stretches_used_ == 0) return;
  // A reply that shares the stretch before it gets one of its own.
  if (stretches_used_ == before) {
    Stretch& shared = StretchAt(before - 1);
    shared.end -= late.size();
    --shared.replies;
    PushStretch({shared.end + late.size(), shared.gate, 1, terms.write});
  }
  Stretch& own = StretchAt(stretches_used_ - 1);
  own.deadline_us = deadline_us;
  own.late = late;
  ++timed_;
}

void ReplyQueue::PassDeadlines(uint64_t now_us) {
  shard::Gate before;
  for (size_t i = 0; i < stretches_used_ && timed_ > 0; ++i) {
    Stretch& stretch = StretchAt(i);
    if (stretch.deadline_us != 0 && stretch.deadline_us <= now_us) {
      out_.replace(stretch.end - stretch.late.size() - passed_, stretch.late.size(), stretch.late);
      stretch.gate = before;
      stretch.deadline_us = 0;
      --timed_;
    }
    before = stretch.gate;
  }
}

void ReplyQueue::EndLater(const Terms& terms) {
  if (direct_) {
    out_.resize(mark_);
    if (slots_.empty()) GrowSlots();
  }
  Slot& slot = At(next_++);
  slot.bytes.clear();
  slot.answered = false;
  slot.gate = {};
  slot.terms = terms;
}

void ReplyQueue::Fulfil(uint64_t number, std::string_view bytes, const shard::Gate& gate) {
  if (number < first_ || number >= next_) return;
  Slot& slot = At(number);
  if (slot.answered) return;
  expected_each_ = std::max(bytes.size(), expected_each_ - expected_each_ / kExpectedFade);
  if (number == first_) {
    ++first_;
    const size_t from = out_.size();
    out_.append(bytes);
    Place(from, gate, slot.terms);
    Clear(slot.bytes, kSlotKept);
    ReleaseAnswered();
    return;
  }
  slot.bytes.assign(bytes);
  slot.answered = true;
  slot.gate = gate;
  slot_bytes_ += bytes.size();
  if (gate.this_turn) ++unsealed_slots_;
}

void ReplyQueue::ReleaseAnswered() {
  while (first_ < next_ && At(first_).answered) {
    Slot& slot = At(first_++);
    slot_bytes_ -= slot.bytes.size();
    if (slot.gate.this_turn) --unsealed_slots_;
    const size_t from = out_.size();
    out_.append(slot.bytes);
    Place(from, slot.gate, slot.terms);
    Clear(slot.bytes, kSlotKept);
  }
}

void ReplyQueue::Place(size_t from, const shard::Gate& gate, const Terms& terms) {
  seen_.Cover(gate);
  if (terms.silent) {
    out_.resize(from);
    return;
  }
  shard::Gate wait;
  if (terms.after_all) {
    wait = seen_;
  } else if (terms.ack != model::Ack::kMemory) {
    wait = gate;
  }
  awaited_.Cover(wait);
  const uint64_t end = passed_ + out_.size();
  if (stretches_used_ == 0) {
    if (wait.lsn.value == 0 && !wait.this_turn) {
      free_ = end;
      return;
    }
    PushStretch({end, wait, 1, terms.write});
    return;
  }
  Stretch& last = StretchAt(stretches_used_ - 1);
  if (Reaches(last.gate, wait) && last.write == terms.write && last.deadline_us == 0) {
    last.end = end;
    ++last.replies;
    return;
  }
  // What stands behind a reply with a deadline waits for what stands before that, and no more.
  size_t before = stretches_used_;
  while (before > 0 && StretchAt(before - 1).deadline_us != 0) --before;
  if (before > 0) wait.Cover(StretchAt(before - 1).gate);
  PushStretch({end, wait, 1, terms.write});
}

void ReplyQueue::PushStretch(const Stretch& stretch) {
  if (stretches_used_ == stretches_.size()) {
    std::vector<Stretch> larger(std::max(kRingMin, 2 * stretches_.size()));
    for (size_t i = 0; i < stretches_used_; ++i) larger[i] = StretchAt(i);
    stretches_.swap(larger);
    stretches_first_ = 0;
  }
  ++stretches_used_;
  StretchAt(stretches_used_ - 1) = stretch;
}

void ReplyQueue::GrowSlots() {
  std::vector<Slot> larger(std::max(kRingMin, 2 * slots_.size()));
  for (uint64_t i = first_; i < next_; ++i) larger[i & (larger.size() - 1)] = std::move(At(i));
  slots_.swap(larger);
}

void ReplyQueue::SealTurn(model::Lsn lsn) {
  SealGate(seen_, lsn);
  // Whatever came in the turn stands at the end: a stretch that waits for it is behind all that do
  // not, but for what stands behind a deadline.
  for (size_t i = stretches_used_; i > 0; --i) {
    Stretch& stretch = StretchAt(i - 1);
    if (!stretch.gate.this_turn && timed_ == 0) break;
    SealGate(stretch.gate, lsn);
  }
  if (unsealed_slots_ == 0) return;
  for (uint64_t i = first_; i < next_; ++i) SealGate(At(i).gate, lsn);
  unsealed_slots_ = 0;
}

std::string_view ReplyQueue::Sendable(model::Lsn durable) {
  while (stretches_used_ > 0) {
    const Stretch& front = StretchAt(0);
    if (front.gate.this_turn || front.gate.lsn > durable) break;
    free_ = front.end;
    timed_ -= front.deadline_us != 0;
    stretches_first_ = (stretches_first_ + 1) & (stretches_.size() - 1);
    --stretches_used_;
  }
  SLUICE_CHECK(free_ >= passed_ + begin_);
  return std::string_view(out_).substr(begin_, free_ - passed_ - begin_);
}

void ReplyQueue::Sent(size_t bytes) {
  begin_ += bytes;
  SLUICE_CHECK(passed_ + begin_ <= free_);
  Compact();
}

void ReplyQueue::Compact() {
  if (begin_ == out_.size()) {
    passed_ += begin_;
    begin_ = 0;
    Clear(out_, kOutKept);
  } else if (begin_ >= kCompactBytes && begin_ >= out_.size() / 2) {
    out_.erase(0, begin_);
    out_.shrink_to_fit();  // what held_bytes no longer counts is not to be kept either
    passed_ += begin_;
    begin_ = 0;
  }
}

void ReplyQueue::Release() {
  if (!empty()) return;
  std::string().swap(out_);
  passed_ += begin_;
  begin_ = 0;
  std::vector<Slot>().swap(slots_);
  std::vector<Stretch>().swap(stretches_);
  stretches_first_ = 0;
}

void ReplyQueue::FailWaiting(std::string_view write_error, std::string_view read_error) {
  uint64_t replies = 0;
  std::string errors;
  resp::Reply reply(errors, resp::Version::k2);
  for (size_t i = 0; i < stretches_used_; ++i) {
    const Stretch& stretch = StretchAt(i);
    for (replies = 0; replies < stretch.replies; ++replies) {
      reply.Error(stretch.write ? write_error : read_error);
    }
  }
  for (; first_ < next_; ++first_) {
    if (!At(first_).terms.silent) reply.Error(At(first_).terms.write ? write_error : read_error);
    At(first_) = Slot();
  }
  out_.resize(free_ - passed_);
  out_.append(errors);
  free_ = passed_ + out_.size();
  stretches_used_ = 0;
  timed_ = 0;
  slot_bytes_ = 0;
  unsealed_slots_ = 0;
}

}  // namespace sluice::server
