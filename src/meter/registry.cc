#include "meter/registry.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <limits>
#include <sstream>

#include "base/check.h"

namespace sluice::meter {

// What the cells of one name and one set of labels make together.
struct Sample {
  std::optional<double> number;
  std::optional<Distribution> distribution;

  void Add(double value, Merge merge) {
    if (!number.has_value()) {
      number = value;
    } else {
      number = merge == Merge::kMax ? std::max(*number, value) : *number + value;
    }
  }
  void Add(const Distribution& value) {
    if (distribution.has_value()) {
      distribution->Merge(value);
    } else {
      distribution = value;
    }
  }
  void Add(const Set::Entry& entry) {
    const Merge merge = entry.description.options.merge;
    if (const auto* counter = std::get_if<const CounterCell*>(&entry.cell)) {
      Add(static_cast<double>((*counter)->value()), merge);
    } else if (const auto* gauge = std::get_if<const GaugeCell*>(&entry.cell)) {
      Add(static_cast<double>((*gauge)->value()), merge);
    } else if (const auto* read = std::get_if<ReadFunction>(&entry.cell)) {
      Add((*read)(), merge);
    } else {
      Add(std::get<const HistogramCell*>(entry.cell)->Read());
    }
  }
};

namespace {

double ScaleOf(Unit unit) {
  return unit == Unit::kMicroseconds ? 1e-6 : 1;
}

bool SameMeter(const Description& a, const Description& b) {
  return a.help == b.help && a.kind == b.kind && a.label == b.label &&
         a.options.unit == b.options.unit && a.options.merge == b.options.merge;
}

struct Family {
  const Description* description = nullptr;
  std::map<Labels, Sample> samples;
};

Labels LabelsOf(const Labels& of_set, const Description& description) {
  Labels labels = of_set;
  if (!description.label.empty()) labels.emplace(description.label, description.label_value);
  return labels;
}

prometheus::ClientMetric::Histogram ShownBuckets(const Distribution& distribution, Unit unit) {
  const double scale = ScaleOf(unit);
  // Whole numbers below 2^n are at most 2^n - 1; of a time, what is below a microsecond was cut.
  const double open_end = unit == Unit::kMicroseconds ? 0 : 1;
  prometheus::ClientMetric::Histogram shown;
  for (int bits = 0; bits < kValueBits; ++bits) {
    const double end = (static_cast<double>(uint64_t{1} << bits) - open_end) * scale;
    shown.bucket.push_back({distribution.CountBelowPowerOf2(bits), end});
  }
  shown.bucket.push_back({distribution.count, std::numeric_limits<double>::infinity()});
  shown.sample_count = distribution.count;
  shown.sample_sum = static_cast<double>(distribution.sum) * scale;
  return shown;
}

prometheus::MetricFamily Shown(const Family& family) {
  const Description& description = *family.description;
  prometheus::MetricFamily shown;
  shown.name = description.name;
  shown.help = description.help;
  shown.type = description.kind == Kind::kCounter ? prometheus::MetricType::Counter
               : description.kind == Kind::kGauge ? prometheus::MetricType::Gauge
                                                  : prometheus::MetricType::Histogram;
  for (const auto& [labels, sample] : family.samples) {
    prometheus::ClientMetric& metric = shown.metric.emplace_back();
    for (const auto& [name, value] : labels) metric.label.push_back({name, value});
    const Unit unit = description.options.unit;
    metric.counter.value = metric.gauge.value = sample.number.value_or(0) * ScaleOf(unit);
    if (sample.distribution.has_value())
      metric.histogram = ShownBuckets(*sample.distribution, unit);
  }
  return shown;
}

}  // namespace

void Registry::Add(const Set& set, Labels labels) {
  const std::lock_guard lock(mutex_);
  for (const Set::Entry& entry : set.entries()) {
    const Description& description = entry.description;
    const auto [known, added] = descriptions_.try_emplace(description.name, description);
    SLUICE_CHECK_MSG(SameMeter(known->second, description), description.name);
    SLUICE_CHECK_MSG(description.label.empty() || !labels.contains(std::string(description.label)),
                     description.name);
  }
  const bool known = std::any_of(sources_.begin(), sources_.end(),
                                 [&set](const Source& source) { return source.set == &set; });
  SLUICE_CHECK(!known);
  sources_.push_back({&set, std::move(labels)});
}

void Registry::Remove(const Set& set) {
  const std::lock_guard lock(mutex_);
  std::erase_if(sources_, [&set](const Source& source) { return source.set == &set; });
}

std::string Registry::PrometheusText() const {
  std::map<std::string_view, Family> families;
  {
    const std::lock_guard lock(mutex_);
    for (const Source& source : sources_) {
      for (const Set::Entry& entry : source.set->entries()) {
        Family& family = families[entry.description.name];
        family.description = &descriptions_.at(entry.description.name);
        family.samples[LabelsOf(source.labels, entry.description)].Add(entry);
      }
    }
  }
  std::vector<prometheus::MetricFamily> shown;
  for (const auto& [name, family] : families) shown.push_back(Shown(family));
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, shown);
  return std::move(text).str();
}

Sample Registry::Collect(std::string_view name, std::optional<Where> where) const {
  Sample sample;
  const std::lock_guard lock(mutex_);
  for (const Source& source : sources_) {
    for (const Set::Entry& entry : source.set->entries()) {
      if (entry.description.name != name) continue;
      const Labels labels = LabelsOf(source.labels, entry.description);
      const auto found = where ? labels.find(std::string(where->label)) : labels.end();
      if (where && (found == labels.end() || found->second != where->value)) continue;
      sample.Add(entry);
    }
  }
  return sample;
}

double Registry::Total(std::string_view name, std::optional<Where> where) const {
  return Collect(name, where).number.value_or(0);
}

Distribution Registry::TotalDistribution(std::string_view name, std::optional<Where> where) const {
  return Collect(name, where).distribution.value_or(Distribution{});
}

}  // namespace sluice::meter
