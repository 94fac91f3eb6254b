#include "plan/shard_key.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

namespace sluice::plan {
namespace {

// Where a figure begins to matter.
constexpr double kReachBad = 8;      // times the shards: room for three doublings
constexpr double kReachFair = 32;    // and for five
constexpr double kManyValues = 100;  // for each shard: then a frequent one is a hot key, no lack
constexpr double kHotBad = 2;        // times the shards that a hot key must leave room for
constexpr double kRowsPerValue = 4;  // with fewer, there may be more values than the sample shows
constexpr double kSkewBad = 2, kSkewFair = 1.3;
constexpr double kRareMaps = 0.01;  // in which chance may do more than it is taken to do
constexpr double kEmptyFair = 0.0001, kEmptyBad = 0.05;
constexpr double kChangesFair = 0.002, kChangesBad = 0.01;
constexpr double kTogetherFair = 0.95, kTogetherBad = 0.5;
constexpr double kUnique = 0.98;       // of all rows: each has its own value
constexpr uint64_t kUniqueRows = 100;  // of fewer rows, nothing can be said
constexpr double kRises = 0.5;         // correlation with the order of rows
constexpr double kBeyond = 0.25;

std::string Shards(double count) {
  return Thousands(count) + (count == 1 ? " shard" : " shards");
}

class Judgement {
 public:
  explicit Judgement(const KeyFacts& facts)
      : facts_(facts),
        fact_(facts.fact),
        rows_(static_cast<double>(std::max<uint64_t>(1, facts.fact.rows))),
        shards_(std::max(1u, facts.hash.shards)),
        chance_(ChanceSkew(facts.hash.rows, facts.hash.shards)),
        sure_skew_(facts.hash.skew - (chance_ - 1)) {}

  Verdict Make() {
    const auto& names = facts_.segments.empty() ? facts_.columns : facts_.segments;
    verdict_.shard = fmt::format("hash({})", fmt::join(names, ", "));
    verdict_.reach = Reach();
    Time();
    Values();
    Kinds();
    Uses();
    RangeOrder();
    double score = 100 - 20 * top_share() - 2 * std::max(0.0, facts_.hash.skew - 1);
    for (const Finding& finding : verdict_.findings) {
      if (finding.severity == Severity::kBad) verdict_.grade = Grade::kBad;
      if (finding.severity == Severity::kFair && verdict_.grade == Grade::kGood) {
        verdict_.grade = Grade::kFair;
      }
      score -= finding.severity == Severity::kBad    ? 50
               : finding.severity == Severity::kFair ? 15
                                                     : 0;
    }
    // Two slips make no bad key, and a bad one is never above a fair one.
    if (verdict_.grade == Grade::kFair) score = std::max(score, 40.0);
    if (verdict_.grade == Grade::kBad) score = std::clamp(score, 0.0, 39.0);
    verdict_.score = fact_.distinct < 2 ? 0 : std::max(0.0, score);  // nothing is worse
    std::stable_sort(verdict_.findings.begin(), verdict_.findings.end(),
                     [](const Finding& a, const Finding& b) { return a.severity > b.severity; });
    return std::move(verdict_);
  }

 private:
  template <typename... Args>
  void Say(Severity severity, std::string code, fmt::format_string<Args...> text, Args&&... args) {
    verdict_.findings.push_back(
        {severity, std::move(code), fmt::format(text, std::forward<Args>(args)...)});
  }

  double top_share() const { return static_cast<double>(fact_.top_count) / rows_; }

  // What the busiest value has at least, chance aside: three deviations less than what was seen.
  double Reach() const {
    const auto top = static_cast<double>(fact_.top_count);
    const double sure = top - 3 * std::sqrt(top);
    return sure > 0 && fact_.distinct < kUnique * rows_ ? rows_ / top
                                                        : std::numeric_limits<double>::infinity();
  }

  std::string Busiest() const {
    return fmt::format("the busiest, \"{}\", has {} of the rows", fact_.top_value,
                       Percent(top_share()));
  }

