#include "cli/advise_maps.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <numeric>
#include <set>
#include <string_view>

#include "base/check.h"
#include "model/shard_map.h"
#include "route/token.h"

namespace sluice::cli {
namespace {

constexpr size_t kMomentRows = 1'024;  // rows that came together, of a large sample
constexpr size_t kMomentsLeast = 8;    // of a small one, the number of moments
constexpr size_t kMomentLeast = 64;    // with fewer rows, chance is all there is to see

using Tokens = std::vector<std::string>;  // of the rows in order; rows without one are left out
using MapPtr = std::shared_ptr<const model::ShardMap>;

// The chosen cells of a row; empty when one of them is.
bool Choose(const plan::RowSample::Row& row, const std::vector<size_t>& columns,
            std::vector<std::string_view>* cells) {
  cells->clear();
  for (const size_t column : columns) {
    cells->push_back(row.cell(column));
    if (cells->back().empty()) return false;
  }
  return true;
}

Tokens TokensOf(const Sample& sample, const std::vector<size_t>& columns, bool hash) {
  Tokens tokens;
  std::vector<std::string_view> cells;
  for (const plan::RowSample::Row& row : sample) {
    if (!Choose(row, columns, &cells)) continue;
    std::string& token = tokens.emplace_back();
    if (hash) {
      route::AppendHash(token, cells);
    } else {
      for (const std::string_view cell : cells) route::AppendRangeCode(token, cell);
    }
  }
  return tokens;
}

// `cuts`: where each shard behind the first begins, in order.
MapPtr MapOf(const std::vector<std::string>& cuts) {
  std::vector<model::Shard> shards;
  for (size_t i = 0; i <= cuts.size(); ++i) {
    model::Shard& shard = shards.emplace_back();
    shard.id = model::ShardId(static_cast<uint32_t>(i + 1));
    shard.begin = i == 0 ? std::string() : cuts[i - 1];
    shard.end = i == cuts.size() ? std::string() : cuts[i];
  }
  Result<MapPtr> map = model::ShardMap::Make(model::Epoch(1), std::move(shards));
  SLUICE_CHECK_MSG(map.has_value(), map.error().message);
  return *map;
}

// `shards` may be more than the map has, where some could not be told apart.
plan::Spread SpreadOf(const Tokens& tokens, const model::ShardMap& map, uint32_t shards) {
  plan::Spread spread{.shards = shards, .rows = tokens.size()};
  if (tokens.empty()) return spread;
  const size_t moment =
      std::max(kMomentLeast, std::min(kMomentRows, tokens.size() / kMomentsLeast));
  std::vector<size_t> all(map.shards().size(), 0), now(map.shards().size(), 0);
  size_t in_moment = 0, moments = 0;
  double shares = 0;
  const auto close = [&] {
    shares += static_cast<double>(*std::max_element(now.begin(), now.end())) /
              static_cast<double>(in_moment);
    ++moments;
    in_moment = 0;
    std::fill(now.begin(), now.end(), 0);
  };
  for (const std::string& token : tokens) {
    const size_t shard = map.Find(model::KeyspaceId(0), token);
    ++all[shard];
    ++now[shard];
    if (++in_moment == moment) close();
  }
  if (moments == 0) close();
  const size_t busiest = *std::max_element(all.begin(), all.end());
  spread.busiest_share = static_cast<double>(busiest) / static_cast<double>(tokens.size());
  spread.skew = spread.busiest_share * shards;
  spread.skew_at_a_time = shares / static_cast<double>(moments) * shards;
  const auto busy = std::count_if(all.begin(), all.end(), [](size_t rows) { return rows > 0; });
  spread.idle = shards - static_cast<uint32_t>(busy);
  return spread;
}

}  // namespace

plan::Spread SimulateHash(const Sample& sample, const std::vector<size_t>& columns,
                          uint32_t shards) {
  std::vector<std::string> cuts;
  for (uint32_t i = 1; i < shards; ++i) cuts.push_back(model::EvenHashCut(i, shards));
  return SpreadOf(TokensOf(sample, columns, true), *MapOf(cuts), shards);
}

plan::Spread SimulateRange(const Sample& sample, const std::vector<size_t>& columns,
                           uint32_t shards) {
  const Tokens tokens = TokensOf(sample, columns, false);
  Tokens sorted = tokens;
  std::sort(sorted.begin(), sorted.end());
  std::set<std::string> cuts;  // a value too frequent to be cut gives fewer
  for (uint32_t i = 1; i < shards && !sorted.empty(); ++i) {
    const std::string& cut = sorted[sorted.size() * i / shards];
    if (cut > sorted.front()) cuts.insert(cut);
  }
  return SpreadOf(tokens, *MapOf({cuts.begin(), cuts.end()}), shards);
}

plan::Spread SimulateGeo(const Sample& sample, size_t region, const std::vector<size_t>& columns,
                         uint32_t shards) {
  std::map<std::string_view, size_t> rows;
  size_t all = 0;
  for (const plan::RowSample::Row& row : sample) {
    const std::string_view value = row.cell(region);
    if (value.empty()) continue;
    ++all;
    ++rows[value];
    if (rows.size() > kRegionsMost) return {};
  }
  std::map<std::string_view, uint16_t> numbers;
  std::vector<std::string> cuts;
  for (const auto& [value, count] : rows) {
    const auto number = static_cast<uint16_t>(numbers.size() + 1);
    numbers[value] = number;
    const double share = static_cast<double>(count) / static_cast<double>(all);
    const auto own = std::max<uint32_t>(1, static_cast<uint32_t>(std::lround(share * shards)));
    for (uint32_t i = 0; i < own; ++i) {
      if (number == 1 && i == 0) continue;  // the first shard begins with nothing
      std::string& cut = cuts.emplace_back();
      route::AppendRegion(cut, number);
      cut += model::EvenHashCut(i, own);
    }
  }
  Tokens tokens;
  std::vector<std::string_view> cells;
  for (const plan::RowSample::Row& row : sample) {
    const auto found = numbers.find(row.cell(region));
    if (found == numbers.end() || !Choose(row, columns, &cells)) continue;
    std::string& token = tokens.emplace_back();
    route::AppendRegion(token, found->second);
    route::AppendHash(token, cells);
  }
  return SpreadOf(tokens, *MapOf(cuts), static_cast<uint32_t>(cuts.size() + 1));
}

plan::Order OrderOf(const Sample& sample, size_t column) {
  const Tokens tokens = TokensOf(sample, {column}, false);
  const size_t count = tokens.size();
  plan::Order order;
  if (count < 2) return order;
  std::vector<size_t> by_token(count);
  std::iota(by_token.begin(), by_token.end(), 0);
  std::sort(by_token.begin(), by_token.end(),
            [&](size_t a, size_t b) { return tokens[a] < tokens[b]; });
  // Spearman's: equal values share the mean of their ranks.
  const double middle = static_cast<double>(count - 1) / 2;
  double products = 0, ranks_squared = 0, places_squared = 0;
  for (size_t begin = 0; begin < count;) {
    size_t end = begin + 1;
    while (end < count && tokens[by_token[end]] == tokens[by_token[begin]]) ++end;
    const double rank = static_cast<double>(begin + end - 1) / 2 - middle;
    for (; begin < end; ++begin) {
      const double place = static_cast<double>(by_token[begin]) - middle;
      products += rank * place;
      ranks_squared += rank * rank;
      places_squared += place * place;
    }
  }
  if (ranks_squared > 0) order.correlation = products / std::sqrt(ranks_squared * places_squared);
  const auto half = tokens.begin() + static_cast<ptrdiff_t>(count / 2);
  const std::string& highest = *std::max_element(tokens.begin(), half);
  const auto beyond =
      std::count_if(half, tokens.end(), [&](const std::string& token) { return token > highest; });
  order.beyond = static_cast<double>(beyond) / static_cast<double>(tokens.end() - half);
  return order;
}

}  // namespace sluice::cli
