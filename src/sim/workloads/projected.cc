// Projected: keyspaces that projections read. In the end each sink is what the keys are: one that
// gets values, one that gets deltas, to which none may come twice, and one that has rows when all
// begins, from which the keys of its keyspace go on.
#include <map>

#include "base/number.h"
#include "project/memory_sink.h"
#include "sim/workload.h"

namespace sluice::sim {
namespace {

constexpr uint64_t kKeys = 6;
constexpr int64_t kSown = 1'000'000'000'000;  // more than all that clients add

class Projected final : public Workload {
 public:
  explicit Projected(Scene& scene) : Workload(scene) {
    auto& sink = scene.sinks["sown"];
    sink = std::make_shared<project::MemorySink::Medium>();
    for (uint64_t n = 0; n < kKeys; ++n) {
      project::MemoryRow& row = sink->rows[fmt::format("sown:{}", n)];
      row.is_hash = IsHash(n);
      (row.is_hash ? row.fields["a"] : row.value) = std::to_string(kSown);
    }
  }

  std::string Keyspaces(uint64_t shards) const override {
    return fmt::format(
        "[keyspace.carried]\nkey = \"carried:{{n}}\"\nshards = {0}\n"
        "[keyspace.summed]\nkey = \"summed:{{n}}\"\nshards = {0}\n"
        "[projection.carried]\nfrom = \"carried\"\nto = \"file:carried\"\n"
        "batch = {{ rows = 7, every = \"3ms\" }}\n"
        "[projection.summed]\nfrom = \"summed\"\nto = \"postgresql://sim/sim\"\ntable = \"t\"\n"
        "columns = {{ n = \"{{n}}\", v = \"value\" }}\nkey = [\"n\"]\nmode = \"add\"\n"
        "batch = {{ rows = 4, every = \"2ms\" }}\n"
        "[keyspace.sown]\nkey = \"sown:{{n}}\"\nshards = {0}\n"
        "[projection.sown]\nfrom = \"sown\"\nto = \"postgresql://sim/sown\"\ntable = \"t\"\n"
        "columns = {{ n = \"{{n}}\", v = \"value\" }}\nkey = [\"n\"]\nadopt = \"seed\"\n"
        "batch = {{ rows = 3, every = \"2ms\" }}\n",
        shards);
  }
  Request Next(uint64_t session, Prng& prng) override;
  bool Foresees(const std::string& error) const override {
    return error.starts_with("WRONGTYPE") || error.starts_with("ERR value is not an integer") ||
           error.starts_with("ERR hash value is not an integer");
  }
  void Answered(uint64_t, const resp::Value&) override {}
  void Refused(uint64_t) override {}
  void Lost(uint64_t) override {}
  void Check(Asker& ask) override;

 private:
  static bool IsHash(uint64_t n) { return n % 3 == 0; }
  void CheckSown(Asker& ask);
  void CheckSink(Asker& ask, const std::string& name);
};

Request Projected::Next(uint64_t, Prng& prng) {
  const std::string summed = fmt::format("summed:{}", prng.Below(kKeys));
  const std::string key = fmt::format("carried:{}", prng.Below(kKeys));
  const std::string number = std::to_string(prng.Below(1000));
  const std::string field(1, static_cast<char>('a' + prng.Below(5)));
  switch (prng.Below(10)) {
    case 0:
      return {{"SET", key, number}, 0};
    case 1:
      return {{"INCRBY", key, number}, 0};
    case 2:
      return {{"APPEND", key, "0"}, 0};
    case 3:
      return {{"SETRANGE", key, std::to_string(prng.Below(5)), "77"}, 0};
    case 4:
      return {{"DEL", key}, 0};
    case 5:
      return {{"HSET", key, field, number, "z", number}, 0};
    case 6:
      return {{"HINCRBY", key, field, number}, 0};
    case 7:
      return {{"HDEL", key, field}, 0};
    case 8:
      return {{"MSET", key, number, fmt::format("carried:{}", prng.Below(kKeys)), number}, 0};
    default: {
      const uint64_t n = number.size() % 2 == 0 ? number[0] % kKeys : kKeys;
      if (n == kKeys) return {{"INCRBY", summed, number}, 0};
      const std::string sown = fmt::format("sown:{}", n);
      if (IsHash(n)) return {{"HINCRBY", sown, "a", number}, 0};
      return {{"INCRBY", sown, number}, 0};
    }
  }
}

void Projected::CheckSink(Asker& ask, const std::string& name) {
  if (ask.Ask({"SLUICE", "WAIT", name, "0"}).number != 1) {
    return scene_.Broken("SLUICE WAIT " + name + " did not answer 1");
  }
  std::map<std::string, project::MemoryRow> rows;
  for (uint64_t n = 0; n < kKeys; ++n) {
    const std::string key = fmt::format("{}:{}", name, n);
    const auto replies = ask.AskAll({{"EXISTS", key}, {"GET", key}, {"HGETALL", key}});
    if (replies[0].number == 0) continue;
    project::MemoryRow& row = rows[key];
    row.is_hash = replies[1].is_error();
    row.value = row.is_hash ? "" : replies[1].text;
    for (size_t i = 0; row.is_hash && i + 1 < replies[2].items.size(); i += 2) {
      row.fields[replies[2].items[i].text] = replies[2].items[i + 1].text;
    }
  }
  const auto& sink = scene_.sinks[name]->rows;
  for (const auto& [key, row] : rows) {
    const auto found = sink.find(key);
    if (found != sink.end() && found->second == row) continue;
    return scene_.Broken(fmt::format("{} is \"{}\" ({} fields), and in its sink {}", key, row.value,
                                     row.fields.size(),
                                     found == sink.end() ? "nothing" : found->second.value));
  }
  if (sink.size() != rows.size()) scene_.Broken("the sink of " + name + " has rows of no key");
}

// No write of a client came before the row of its key.
void Projected::CheckSown(Asker& ask) {
  for (uint64_t n = 0; n < kKeys; ++n) {
    const std::string key = fmt::format("sown:{}", n);
    const auto reply = IsHash(n) ? ask.Ask({"HGET", key, "a"}) : ask.Ask({"GET", key});
    int64_t value = 0;
    if (ParseInt(reply.text, &value) && value >= kSown) continue;
    return scene_.Broken(
        fmt::format("{} is \"{}\", and had {} in its row", key, reply.text, kSown));
  }
}

void Projected::Check(Asker& ask) {
  for (const char* name : {"carried", "summed", "sown"}) {
    if (scene_.held()) CheckSink(ask, name);
  }
  if (scene_.held()) CheckSown(ask);
}

}  // namespace

std::unique_ptr<Workload> MakeProjected(Scene& scene, Prng&) {
  return std::make_unique<Projected>(scene);
}

}  // namespace sluice::sim