  void Time() {
    if (fact_.kind != Kind::kTime) return;
    Say(Severity::kBad, "time",
        "it is a clock: by range, {} of the rows of a moment go to one of {} shards ({:.1f}x its "
        "share), {} of the later half lies above all of the earlier; hashed, all writes of one {} "
        "go to one shard, and what belongs together lies apart",
        Percent(facts_.range.skew_at_a_time / shards_), facts_.range.shards,
        facts_.range.skew_at_a_time, Percent(facts_.order.beyond), fact_.time_unit);
  }

  void Values() {
    if (fact_.distinct < 2) {
      return Say(Severity::kBad, "constant", "it has {}",
                 fact_.distinct < 1 ? "no value at all" : "one value for all rows");
    }
    const double reach = verdict_.reach;
    const bool settled = rows_ >= kRowsPerValue * fact_.distinct;
    const bool many = fact_.distinct >= kManyValues * shards_;
    if (settled && !many && std::min(reach, fact_.distinct) < kReachFair * shards_) {
      const bool bad = std::min(reach, fact_.distinct) < kReachBad * shards_;
      Say(bad ? Severity::kBad : Severity::kFair, "few_values",
          "{} values only, and {}: beyond {} that one alone is more than a shard's share",
          Thousands(fact_.distinct), Busiest(), Shards(std::floor(1 / top_share())));
    } else if (reach < kReachFair * shards_) {
      const bool bad = reach < kHotBad * shards_;
      Say(bad ? Severity::kBad : Severity::kFair, "skewed",
          "{}: beyond {} that one alone is more than a shard's share; folding or sub-keys "
          "help it, more shards do not",
          Busiest(), Shards(std::floor(reach)));
    }
    Evenness();
    const double empty = static_cast<double>(fact_.empty) / rows_;
    if (empty > kEmptyFair) {
      Say(empty > kEmptyBad ? Severity::kBad : Severity::kFair, "empty",
          "it is empty in {} of the rows, and a segment of a key cannot be", Percent(empty));
    }
  }

  void Evenness() {
    const Spread& hash = facts_.hash;
    if (hash.shards < 2 || hash.skew <= kSkewFair) return;
    if (sure_skew_ <= kSkewFair) {
      return Say(
          Severity::kNote, "small_sample",
          "the sample is too small to tell how evenly it fills {} shards: of {} rows, "
          "{:.1f} for each, chance alone gives the busiest up to {:.1f}x its share, and it has "
          "{:.1f}x",
          hash.shards, Thousands(static_cast<double>(hash.rows)),
          static_cast<double>(hash.rows) / shards_, chance_, hash.skew);
    }
    Say(sure_skew_ > kSkewBad ? Severity::kBad : Severity::kFair, "uneven",
        "hashed over {} shards, the busiest takes {} of the rows, {:.1f}x its share{}", hash.shards,
        Percent(hash.busiest_share), hash.skew,
        hash.idle > 0 ? fmt::format(", and {} take none", hash.idle) : "");
  }

  void Kinds() {
    if (fact_.kind == Kind::kDecimal) {
      Say(Severity::kBad, "measure",
          "its values are decimal numbers: what is measured, not what "
          "it is measured of");
    }
    if (fact_.sentences) {
      Say(Severity::kFair, "text",
          "its values are sentences, {:.0f} bytes in the mean, and would be "
          "part of each key",
          fact_.mean_bytes);
    }
    if (fact_.kind != Kind::kTime && fact_.rows >= kUniqueRows &&
        fact_.distinct >= kUnique * rows_) {
      Say(Severity::kFair, "unique",
          "each row has its own value: even, but it keeps nothing "
          "together; right only for what is read and written by it alone");
    }
    if (fact_.colons) {
      Say(Severity::kNote, "colon",
          "some values hold ':', which the last segment of a template "
          "cannot");
    }
  }

