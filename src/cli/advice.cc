#include "cli/advice.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "base/text.h"

namespace sluice::cli {
namespace {

constexpr size_t kPartsMost = 6;       // columns that composite keys are made of, the best of them
constexpr size_t kCompositesMost = 3;  // that are shown
constexpr size_t kValueMost = 40;      // bytes of a value that are shown
constexpr size_t kGeoMapsMost = 2;     // that are shown
constexpr double kMutableIfBelow = 0.01;  // a record's own columns change less than this
constexpr uint64_t kRepeatsLeast = 30;    // rows of one record that were compared, to say anything
constexpr double kIdentityValues = 100;   // a column with fewer identifies nothing
constexpr double kCured = 2;              // times its share that a moment's busiest shard may take
constexpr double kRises = 0.8;            // numbers that may be times, and come in order, are

// Columns a record is written by more than once, and what stays the same then.
class Records {
 public:
  Records(const plan::Columns& columns, const std::vector<AdvisedKey>& keys)
      : columns_(columns), keys_(keys) {}

  // The column that tells records apart: one of many values, whose rows come again with another
  // column of many values the same. Nothing if there is none.
  std::optional<size_t> Find() const {
    std::optional<size_t> found;
    for (size_t one = 0; one < keys_.size(); ++one) {
      if (!Identifies(one) || columns_.groups(one).repeats() < kRepeatsLeast) continue;
      for (size_t other = 0; other < keys_.size(); ++other) {
        if (other == one || !Identifies(other) || Changes(one, other) >= kMutableIfBelow) continue;
        // Of several, that with the most values: an order rather than its customer.
        const bool finer = !found.has_value() ||
                           keys_[one].facts.fact.distinct > keys_[*found].facts.fact.distinct;
        if (finer) found = one;
      }
    }
    return found;
  }

  double Changes(size_t record, size_t column) const {
    const plan::Groups& groups = columns_.groups(record);
    return static_cast<double>(groups.differing(column)) /
           static_cast<double>(std::max<uint64_t>(1, groups.repeats()));
  }

 private:
  bool Identifies(size_t column) const {
    const plan::ColumnFact& fact = keys_[column].facts.fact;
    return fact.distinct >= kIdentityValues && !fact.sentences &&
           (fact.kind == plan::Kind::kText || fact.kind == plan::Kind::kNumber);
  }

  const plan::Columns& columns_;
  const std::vector<AdvisedKey>& keys_;
};

// Several columns as one, of the sample.
plan::ColumnFact FactTogether(const Sample& sample, const std::vector<size_t>& parts) {
  plan::Columns columns;
  std::string joined;
  for (const plan::RowSample::Row& row : sample) {
    joined.clear();
    for (const size_t part : parts) {
      if (row.cell(part).empty()) {
        joined.clear();
        break;
      }
      if (part != parts.front()) joined += " / ";
      joined += row.cell(part);
    }
    const std::string_view cell = joined;
    columns.Add({&cell, 1});
  }
  plan::ColumnFact fact = columns.Fact(0);
  fact.kind = plan::Kind::kText;
  fact.exact = false;
  fact.sentences = false;
  return fact;
}

// Values that several columns have together, of all rows. What came once in the sample stands for
// more (the root of the stride for each: between one, if the rest repeats it, and the stride, if
// nothing does), there are at least as many as each column has alone, and at most as many as can
// be made of them.
double DistinctOfAll(const plan::ColumnFact& sample, uint64_t rows,
                     const std::vector<const plan::ColumnFact*>& parts) {
  const auto all = static_cast<double>(rows);
  const double stride = all / static_cast<double>(std::max<uint64_t>(1, sample.rows));
  double least = 0, most = 1;
  for (const plan::ColumnFact* part : parts) {
    least = std::max(least, part->distinct);
    most *= std::max(1.0, part->distinct);
  }
  const double estimate = sample.distinct - sample.once + std::sqrt(stride) * sample.once;
  return std::max(least, std::min({estimate, most, all}));
}

// Best first. Where the scores tell nothing, as of keys that are all as bad as can be, the more
// even one; a key without a row is the least even of all.
bool IsBetter(const AdvisedKey& a, const AdvisedKey& b) {
  if (a.verdict.score != b.verdict.score) return a.verdict.score > b.verdict.score;
  const auto unevenness = [](const AdvisedKey& key) {
    const double skew = key.facts.hash.skew;
    return skew > 0 ? skew : std::numeric_limits<double>::infinity();
  };
  return unevenness(a) < unevenness(b);
}

class Adviser {
 public:
  Adviser(const std::vector<std::string>& names, const plan::Columns& columns,
          const AdviceOptions& options)
      : names_(names),
        segments_(plan::SegmentNames(names)),
        columns_(columns),
        options_(options),
        sample_(columns.sample().rows()) {}

