// Objects: strings and hashes, each written by one connection at a time, with commands that build
// on what is there. A model runs the same commands: each reply must be the model's, and after a
// crash the object must be as the model is after all that was acknowledged and some of what
// follows.
#include <deque>
#include <map>

#include "base/number.h"
#include "sim/workload.h"

namespace sluice::sim {
namespace {

constexpr size_t kObjects = 6;
constexpr size_t kFields = 300;  // names that a hash's fields have; beyond 128 it is a large one
constexpr size_t kFieldsAtOnce = 40;
constexpr size_t kAheadMax = 6;  // commands of an object under way: 2^6 ways to lose some

// What one key holds.
struct Model {
  std::optional<std::string> text;
  std::map<std::string, std::string> fields;  // of a hash, if not empty

  bool operator==(const Model&) const = default;
  // Runs the command; its reply, as TextOf writes it.
  std::string Run(const Command& command);

 private:
  std::string RunText(const Command& command);
  std::string RunHash(const Command& command);
};

std::string Quoted(const std::string& text) {
  return "\"" + text + "\"";
}

std::string Model::Run(const Command& command) {
  const std::string& name = command[0];
  if (name == "DEL") {
    const bool there = text.has_value() || !fields.empty();
    *this = Model();
    return there ? "1" : "0";
  }
  if (name == "SET") {
    *this = Model();
    text = command[2];
    return Quoted("OK");
  }
  const bool hash = name[0] == 'H';
  if (hash ? text.has_value() : !fields.empty()) return "-WRONGTYPE";
  return hash ? RunHash(command) : RunText(command);
}

std::string Model::RunText(const Command& command) {
  const std::string& name = command[0];
  if (name == "GET") return text ? Quoted(*text) : "nil";
  std::string now = text.value_or("");
  if (name == "APPEND") {
    now += command[2];
  } else {  // SETRANGE
    const size_t at = std::stoul(command[2]);
    now.resize(std::max(now.size(), at + command[3].size()), '\0');
    now.replace(at, command[3].size(), command[3]);
  }
  text = now;
  return std::to_string(now.size());
}

std::string Model::RunHash(const Command& command) {
  const std::string& name = command[0];
  if (name == "HLEN") return std::to_string(fields.size());
  if (name == "HGETALL") {
    std::string all = "{";
    for (const auto& [field, value] : fields) all += Quoted(field) + ":" + Quoted(value) + " ";
    return all + "}";
  }
  if (name == "HGET") {
    const auto found = fields.find(command[2]);
    return found == fields.end() ? "nil" : Quoted(found->second);
  }
  int64_t count = 0;
  if (name == "HSET") {
    for (size_t i = 2; i < command.size(); i += 2) {
      count += fields.insert_or_assign(command[i], command[i + 1]).second ? 1 : 0;
    }
    return std::to_string(count);
  }
  if (name == "HDEL") {
    for (size_t i = 2; i < command.size(); ++i)
      count += static_cast<int64_t>(fields.erase(command[i]));
    return std::to_string(count);
  }
  std::string& value = fields[command[2]];  // HINCRBY
  int64_t number = 0;
  if (!value.empty()) ParseInt(value, &number);
  number += std::stoll(command[3]);
  value = std::to_string(number);
  return value;
}

class Objects final : public Workload {
 public:
  Objects(Scene& scene) : Workload(scene) {
    for (size_t i = 0; i < kObjects; ++i) {
      objects_.push_back({fmt::format("object:{}", i), {}, {}, 0, false});
    }
  }

  Request Next(uint64_t session, Prng& prng) override;
  bool Foresees(const std::string& error) const override { return error.starts_with("WRONGTYPE"); }
  void Answered(uint64_t tag, const resp::Value& reply) override;
  void Refused(uint64_t tag) override { objects_[tag].ahead.pop_front(); }
  void Lost(uint64_t tag) override { objects_[tag].frozen = true; }
  void Check(Asker& ask) override;

 private:
  struct Object {
    std::string key;
    Model model;                // after all that was answered
    std::deque<Command> ahead;  // sent since
    uint64_t session = 0;       // whose it is while something is under way
    bool frozen = false;        // something was lost: nobody writes until a check
  };
  Command CommandFor(const Object& object, Prng& prng) const;
  // What the object may be, with the commands from `at` on lost or not.
  void Possible(const Object& object, const Model& model, size_t at, const Model& found,
                std::optional<Model>* match) const;

