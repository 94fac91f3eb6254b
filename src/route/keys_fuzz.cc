// Clients' keys: which template they match, by the matcher and by the automaton that compares
// templates; where they are placed; and the order of range tokens.
#include <memory>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/fuzz_test.h"
#include "config/key_template.h"
#include "config/shard_spec.h"
#include "model/stored_key.h"
#include "route/matcher.h"
#include "route/token.h"
#include "route/world_test.h"

namespace sluice::route {
namespace {

constexpr std::string_view kKeyspaces = R"toml(
[keyspace.likes]
key = "likes:{post_id}"
[keyspace.orders]
key = "order:{customer_id}:{order_id}"
shard = "range(customer_id, order_id)"
split_points = [["5", "x"], ["m"]]
[keyspace.events]
key = "event:{country}:{user_id}"
shard = "geo(country) then hash(user_id)"
regions = { eu = { match = ["DE", "FR"] }, us = { match = ["US"] } }
unknown_region = "eu"
)toml";

void CheckMatch(std::string_view text, std::string_view key) {
  const auto parsed = config::ParseTemplate(text);
  if (!parsed.has_value()) return;
  const model::Template made{std::string(text), parsed->literals, parsed->segments};
  Segments segments;
  const bool matches = Match(made, key, &segments);
  SLUICE_CHECK(matches == config::Accepts(*parsed, key));
  if (!matches) return;
  std::string again = made.literals[0];
  for (size_t i = 0; i < made.segments.size(); ++i) {
    SLUICE_CHECK(!segments[i].empty());
    again += std::string(segments[i]) + made.literals[i + 1];
  }
  SLUICE_CHECK(again == key);
}

void CheckPlace(const Router& router, std::string_view key) {
  std::string token, stored;
  const auto placed = router.Place(key, &token);
  if (!placed.has_value()) return;
  const model::Shard& shard = router.map().shards()[placed->shard];
  SLUICE_CHECK(shard.keyspace == placed->keyspace->id);
  SLUICE_CHECK(shard.begin <= token && (shard.end.empty() || token < shard.end));
  model::ValueKey(stored, placed->keyspace->id, token, key);
  model::StoredKeyParts parts;
  SLUICE_CHECK(model::SplitStoredKey(*placed->keyspace, stored, &parts));
  SLUICE_CHECK(parts.token == token && parts.key == key);
}

int Sign(int order) {
  return order < 0 ? -1 : order > 0 ? 1 : 0;
}

void CheckOrder(std::string_view a, std::string_view b) {
  std::string code_a, code_b;
  AppendRangeCode(code_a, a);
  AppendRangeCode(code_b, b);
  SLUICE_CHECK(Sign(code_a.compare(code_b)) == Sign(config::CompareSegments(a, b)));
  SLUICE_CHECK(a == b || !code_a.starts_with(code_b));
}

}  // namespace
}  // namespace sluice::route

SLUICE_FUZZ(route_keys) {
  using namespace sluice;
  using namespace sluice::route;
  static const std::shared_ptr<const Router> router = RouterOf(kKeyspaces);
  Reader reader(bytes);
  const std::string_view text = TakePiece(reader, 40), other = TakePiece(reader, 30);
  const std::string_view key = reader.rest();
  CheckMatch(text, key);
  CheckPlace(*router, key.substr(0, 1000));
  CheckOrder(text, other);
}
