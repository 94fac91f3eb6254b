// Commands on several keys, all or nothing: MGET, MSET, MSETNX, DEL, UNLINK, EXISTS, TOUCH.
#include <algorithm>
#include <unordered_map>

#include "base/check.h"
#include "command/families.h"
#include "command/handler.h"
#include "command/reply_bound.h"

namespace sluice::command {
namespace {

// Few enough keys to compare each with each.
constexpr size_t kFewKeys = 8;

bool Exists(const KeyFact& fact) {
  return fact.type != KeyFact::Type::kNone;
}

// Calls `use(i)` for the last naming of each key, in order. Keys stand at 1, 1 + step, ….
template <class Use>
void ForEachDistinct(Args args, size_t step, Use use) {
  const size_t keys = (args.size() - 1) / step;
  const auto key = [&](size_t i) { return args[1 + i * step]; };
  if (keys <= kFewKeys) {
    for (size_t i = 0; i < keys; ++i) {
      size_t later = i + 1;
      while (later < keys && key(later) != key(i)) ++later;
      if (later == keys) use(i);
    }
    return;
  }
  std::unordered_map<std::string_view, size_t> last;
  for (size_t i = 0; i < keys; ++i) last[key(i)] = i;
  for (size_t i = 0; i < keys; ++i) {
    if (last[key(i)] == i) use(i);
  }
}

// Whether a key that exists is to be changed although its keyspace is append-only.
bool RefusedAsAppendOnly(MultiCall& call) {
  for (size_t i = 0; i < call.policies.size(); ++i) {
    if (!call.policies[i]->append_only) continue;
    SLUICE_CHECK(call.facts.size() == call.policies.size());
    if (!Exists(call.facts[i])) continue;
    call.reply.Error(kAppendOnly);
    return true;
  }
  return false;
}

void MGet(MultiCall& call) {
  const size_t begin = call.reply.size();
  call.reply.Array(call.facts.size());
  for (const KeyFact& fact : call.facts) {
    if (fact.type == KeyFact::Type::kString) {
      call.reply.Bulk(fact.value);
    } else {
      call.reply.Null();
    }
    if (EndedTooLong(call.reply, begin)) return;
  }
}

void SetAll(MultiCall& call) {
  ForEachDistinct(call.args, 2, [&](size_t i) {
    KeyChange change{i, {}};
    change.effect.kind = model::EffectKind::kPutValue;
    change.effect.key = call.args[1 + 2 * i];
    change.effect.value = call.args[2 + 2 * i];
    change.effect.expire_at_ms = DefaultExpiry(*call.policies[i], call.now_ms);
    call.changes.push_back(change);
  });
}

void MSet(MultiCall& call) {
  if (RefusedAsAppendOnly(call)) return;
  SetAll(call);
  call.reply.Simple("OK");
}

void MSetNx(MultiCall& call) {
  const bool any = std::any_of(call.facts.begin(), call.facts.end(), Exists);
  if (!any) SetAll(call);
  call.reply.Int(any ? 0 : 1);
}

void Del(MultiCall& call) {
  if (RefusedAsAppendOnly(call)) return;
  ForEachDistinct(call.args, 1, [&](size_t i) {
    if (!Exists(call.facts[i])) return;
    KeyChange change{i, {}};
    change.effect.kind = model::EffectKind::kDelete;
    change.effect.key = call.args[1 + i];
    call.changes.push_back(change);
  });
  call.reply.Int(static_cast<int64_t>(call.changes.size()));
}

// A key that is named twice counts twice.
void CountExisting(MultiCall& call) {
  call.reply.Int(std::count_if(call.facts.begin(), call.facts.end(), Exists));
}

constexpr Spec Entry(std::string_view name, int arity, uint32_t flags, int step,
                     void (*multi)(MultiCall&), std::string_view group, std::string_view summary) {
  return Spec{.name = name,
              .arity = arity,
              .flags = flags,
              .face = Face::kMulti,
              .first_key = 1,
              .last_key = -1,
              .key_step = step,
              .multi = multi,
              .group = group,
              .summary = summary};
}

constexpr Spec kCommands[] = {
    Entry("mget", -2, kRead | kFast | kNeedsFacts | kNeedsValues, 1, MGet, "string",
          "The values of keys, as of one moment."),
    Entry("mset", -3, kWrite, 2, MSet, "string", "Sets keys, all or nothing."),
    Entry("msetnx", -3, kWrite | kNeedsFacts, 2, MSetNx, "string",
          "Sets keys if none of them exists."),
    Entry("del", -2, kWrite | kNeedsFacts | kDeletes, 1, Del, "generic", "Deletes keys."),
    Entry("unlink", -2, kWrite | kFast | kNeedsFacts | kDeletes, 1, Del, "generic",
          "Deletes keys."),
    Entry("exists", -2, kRead | kFast | kNeedsFacts, 1, CountExisting, "generic",
          "How many of the keys exist."),
    Entry("touch", -2, kRead | kFast | kNeedsFacts, 1, CountExisting, "generic",
          "How many of the keys exist."),
};

}  // namespace

std::span<const Spec> MultiCommands() {
  return kCommands;
}

}  // namespace sluice::command