  Result<Advice> Make() {
    SLUICE_ASSIGN(const std::optional<size_t> together, Named(options_.together));
    SLUICE_ASSIGN(std::optional<size_t> record, Named(options_.record));
    for (size_t i = 0; i < columns_.count(); ++i) keys_.push_back(Look(i));
    const Records records(columns_, keys_);
    if (!record.has_value() && options_.record.empty()) record = records.Find();
    for (size_t i = 0; i < keys_.size(); ++i) {
      plan::KeyFacts& facts = keys_[i].facts;
      if (record.has_value() && columns_.groups(*record).repeats() >= kRepeatsLeast) {
        facts.changes = records.Changes(*record, i);
        facts.record = names_[*record];
      }
      if (together.has_value() && columns_.groups(*together).repeats() > 0) {
        facts.together = 1 - records.Changes(*together, i);
        facts.together_by = names_[*together];
      }
      keys_[i].verdict = plan::Judge(facts);
    }
    std::vector<AdvisedKey> composites = Composites();
    Advice advice;
    advice.rows = columns_.rows();
    advice.sampled = sample_.size();
    advice.shards = options_.shards;
    advice.columns_left_out = names_.size() - std::min(names_.size(), plan::kColumnsMost);
    advice.keys = keys_;
    for (AdvisedKey& key : composites) advice.keys.push_back(std::move(key));
    std::stable_sort(advice.keys.begin(), advice.keys.end(), IsBetter);
    advice.maps = Maps(advice.keys);
    return advice;
  }

 private:
  Result<std::optional<size_t>> Named(const std::string& name) const {
    if (name.empty()) return std::optional<size_t>();
    const auto found = std::find(names_.begin(), names_.end(), name);
    if (found == names_.end()) {
      return Fail(Code::kInvalid, fmt::format("there is no column \"{}\"", name));
    }
    const auto number = static_cast<size_t>(found - names_.begin());
    if (number >= plan::kColumnsMost) {
      return Fail(Code::kInvalid,
                  fmt::format("column \"{}\" is not among the {} that are looked at", name,
                              plan::kColumnsMost));
    }
    return std::optional<size_t>(number);
  }

  AdvisedKey Look(size_t column) const {
    plan::KeyFacts facts;
    facts.columns = {names_[column]};
    facts.segments = {segments_[column]};
    facts.fact = columns_.Fact(column);
    if (facts.fact.top_value.size() > kValueMost) facts.fact.top_value.resize(kValueMost);
    facts.order = OrderOf(sample_, column);
    const bool times = facts.order.correlation > kRises || plan::NamesTime(names_[column]);
    if (facts.fact.could_be_time && times) facts.fact.kind = plan::Kind::kTime;
    facts.hash = SimulateHash(sample_, {column}, options_.shards);
    facts.range = SimulateRange(sample_, {column}, options_.shards);
    return {facts, {}};
  }

  // Whether it may be a part of a composite key: what is wrong with it must be what others mend.
  static bool Joins(const AdvisedKey& key) {
    const auto& findings = key.verdict.findings;
    return key.facts.fact.distinct >= 2 &&
           std::none_of(findings.begin(), findings.end(), [](const plan::Finding& finding) {
             return finding.severity != plan::Severity::kNote && finding.code != "few_values" &&
                    finding.code != "skewed" && finding.code != "uneven";
           });
  }

  // Where no single column is good: pairs, and if none of those is either, threes.
  std::vector<AdvisedKey> Composites() const {
    std::vector<size_t> parts;
    bool fair = false;
    for (size_t i = 0; i < keys_.size(); ++i) {
      if (keys_[i].verdict.grade == plan::Grade::kGood) return {};
      fair = fair || keys_[i].verdict.grade == plan::Grade::kFair;
      if (Joins(keys_[i])) parts.push_back(i);
    }
    std::stable_sort(parts.begin(), parts.end(), [&](size_t a, size_t b) {
      return keys_[a].verdict.score > keys_[b].verdict.score;
    });
    if (parts.size() > kPartsMost) parts.resize(kPartsMost);
    std::sort(parts.begin(), parts.end());
    std::vector<std::vector<size_t>> tried;
    for (size_t a = 0; a < parts.size(); ++a) {
      for (size_t b = a + 1; b < parts.size(); ++b) tried.push_back({parts[a], parts[b]});
    }
    std::vector<AdvisedKey> found = Tried(tried, fair);
    if (!found.empty()) return found;
    tried.clear();
    for (size_t a = 0; a < parts.size(); ++a) {
      for (size_t b = a + 1; b < parts.size(); ++b) {
        for (size_t c = b + 1; c < parts.size(); ++c) {
          tried.push_back({parts[a], parts[b], parts[c]});
        }
      }
    }
    return Tried(tried, fair);
  }