  void Uses() {
    if (facts_.changes.has_value() && *facts_.changes > kChangesFair) {
      Say(*facts_.changes > kChangesBad ? Severity::kBad : Severity::kFair, "changes",
          "it changes: of the rows of one {} that follow another, {} have a new value, and a "
          "record "
          "cannot follow its key to another shard",
          facts_.record, Percent(*facts_.changes));
    }
    if (facts_.together.has_value()) {
      const Severity severity = *facts_.together < kTogetherBad    ? Severity::kBad
                                : *facts_.together < kTogetherFair ? Severity::kFair
                                                                   : Severity::kNote;
      Say(severity, "together",
          "of the rows of one {} that follow another, {} have the same "
          "value: the rest are commands over several shards",
          facts_.together_by, Percent(*facts_.together));
    }
  }

  void RangeOrder() {
    if (fact_.kind == Kind::kTime || facts_.columns.size() > 1) return;
    if (facts_.order.correlation > kRises || facts_.order.beyond > kBeyond) {
      Say(Severity::kNote, "rising",
          "hash it: new values come in order (rank correlation {:.2f}), and by range {} of the "
          "later half would lie above all of the earlier, on the last shard",
          facts_.order.correlation, Percent(facts_.order.beyond));
    }
  }

  const KeyFacts& facts_;
  const ColumnFact& fact_;
  const double rows_;
  const double shards_;
  const double chance_, sure_skew_;  // of the hash map; what is left of it beyond chance
  Verdict verdict_;
};

}  // namespace

std::string_view NameOf(Severity severity) {
  constexpr std::array<std::string_view, 3> kNames = {"note", "fair", "bad"};
  return kNames[static_cast<size_t>(severity)];
}

std::string_view NameOf(Grade grade) {
  constexpr std::array<std::string_view, 3> kNames = {"good", "fair", "bad"};
  return kNames[static_cast<size_t>(grade)];
}

Verdict Judge(const KeyFacts& facts) {
  return Judgement(facts).Make();
}

std::vector<std::string> SegmentNames(const std::vector<std::string>& columns) {
  std::vector<std::string> names;
  for (const std::string& column : columns) {
    std::string name;
    for (const char c : column) {
      const bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
      if (fits && name.empty() && c <= '9') name = '_';
      if (fits || !name.ends_with('_')) name += fits ? c : '_';
    }
    if (name.empty()) name = '_';
    const auto taken = [&](const std::string& one) {
      // Of columns that need no other name, the names are kept.
      return std::find(names.begin(), names.end(), one) != names.end() ||
             (one != column && std::find(columns.begin(), columns.end(), one) != columns.end());
    };
    std::string free = name;
    for (int i = 2; taken(free); ++i) free = fmt::format("{}_{}", name, i);
    names.push_back(std::move(free));
  }
  return names;
}

double ChanceSkew(uint64_t rows, uint32_t shards) {
  if (rows == 0 || shards < 2) return 1;
  const double mean = static_cast<double>(rows) / shards;
  // Rows of one shard are Poisson's. From the most likely count upwards, with logarithms, until
  // some shard of all has so many or more in a rare map only.
  double count = std::floor(mean);
  double log_share = count < 1 ? -mean : -0.5 * std::log(2 * std::numbers::pi * mean);
  const double log_rare = std::log(kRareMaps / shards);
  double log_tail = 0;
  do {
    log_share += std::log(mean / ++count);
    log_tail = log_share - std::log(1 - mean / (count + 1));  // at most: a geometric series
  } while (log_tail > log_rare);
  return count / mean;
}

std::string Thousands(double number) {
  std::string digits = fmt::format("{:.0f}", number);
  if (!std::isfinite(number)) return digits;
  const size_t first = digits.starts_with('-') ? 1 : 0;
  for (size_t at = digits.size(); at > first + 3;) digits.insert(at -= 3, 1, ',');
  return digits;
}

std::string Percent(double share) {
  const double percent = 100 * share;
  if (percent >= 1'000) return Thousands(percent) + " %";
  const int digits = percent >= 99.95 || percent == 0 ? 0
                     : percent >= 1                   ? 1
                     : percent >= 0.1                 ? 2
                                                      : 3;
  return fmt::format("{:.{}f} %", percent, digits);
}

}  // namespace sluice::plan
