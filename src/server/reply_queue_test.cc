#include "server/reply_queue.h"

#include <gtest/gtest.h>

#include <deque>
#include <optional>

#include "base/prng.h"

namespace sluice::server {
namespace {

// The same in the simplest way: all replies ever begun, each with what it waits for.
class Model {
 public:
  struct Reply {
    std::string bytes;
    bool answered = false;
    Terms terms;
    shard::Gate gate;
  };

  size_t Begin(const Terms& terms) {
    replies_.push_back({{}, false, terms, {}});
    return replies_.size() - 1;
  }
  void Answer(size_t i, std::string_view bytes, const shard::Gate& gate) {
    replies_[i].bytes = bytes;
    replies_[i].answered = true;
    replies_[i].gate = gate;
  }
  void Seal(model::Lsn lsn) {
    for (Reply& reply : replies_) {
      if (reply.gate.this_turn) reply.gate = {std::max(reply.gate.lsn, lsn), false};
    }
  }
  // All bytes that may have left by now.
  std::string Left(model::Lsn durable) const {
    std::string left;
    for (size_t i = 0; i < replies_.size() && replies_[i].answered; ++i) {
      const Reply& reply = replies_[i];
      if (reply.terms.silent) continue;
      bool waits = reply.terms.ack != model::Ack::kMemory && Holds(reply.gate, durable);
      for (size_t before = 0; reply.terms.after_all && before <= i; ++before) {
        waits = waits || Holds(replies_[before].gate, durable);
      }
      if (waits) break;
      left += reply.bytes;
    }
    return left;
  }
  const std::vector<Reply>& replies() const { return replies_; }

 private:
  static bool Holds(const shard::Gate& gate, model::Lsn durable) {
    return gate.this_turn || gate.lsn > durable;
  }
  std::vector<Reply> replies_;
};

struct Play {
  explicit Play(uint64_t seed) : random(seed) {}

  Prng random;
  ReplyQueue queue;
  Model model;
  std::deque<std::pair<uint64_t, size_t>> unanswered;  // slot, place in the model
  std::string sent;
  uint64_t lsn = 0, durable = 0;

  std::string Bytes() {
    const size_t size = random.OneIn(20) ? 20'000 : 1 + random.Below(12);
    return std::string(size, static_cast<char>('a' + random.Below(26)));
  }
  shard::Gate Gate() {
    if (random.OneIn(3)) return {};
    return {model::Lsn(random.Below(lsn + 3)), random.OneIn(2)};
  }
  Terms Draw() {
    Terms terms;
    terms.ack = random.OneIn(3) ? model::Ack::kMemory : model::Ack::kDurable;
    terms.silent = random.OneIn(10);
    terms.after_all = random.OneIn(10);
    terms.write = random.OneIn(2);
    return terms;
  }
  void Command() {
    const Terms terms = Draw();
    const size_t place = model.Begin(terms);
    const uint64_t slot = queue.next_slot();
    std::string& to = queue.Begin();
    if (random.OneIn(3)) {
      to += "half a reply";  // what EndLater must drop
      queue.EndLater(terms);
      unanswered.emplace_back(slot, place);
      return;
    }
    const std::string bytes = Bytes();
    const shard::Gate gate = Gate();
    to += bytes;
    queue.End(gate, terms);
    model.Answer(place, bytes, gate);
  }
  void Answer() {
    if (unanswered.empty()) return;
    const size_t i = random.Below(unanswered.size());
    const auto [slot, place] = unanswered[i];
    unanswered.erase(unanswered.begin() + static_cast<ptrdiff_t>(i));
    const std::string bytes = Bytes();
    const shard::Gate gate = Gate();
    queue.Fulfil(slot, bytes, gate);
    queue.Fulfil(slot, "a reply that comes twice", gate);
    model.Answer(place, bytes, gate);
  }
  void Seal() {
    lsn += random.Below(4);
    queue.SealTurn(model::Lsn(lsn));
    model.Seal(model::Lsn(lsn));
  }
  void Send() {
    const std::string_view sendable = queue.Sendable(model::Lsn(durable));
    const size_t size = random.OneIn(2) ? sendable.size() : random.Below(sendable.size() + 1);
    sent += sendable.substr(0, size);
    if (size > 0) queue.Sent(size);
  }
  void Step() {
    switch (random.Below(8)) {
      case 0:
      case 1:
      case 2:
        return Command();
      case 3:
      case 4:
        return Answer();
      case 5:
        return Seal();
      case 6:
        durable = std::min(lsn, durable + random.Below(3));
        return;
      default:
        return Send();
    }
  }
};

// Goal:   replies keep their order, none leaves before what it and those before it wait for is
//         durable, and in the end all leave.
// Method: random commands, late replies, turns, progress of the log and partial sends, against the
//         model after every step.
TEST(ReplyQueue, KeepsOrderAndGates) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    Play run(seed);
    for (int step = 0; step < 300; ++step) {
      run.Step();
      const std::string_view ready = run.queue.Sendable(model::Lsn(run.durable));
      ASSERT_EQ(run.sent + std::string(ready), run.model.Left(model::Lsn(run.durable)))
          << "seed " << seed << " step " << step;
    }
    while (!run.unanswered.empty()) run.Answer();
    run.Seal();
    run.durable = run.lsn + 10;
    while (run.queue.bytes() > 0) run.Send();
    EXPECT_TRUE(run.queue.empty());
    ASSERT_EQ(run.sent, run.model.Left(model::Lsn(run.durable))) << "seed " << seed;
  }
}

