// Requests of clients: the reads they arrive in make no difference, limits hold, and each command
// written out again is the same command.
#include <algorithm>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/fuzz_test.h"
#include "base/prng.h"
#include "resp/kit_test.h"

namespace sluice::resp {
namespace {

constexpr Limits kLimitsTried[] = {kLimits, kLimitsBeforeAuth, {6, 40, 64, 200, true}};

std::string Written(const Command& command) {
  std::string bytes = "*" + std::to_string(command.size()) + "\r\n";
  for (const std::string& arg : command) {
    bytes += "$" + std::to_string(arg.size()) + "\r\n" + arg + "\r\n";
  }
  return bytes;
}

}  // namespace
}  // namespace sluice::resp

SLUICE_FUZZ(resp_requests) {
  using namespace sluice;
  using namespace sluice::resp;
  Reader reader(bytes);
  const Limits& limits = kLimitsTried[reader.Le<uint8_t>() % std::size(kLimitsTried)];
  Prng prng(reader.Le<uint8_t>());
  const std::string_view stream = reader.rest();
  const Meaning whole = Whole(stream, limits);
  SLUICE_CHECK(Feed(stream, limits, [&] { return 1 + prng.Below(9); }) == whole);
  if (stream.size() < 200) SLUICE_CHECK(Feed(stream, limits, [] { return 1; }) == whole);
  std::string again;
  for (const Command& command : whole.commands) {
    SLUICE_CHECK(!command.empty());
    SLUICE_CHECK(command.size() <= std::max(limits.args_max, limits.inline_bytes_max));
    for (const std::string& arg : command) SLUICE_CHECK(arg.size() <= limits.command_bytes_max);
    again += Written(command);
  }
  SLUICE_CHECK(Whole(again).commands == whole.commands);
}
