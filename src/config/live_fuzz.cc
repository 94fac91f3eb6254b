// CONFIG SET: any name and any value leave a configuration that can be printed and loaded, or none.
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/fuzz_test.h"
#include "config/live.h"
#include "config/print.h"

namespace sluice::config {
namespace {

constexpr std::string_view kRunning = R"toml(
[keyspace.likes]
key = "likes:{post_id}"
[keyspace.orders]
key = "order:{customer_id}:{order_id}"
shard = "range(customer_id)"
ttl = "30d"
[user.app]
password_sha256 = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
commands = ["read", "write"]
keys = ["likes:*"]
)toml";

}  // namespace
}  // namespace sluice::config

SLUICE_FUZZ(config_live) {
  using namespace sluice;
  using namespace sluice::config;
  static const Config running = Load(kRunning, "running.toml", {}).value();
  static const std::vector<Item> items = Items(running);
  Reader reader(bytes);
  std::vector<NewValue> values;
  while (!reader.done()) {
    // A name that there is, or any.
    const uint8_t name = reader.Le<uint8_t>();
    const bool known = name < items.size();
    const std::string_view said =
        known ? std::string_view(items[name].name) : TakePiece(reader, 40);
    values.push_back({said, TakePiece(reader, 60)});
  }
  const auto changed = With(running, values);
  if (!changed.has_value()) {
    const bool one_line = changed.error().message.find('\n') == std::string::npos;
    SLUICE_CHECK(one_line || changed.error().code == Code::kNotFound);  // the name as it was said
    return;
  }
  const std::string printed = ToToml(*changed);
  const auto again = Load(printed, "printed.toml", {});
  SLUICE_CHECK_MSG(again.has_value(), printed + again.error().message);
  SLUICE_CHECK(ToToml(*again) == printed);
}