// Goal:   when the log fails, exactly the replies that were held back or missing become errors,
//         each of its kind, and what could leave before stays as it was.
// Method: the same random runs, cut off at a random step.
TEST(ReplyQueue, AnswersWhatWaitedWhenTheLogFails) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    Play run(seed);
    const uint64_t steps = run.random.Below(200);
    for (uint64_t step = 0; step < steps; ++step) run.Step();
    const std::string left = run.sent + std::string(run.queue.Sendable(model::Lsn(run.durable)));
    std::string expected = left;
    size_t bytes = left.size();
    for (const Model::Reply& reply : run.model.replies()) {
      if (reply.terms.silent) continue;
      if (bytes > 0) {
        bytes -= reply.bytes.size();
        continue;
      }
      expected += reply.terms.write ? "-W\r\n" : "-R\r\n";
    }
    run.queue.FailWaiting("W", "R");
    run.queue.Fulfil(run.unanswered.empty() ? 0 : run.unanswered.front().first, "late", {});
    ASSERT_EQ(run.sent + std::string(run.queue.Sendable(model::Lsn())), expected)
        << "seed " << seed;
    EXPECT_EQ(run.queue.in_flight(), 0u);
  }
}

// Goal:   a pipeline of short replies allocates nothing once its memory is warm.
// Method: count the capacity that the queue holds through the strings it hands out.
TEST(ReplyQueue, ReusesTheMemoryOfItsSlots) {
  ReplyQueue queue;
  std::vector<const std::string*> first, second;
  for (auto* seen : {&first, &second}) {
    const uint64_t head = queue.next_slot();
    queue.Begin();
    queue.EndLater({});
    for (int i = 0; i < 7; ++i) {
      std::string& to = queue.Begin();
      seen->push_back(&to);
      to += "+OK\r\n";
      queue.End({}, {});
    }
    queue.Fulfil(head, "+PONG\r\n", {});
    queue.Sent(queue.Sendable(model::Lsn()).size());
  }
  EXPECT_EQ(first, second);
}

// Goal:   a reply with a deadline leaves when what it waits for is durable, or at its deadline as
//         the late one; never before what stands before it, and without moving what is behind it.
// Method: every mix of a reply before, the timed one and one behind, each waiting or not; the disk
//         comes before the deadline, or after it.
TEST(ReplyQueue, DeadlinesPass) {
  constexpr model::Lsn kBefore(10), kMine(20), kBehind(30);
  for (const bool waits_before : {false, true}) {
    for (const bool waits_behind : {false, true}) {
      for (const bool late : {false, true}) {
        ReplyQueue queue;
        const Terms durable{.ack = model::Ack::kDurable}, memory{.ack = model::Ack::kMemory};
        queue.Begin() += "before ";
        queue.End({waits_before ? kBefore : model::Lsn(), false}, memory);
        if (waits_before) {
          queue.Begin() += "held ";
          queue.End({kBefore, false}, durable);
        }
        queue.Begin() += "yes ";
        queue.EndWithin({kMine, false}, {.ack = model::Ack::kDurable, .after_all = true}, 100,
                        "no! ");
        EXPECT_TRUE(queue.timed());
        queue.Begin() += "behind";
        queue.End({waits_behind ? kBehind : model::Lsn(), false}, durable);

        queue.PassDeadlines(99);
        EXPECT_EQ(queue.Sendable(model::Lsn(0)), "before ");
        EXPECT_EQ(queue.Sendable(kBefore), waits_before ? "before held " : "before ");
        const std::string first = waits_before ? "before held " : "before ";
        if (!late) {
          EXPECT_EQ(queue.Sendable(kMine), first + (waits_behind ? "yes " : "yes behind"));
        } else {
          queue.PassDeadlines(100);
          EXPECT_EQ(queue.Sendable(kBefore), first + (waits_behind ? "no! " : "no! behind"));
        }
        EXPECT_FALSE(queue.timed());
        queue.PassDeadlines(1000);
        EXPECT_EQ(queue.Sendable(kBehind), first + (late ? "no! behind" : "yes behind"));
      }
    }
  }
}

}  // namespace
}  // namespace sluice::server