  // The best of them, if they are better than what the single columns give.
  std::vector<AdvisedKey> Tried(const std::vector<std::vector<size_t>>& tried, bool fair) const {
    std::vector<AdvisedKey> found;
    for (const std::vector<size_t>& parts : tried) {
      plan::KeyFacts facts;
      for (const size_t part : parts) {
        facts.columns.push_back(names_[part]);
        facts.segments.push_back(segments_[part]);
      }
      facts.fact = FactTogether(sample_, parts);
      facts.hash = SimulateHash(sample_, parts, options_.shards);
      facts.range = SimulateRange(sample_, parts, options_.shards);
      AdvisedKey key{facts, plan::Judge(facts)};  // by what can be seen in the sample
      std::vector<const plan::ColumnFact*> facts_of;
      for (const size_t part : parts) facts_of.push_back(&keys_[part].facts.fact);
      key.facts.fact.distinct = DistinctOfAll(facts.fact, columns_.rows(), facts_of);
      key.facts.fact.exact = sample_.size() == columns_.rows();
      const bool better = key.verdict.grade == plan::Grade::kGood ||
                          (key.verdict.grade == plan::Grade::kFair && !fair);
      if (better) found.push_back(std::move(key));
    }
    std::stable_sort(found.begin(), found.end(), IsBetter);
    if (found.size() > kCompositesMost) found.resize(kCompositesMost);
    return found;
  }

  std::vector<size_t> NumbersOf(const AdvisedKey& key) const {
    std::vector<size_t> numbers;
    for (const std::string& name : key.facts.columns) {
      numbers.push_back(
          static_cast<size_t>(std::find(names_.begin(), names_.end(), name) - names_.begin()));
    }
    return numbers;
  }

  static bool NamesRegion(const std::string& name) {
    const std::string lower = Lower(name);
    return lower.find("country") != std::string::npos ||
           lower.find("region") != std::string::npos || lower.find("market") != std::string::npos;
  }

  // Whether its values can be regions: few, and names of something.
  static bool MayBeRegion(const plan::ColumnFact& fact, bool named) {
    if (fact.distinct < 2 || fact.distinct > kRegionsMost) return false;
    const bool measured = fact.kind == plan::Kind::kTime || fact.kind == plan::Kind::kDecimal;
    return fact.words || (named && !measured);
  }

  // Clocks behind the best key, and columns that could be regions in front of it.
  std::vector<AdvisedMap> Maps(const std::vector<AdvisedKey>& keys) const {
    std::vector<AdvisedMap> maps;
    if (keys.empty() || keys.front().verdict.grade == plan::Grade::kBad) return maps;
    const AdvisedKey& best = keys.front();
    const std::vector<size_t> numbers = NumbersOf(best);
    std::vector<AdvisedMap> geo;
    for (size_t i = 0; i < keys_.size(); ++i) {
      const plan::ColumnFact& fact = keys_[i].facts.fact;
      const bool in_best = std::find(numbers.begin(), numbers.end(), i) != numbers.end();
      if (in_best) continue;
      if (fact.kind == plan::Kind::kTime) {
        std::vector<size_t> with = numbers;
        with.push_back(i);
        const plan::Spread spread = SimulateRange(sample_, with, options_.shards);
        // A key that itself comes in order has the same hot end.
        if (spread.skew_at_a_time < kCured) {
          maps.push_back(
              {fmt::format("range({}, {})", fmt::join(best.facts.segments, ", "), segments_[i]),
               spread,
               fmt::format("{} in order, without range({})'s hot end", names_[i], names_[i])});
        }
      }
      const bool region = fact.codes || NamesRegion(names_[i]);
      if (!MayBeRegion(fact, region)) continue;
      const plan::Spread spread = SimulateGeo(sample_, i, numbers, options_.shards);
      AdvisedMap map{fmt::format("geo({}) then {}", segments_[i], best.verdict.shard), spread,
                     region ? "keeps each region's records on its own shards"
                            : fmt::format("only if each {} must lie apart", names_[i])};
      geo.insert(region ? geo.begin() : geo.end(), std::move(map));
    }
    if (geo.size() > kGeoMapsMost) geo.resize(kGeoMapsMost);
    maps.insert(maps.end(), geo.begin(), geo.end());
    return maps;
  }

  const std::vector<std::string>& names_;
  const std::vector<std::string> segments_;  // as a template names them
  const plan::Columns& columns_;
  const AdviceOptions& options_;
  const Sample& sample_;
  std::vector<AdvisedKey> keys_;  // by column
};

}  // namespace

std::string AdvisedKey::name() const {
  return fmt::format("{}", fmt::join(facts.columns, ", "));
}

Result<Advice> Advise(const std::vector<std::string>& names, const plan::Columns& columns,
                      const AdviceOptions& options) {
  return Adviser(names, columns, options).Make();
}

}  // namespace sluice::cli
