// A write that happens only if its key does not exist.
#include "base/check.h"
#include "command/families.h"
#include "command/handler.h"

namespace sluice::command {
namespace {

Outcome RunIfAbsent(Call& call) {
  Key key;
  if (const auto leave = Find(call, &key)) return *leave;
  if (key.exists) {
    call.reply.Int(0);
    return Outcome::kDone;
  }
  const Spec* write = FindCommand(call.args[0]);
  SLUICE_CHECK(write != nullptr && write->face == Face::kKey);
  return write->handler(call);
}

}  // namespace

const Spec& IfAbsent() {
  static constexpr Spec kSpec =
      KeyCommand("ifabsent", -3, kWrite | kSeeds, RunIfAbsent, "", "not for clients");
  return kSpec;
}

}  // namespace sluice::command
