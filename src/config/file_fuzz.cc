// A configuration file and what the command line says over it: refused with its reasons, or printed
// as a file that means the same.
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/fuzz_test.h"
#include "config/config.h"
#include "config/live.h"
#include "config/print.h"

SLUICE_FUZZ(config_file) {
  using namespace sluice;
  using namespace sluice::config;
  // Texts behind zero bytes are --set options.
  Overrides overrides;
  const std::string_view text = bytes.substr(0, bytes.find('\0'));
  for (size_t at = text.size(); at < bytes.size();) {
    const size_t end = std::min(bytes.find('\0', at + 1), bytes.size());
    overrides.set.emplace_back(bytes.substr(at + 1, end - at - 1));
    at = end;
  }
  const auto config = Load(text, "fuzz.toml", overrides);
  if (!config.has_value()) {
    SLUICE_CHECK(config.error().code == Code::kInvalid && !config.error().message.empty());
    return;
  }
  const std::string printed = ToToml(*config);
  const auto again = Load(printed, "printed.toml", {});
  SLUICE_CHECK_MSG(again.has_value(), printed + again.error().message);
  SLUICE_CHECK(ToToml(*again) == printed);
  SLUICE_CHECK(!Items(*config).empty());
  // It names keyspace `default` from then on.
  const auto adopted = Adopt(*config, *again);
  SLUICE_CHECK(adopted.has_value());
  const auto adopted_again = Adopt(*adopted, *again);
  SLUICE_CHECK(adopted_again.has_value() && ToToml(*adopted_again) == ToToml(*adopted));
}
