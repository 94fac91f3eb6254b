#include "ingest/packet.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/prng.h"
#include "command/command.h"

namespace sluice::ingest {
namespace {

std::string NoteOf(const shard::Once& once) {
  std::string note = fmt::format(" once {} {} {} {} {}", once.user, once.token, once.seq,
                                 once.digest, once.refused);
  for (const admit::Charge& charge : once.charged) {
    note += fmt::format(" {} {} {}", fmt::ptr(charge.bucket), charge.from, charge.until);
  }
  return note;
}

// Writes down what a packet delivers; takes `room` items and is full then.
class Notes final : public Packet::Handler {
 public:
  void OnCommand(const shard::Command& command, const Origin& origin) override {
    std::string note = fmt::format("command {} {} {} {}", command.spec->name, origin.lane.value,
                                   origin.connection, origin.slot);
    for (const std::string_view arg : command.args) note += fmt::format(" [{}]", arg);
    if (command.once.kind != shard::Once::Kind::kNone) note += NoteOf(command.once);
    note += fmt::format(" {}", static_cast<int>(command.priority));
    Add(std::move(note));
  }
  void OnReply(const Origin& origin, std::string_view bytes, model::Lsn gate) override {
    Add(fmt::format("reply {} {} {} {}", origin.connection, origin.slot, bytes, gate.value));
  }
  void OnTask(const Task&) override { Add("task"); }
  bool Full() const override { return room == 0; }

  std::vector<std::string> notes;
  size_t room = 0;

 private:
  void Add(std::string note) {
    notes.push_back(std::move(note));
    --room;
  }
};

// Goal:   a packet delivers what was put in, in order, whole, in however many portions it is taken.
// Method: random commands, replies and tasks; the notes of one delivery equal those of any
//         portions, and what each item must read as.
TEST(Packet, DeliversInOrderInAnyPortions) {
  const command::Spec* get = command::FindCommand("get");
  const command::Spec* set = command::FindCommand("set");
  admit::FullAt bucket{0};
  const admit::Charge charges[] = {{&bucket, 1, 2}, {nullptr, ~uint64_t{0}, 7}};
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    Prng prng(seed);
    Packet packet;
    std::vector<std::string> expected;
    for (int i = 0; i < 60; ++i) {
      const Origin origin{model::LaneId(static_cast<uint16_t>(prng.Below(300))), prng(), prng()};
      if (prng.OneIn(3)) {
        packet.AddTask([](Lane&) {});
        expected.push_back("task");
      } else if (prng.OneIn(2)) {
        const std::string bytes(prng.Below(300), 'r');
        const bool this_turn = prng.OneIn(2);
        const uint64_t lsn = prng.Below(2000);
        packet.AddReply(origin, bytes, {model::Lsn(lsn), this_turn});
        expected.push_back(fmt::format("reply {} {} {} {}", origin.connection, origin.slot, bytes,
                                       this_turn ? std::max<uint64_t>(lsn, 1000) : lsn));
      } else {
        const std::string value(prng.Below(200), 'v');
        const std::vector<std::string_view> args{"set", "key", value};
        shard::Command command{prng.OneIn(2) ? get : set, args, resp::Version::k3, {}};
        std::string note = fmt::format("command {} {} {} {} [set] [key] [{}]", command.spec->name,
                                       origin.lane.value, origin.connection, origin.slot, value);
        if (prng.OneIn(2)) {
          command.once = {shard::Once::Kind::kProducer,
                          "user",
                          "token",
                          prng(),
                          prng(),
                          prng.OneIn(2) ? "THROTTLED" : "",
                          {charges, prng.Below(3)}};
          note += NoteOf(command.once);
        }
        command.priority = static_cast<model::Priority>(prng.Below(4));
        note += fmt::format(" {}", static_cast<int>(command.priority));
        packet.AddCommand(command, origin);
        expected.push_back(std::move(note));
      }
    }
    packet.Seal(model::Lsn(1000));
    Notes notes;
    do {
      notes.room = 1 + prng.Below(10);
    } while (!packet.Deliver(notes));
    EXPECT_EQ(notes.notes, expected) << "seed " << seed;
  }
}

}  // namespace
}  // namespace sluice::ingest
