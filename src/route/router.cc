#include "route/router.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "route/token.h"

namespace sluice::route {
namespace {

constexpr size_t kShownBytesMax = 64;  // of a client's bytes in an error

// A client's bytes as an error may show them.
std::string Shown(std::string_view bytes) {
  std::string shown;
  for (const char c : bytes.substr(0, kShownBytesMax)) {
    const bool plain = c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
    shown += plain ? std::string(1, c) : fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  return bytes.size() > kShownBytesMax ? shown + "…" : shown;
}

// The segments that a part of a token is made of, gathered into `chosen`.
std::span<const std::string_view> Choose(const model::TokenPart& part, const Segments& segments,
                                         Segments* chosen) {
  size_t count = 0;
  for (const uint16_t index : part.segments) (*chosen)[count++] = segments[index];
  return {chosen->data(), count};
}

}  // namespace

Router::Router(std::vector<model::Keyspace> catalogue, std::shared_ptr<const Policies> policies,
               std::shared_ptr<const model::ShardMap> map)
    : catalogue_(std::move(catalogue)),
      policies_(std::move(policies)),
      map_(std::move(map)),
      regions_(catalogue_.size()),
      templates_(catalogue_) {
  for (size_t at = 0; at < catalogue_.size(); ++at) {
    const model::Keyspace& keyspace = catalogue_[at];
    const auto [first, last] = map_->OfKeyspace(keyspace.id);
    SLUICE_CHECK_MSG(first < last, keyspace.name);
    by_id_.resize(std::max<size_t>(by_id_.size(), keyspace.id.value + size_t{1}),
                  catalogue_.size());
    by_id_[keyspace.id.value] = at;
    RegionTable& table = regions_[at];
    for (const model::Region& region : keyspace.regions) {
      for (const std::string& value : region.match) table.by_value.emplace_back(value, &region);
      if (region.name == keyspace.unknown_region) table.unknown = &region;
    }
    std::sort(table.by_value.begin(), table.by_value.end());
  }
  SLUICE_CHECK(policies_ != nullptr);
  SLUICE_CHECK_MSG(!by_id_.empty() && by_id_[0] < catalogue_.size(), "no keyspace default");
  SLUICE_CHECK(catalogue_[by_id_[0]].key.segments.empty());
}

Result<Placed> Router::Place(std::string_view key, std::string* token) const {
  token->clear();
  Segments segments, chosen;
  const int found = templates_.Find(key, &segments);
  const size_t at = found >= 0 ? static_cast<size_t>(found) : by_id_[0];
  const model::Keyspace& keyspace = catalogue_[at];
  for (const model::TokenPart& part : keyspace.token) {
    switch (part.kind) {
      case model::TokenPartKind::kHash:
        if (part.segments.empty()) {
          AppendHash(*token, HashedPart(key));
        } else {
          AppendHash(*token, Choose(part, segments, &chosen));
        }
        break;
      case model::TokenPartKind::kRange:
        for (const std::string_view segment : Choose(part, segments, &chosen)) {
          AppendRangeCode(*token, segment);
        }
        break;
      case model::TokenPartKind::kGeo: {
        const std::string_view value = segments[part.segments[0]];
        const model::Region* region = FindRegion(at, value);
        if (region == nullptr) {
          return Fail(
              Code::kInvalid,
              fmt::format("REGION unknown region \"{}\" in keyspace {}; nothing was applied",
                          Shown(value), keyspace.name));
        }
        AppendRegion(*token, region->number);
        break;
      }
    }
  }
  return Placed{&keyspace, policies_->Of(keyspace.id), map_->Find(keyspace.id, *token)};
}

const model::Region* Router::FindRegion(size_t at, std::string_view value) const {
  const RegionTable& table = regions_[at];
  const auto found = std::lower_bound(
      table.by_value.begin(), table.by_value.end(), value,
      [](const auto& entry, std::string_view wanted) { return entry.first < wanted; });
  const bool known = found != table.by_value.end() && found->first == value;
  return known ? found->second : table.unknown;
}

std::vector<Segment> Router::SegmentsOf(std::string_view key) const {
  Segments segments;
  const int found = templates_.Find(key, &segments);
  std::vector<Segment> named;
  if (found < 0) return named;
  const model::Template& from = catalogue_[static_cast<size_t>(found)].key;
  for (size_t i = 0; i < from.segments.size(); ++i) {
    named.push_back({from.segments[i], segments[i]});
  }
  return named;
}

const model::Keyspace* Router::FindKeyspace(std::string_view name) const {
  const auto found = std::find_if(catalogue_.begin(), catalogue_.end(),
                                  [&](const model::Keyspace& one) { return one.name == name; });
  return found == catalogue_.end() ? nullptr : &*found;
}

const model::Keyspace& Router::keyspace(model::KeyspaceId id) const {
  SLUICE_CHECK(id.value < by_id_.size() && by_id_[id.value] < catalogue_.size());
  return catalogue_[by_id_[id.value]];
}

}  // namespace sluice::route