  std::vector<Object> objects_;
};

Command Objects::CommandFor(const Object& object, Prng& prng) const {
  const std::string value(1 + prng.Below(prng.OneIn(8) ? 3000 : 40),
                          static_cast<char>('a' + prng.Below(26)));
  const auto field = [&] { return fmt::format("f{}", prng.Below(kFields)); };
  const bool odd = (&object - objects_.data()) % 2 == 1;
  if (prng.OneIn(40)) return {"DEL", object.key};
  if (odd ? prng.OneIn(30) : prng.OneIn(4)) return {"SET", object.key, value};
  if (!odd) {
    if (prng.OneIn(3)) return {"GET", object.key};
    if (prng.OneIn(2)) return {"APPEND", object.key, value};
    return {"SETRANGE", object.key, std::to_string(prng.Below(100)), value};
  }
  Command command;
  switch (prng.Below(7)) {
    case 0:
      return {"HGETALL", object.key};
    case 1:
      return {"HLEN", object.key};
    case 2:
      return {"HGET", object.key, field()};
    case 3:
      // Fields of their own: HINCRBY wants numbers.
      return {"HINCRBY", object.key, fmt::format("n{}", prng.Below(5)), "7"};
    case 4:
      command = {"HDEL", object.key};
      for (size_t i = 1 + prng.Below(5); i > 0; --i) command.push_back(field());
      return command;
    default:
      command = {"HSET", object.key};
      for (size_t i = 1 + prng.Below(kFieldsAtOnce); i > 0; --i) {
        command.push_back(field());
        command.push_back(value);
      }
      return command;
  }
}

Request Objects::Next(uint64_t session, Prng& prng) {
  const size_t at = prng.Below(objects_.size());
  Object& object = objects_[at];
  const bool taken = !object.ahead.empty() && object.session != session;
  if (object.frozen || taken || object.ahead.size() >= kAheadMax) return {};
  object.session = session;
  object.ahead.push_back(CommandFor(object, prng));
  return {object.ahead.back(), at};
}

void Objects::Answered(uint64_t tag, const resp::Value& reply) {
  Object& object = objects_[tag];
  const Command command = object.ahead.front();
  object.ahead.pop_front();
  const std::string expected = object.model.Run(command);
  if (TextOf(reply) == expected) return;
  scene_.Broken(fmt::format("{} {} was answered {}, not {}", command[0], object.key, TextOf(reply),
                            expected));
}

void Objects::Possible(const Object& object, const Model& model, size_t at, const Model& found,
                       std::optional<Model>* match) const {
  if (*match) return;
  if (model == found) *match = model;
  if (at == object.ahead.size()) return;
  Model next = model;
  next.Run(object.ahead[at]);
  Possible(object, next, at + 1, found, match);
  if (scene_.refusals) Possible(object, model, at + 1, found, match);
}

void Objects::Check(Asker& ask) {
  for (Object& object : objects_) {
    const auto replies =
        ask.AskAll({{"TYPE", object.key}, {"GET", object.key}, {"HGETALL", object.key}});
    Model found;
    if (replies[0].text == "string") found.text = replies[1].text;
    for (size_t i = 0; replies[0].text == "hash" && i + 1 < replies[2].items.size(); i += 2) {
      found.fields[replies[2].items[i].text] = replies[2].items[i + 1].text;
    }
    std::optional<Model> match;
    Possible(object, object.model, 0, found, &match);
    if (!match) {
      scene_.Broken(fmt::format(
          "{} is none of what {} lost commands can have left: {} of {} bytes, "
          "{} fields; acknowledged: {} bytes, {} fields",
          object.key, object.ahead.size(), replies[0].text, found.text.value_or("").size(),
          found.fields.size(), object.model.text.value_or("").size(), object.model.fields.size()));
    }
    object.model = found;
    object.ahead.clear();
    object.frozen = false;
  }
}

}  // namespace

std::unique_ptr<Workload> MakeObjects(Scene& scene, Prng&) {
  return std::make_unique<Objects>(scene);
}

}  // namespace sluice::sim
