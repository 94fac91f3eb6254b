#include "ingest/packet.h"

#include "base/bytes.h"
#include "base/check.h"

namespace sluice::ingest {
namespace {

enum class Item : uint8_t { kCommand, kReply, kTask };

void AppendOrigin(std::string& to, const Origin& origin) {
  AppendVarint(to, origin.lane.value);
  AppendVarint(to, origin.connection);
  AppendVarint(to, origin.slot);
}

Origin ReadOrigin(Reader& reader) {
  Origin origin;
  origin.lane = model::LaneId(static_cast<uint16_t>(reader.Varint()));
  origin.connection = reader.Varint();
  origin.slot = reader.Varint();
  return origin;
}

}  // namespace

void Packet::AddCommand(const shard::Command& command, const Origin& origin) {
  bytes_.push_back(static_cast<char>(Item::kCommand));
  AppendOrigin(bytes_, origin);
  AppendLe(bytes_, reinterpret_cast<uintptr_t>(command.spec));
  bytes_.push_back(static_cast<char>(command.version));
  bytes_.push_back(static_cast<char>(command.priority));
  bytes_.push_back(static_cast<char>(command.once.kind));
  if (command.once.kind != shard::Once::Kind::kNone) {
    AppendSized(bytes_, command.once.user);
    AppendSized(bytes_, command.once.token);
    AppendVarint(bytes_, command.once.seq);
    AppendLe(bytes_, command.once.digest);
    AppendSized(bytes_, command.once.refused);
    AppendVarint(bytes_, command.once.charged.size());
    for (const admit::Charge& charge : command.once.charged) {
      AppendLe(bytes_, reinterpret_cast<uintptr_t>(charge.bucket));
      AppendLe(bytes_, charge.from);
      AppendLe(bytes_, charge.until);
    }
  }
  AppendVarint(bytes_, command.args.size());
  for (const std::string_view arg : command.args) AppendSized(bytes_, arg);
}

void Packet::AddReply(const Origin& origin, std::string_view bytes, const shard::Gate& gate) {
  bytes_.push_back(static_cast<char>(Item::kReply));
  AppendOrigin(bytes_, origin);
  bytes_.push_back(gate.this_turn ? 1 : 0);
  AppendVarint(bytes_, gate.lsn.value);
  AppendSized(bytes_, bytes);
}

void Packet::AddTask(Task task) {
  bytes_.push_back(static_cast<char>(Item::kTask));
  tasks_.push_back(std::move(task));
}

void Packet::Clear() {
  bytes_.clear();
  tasks_.clear();
  turn_ = model::Lsn();
  read_ = tasks_read_ = 0;
}

bool Packet::Deliver(Handler& handler) {
  Reader reader(std::string_view(bytes_).substr(read_));
  std::vector<std::string_view> args;
  std::vector<admit::Charge> charges;
  while (!reader.done()) {
    read_ = bytes_.size() - reader.left();
    if (handler.Full()) return false;
    switch (static_cast<Item>(reader.Le<uint8_t>())) {
      case Item::kCommand: {
        const Origin origin = ReadOrigin(reader);
        shard::Command command;
        command.spec = reinterpret_cast<const command::Spec*>(reader.Le<uintptr_t>());
        command.version = static_cast<resp::Version>(reader.Le<uint8_t>());
        command.priority = static_cast<model::Priority>(reader.Le<uint8_t>());
        command.once.kind = static_cast<shard::Once::Kind>(reader.Le<uint8_t>());
        if (command.once.kind != shard::Once::Kind::kNone) {
          command.once.user = reader.Sized();
          command.once.token = reader.Sized();
          command.once.seq = reader.Varint();
          command.once.digest = reader.Le<uint64_t>();
          command.once.refused = reader.Sized();
          charges.resize(reader.Varint());
          for (admit::Charge& charge : charges) {
            charge.bucket = reinterpret_cast<admit::FullAt*>(reader.Le<uintptr_t>());
            charge.from = reader.Le<uint64_t>();
            charge.until = reader.Le<uint64_t>();
          }
          command.once.charged = charges;
        }
        args.resize(reader.Varint());
        for (std::string_view& arg : args) arg = reader.Sized();
        command.args = args;
        handler.OnCommand(command, origin);
        break;
      }
      case Item::kReply: {
        const Origin origin = ReadOrigin(reader);
        const bool this_turn = reader.Le<uint8_t>() != 0;
        const model::Lsn lsn(reader.Varint());
        handler.OnReply(origin, reader.Sized(), this_turn ? std::max(lsn, turn_) : lsn);
        break;
      }
      case Item::kTask:
        handler.OnTask(tasks_[tasks_read_++]);
        break;
    }
  }
  SLUICE_CHECK(reader.ok());
  return true;
}

}  // namespace sluice::ingest
