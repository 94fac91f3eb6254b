// TIME LASTSAVE SHUTDOWN WAIT WAITAOF.
#include <fmt/format.h>

#include <algorithm>

#include "base/number.h"
#include "base/text.h"
#include "server/handlers.h"

namespace sluice::server {
namespace {

// The reply waits until everything this connection did is durable, whatever its ack level; with a
// timeout, that long at the most, and `late` is sent then.
Answer AfterAll(Call& call, int64_t timeout_ms, std::string_view late) {
  constexpr uint64_t kLongestMs = uint64_t{1} << 40;  // 34 years
  if (timeout_ms > 0) {
    const uint64_t ms = std::min(static_cast<uint64_t>(timeout_ms), kLongestMs);
    call.session.WaitWithin({call.context.clock.MonotonicUs() + ms * 1000, late});
  }
  return {.terms = {.ack = model::Ack::kDurable, .after_all = true}};
}

}  // namespace

Answer Time(Call& call) {
  const uint64_t wall_ms = call.context.clock.WallMs();
  call.reply.Array(2);
  call.reply.Bulk(std::to_string(wall_ms / 1000));
  call.reply.Bulk(std::to_string(wall_ms % 1000 * 1000));
  return {};
}

Answer LastSave(Call& call) {
  // Whatever was acknowledged is durable: the last save is always now.
  call.reply.Int(static_cast<int64_t>(call.context.clock.WallMs() / 1000));
  return {};
}

Answer Shutdown(Call& call) {
  for (const std::string_view word : call.args.subspan(1)) {
    if (EqualFolded(word, "abort")) return Refuse(call, "ERR No shutdown in progress.");
    static constexpr std::string_view kAccepted[] = {"save", "nosave", "now", "force"};
    if (std::none_of(std::begin(kAccepted), std::end(kAccepted),
                     [&](std::string_view known) { return EqualFolded(word, known); })) {
      return RefuseSyntax(call);
    }
  }
  call.session.CloseAfterReplies();
  call.context.stop();
  return {.terms = {.ack = model::Ack::kMemory, .silent = true}};
}

Answer Wait(Call& call) {
  int64_t replicas = 0, timeout_ms = 0;
  if (!ParseInt(call.args[1], &replicas)) return RefuseNoInteger(call);
  if (!ParseInt(call.args[2], &timeout_ms)) {
    return Refuse(call, "ERR timeout is not an integer or out of range");
  }
  if (timeout_ms < 0) return Refuse(call, "ERR timeout is negative");
  call.reply.Int(0);
  return AfterAll(call, timeout_ms, ":0\r\n");
}

Answer WaitAof(Call& call) {
  int64_t local = 0, replicas = 0, timeout_ms = 0;
  if (!ParseInt(call.args[1], &local)) return RefuseNoInteger(call);
  if (local < 0 || local > 1) {
    return Refuse(call, "ERR value is out of range, value must between 0 and 1");
  }
  if (!ParseInt(call.args[2], &replicas)) return RefuseNoInteger(call);
  if (replicas < 0) return Refuse(call, "ERR value is out of range, must be positive");
  if (!ParseInt(call.args[3], &timeout_ms)) {
    return Refuse(call, "ERR timeout is not an integer or out of range");
  }
  if (timeout_ms < 0) return Refuse(call, "ERR timeout is negative");
  call.reply.Array(2);
  call.reply.Int(1);
  call.reply.Int(0);
  return AfterAll(call, local == 0 ? 0 : timeout_ms, "*2\r\n:0\r\n:0\r\n");
}

}  // namespace sluice::server
