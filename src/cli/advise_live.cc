#include "cli/advise_live.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "cli/http_get.h"
#include "config/key_template.h"
#include "config/nearest.h"
#include "route/matcher.h"

namespace sluice::cli {
namespace {

constexpr int kAnswerMs = 5'000;
constexpr int kLookMs = 500;       // twice a second: the node tells another second each time
constexpr size_t kPartsMost = 16;  // of a key without a template

// What was seen of one keyspace.
class Seen {
 public:
  explicit Seen(const std::string& text) {
    const auto pieces = config::ParseTemplate(text);
    if (!pieces.has_value()) return;  // `default` has none
    key_ = model::Template{text, pieces->literals, pieces->segments};
    names_ = pieces->segments;
  }

  void Add(std::string_view key) {
    route::Segments segments;
    if (key_.has_value()) {
      if (!route::Match(*key_, key, &segments)) return;  // what is left of one that was cut
      return columns_.Add({segments.data(), key_->segments.size()});
    }
    size_t count = 0;
    for (size_t at = 0; at <= key.size() && count < kPartsMost; ++count) {
      const size_t end =
          count + 1 == kPartsMost ? key.size() : std::min(key.find(':', at), key.size());
      segments[count] = key.substr(at, end - at);
      at = end + 1;
    }
    while (names_.size() < count) names_.push_back(fmt::format("part{}", names_.size() + 1));
    columns_.Add({segments.data(), count});
  }
  uint64_t rows() const { return columns_.rows(); }
  Result<Advice> Judge(const AdviceOptions& options) const {
    return Advise(names_, columns_, options);
  }

 private:
  std::optional<model::Template> key_;
  std::vector<std::string> names_;
  plan::Columns columns_;
};

static_assert(kPartsMost <= config::kSegmentsMax);

// The number of the second that the page is of. Nothing is added when it is that of `last`.
Result<uint64_t> AddPage(const std::string& page, uint64_t last,
                         std::map<std::string, Seen>& seen) {
  try {
    const auto told = nlohmann::json::parse(page);
    const auto second = told.at("second").get<uint64_t>();
    if (second == last) return second;
    for (const auto& keyspace : told.at("keyspaces")) {
      const auto name = keyspace.at("keyspace").get<std::string>();
      const auto key = keyspace.at("key").get<std::string>();
      Seen& here = seen.try_emplace(name, key).first->second;
      for (const auto& sample : keyspace.at("samples")) here.Add(sample.get<std::string>());
    }
    return second;
  } catch (const nlohmann::json::exception&) {
    return Fail(Code::kInvalid, "that is no Sluice");
  }
}

// Whether the node has the keyspace: one that is none would only seem to take no writes.
Status CheckKeyspace(const LiveOptions& options, env::Clock& clock) {
  SLUICE_ASSIGN(const std::string page,
                HttpGet(options.http, "/api/v1/keyspaces", clock, kAnswerMs));
  const auto told = nlohmann::json::parse(page, nullptr, false);
  std::vector<std::string> names;
  if (told.is_object() && told.contains("keyspaces")) {
    for (const auto& keyspace : told["keyspaces"]) {
      if (keyspace.is_object()) names.push_back(keyspace.value("keyspace", ""));
    }
  }
  if (names.empty()) return Fail(Code::kInvalid, "that is no Sluice");
  if (std::find(names.begin(), names.end(), options.keyspace) != names.end()) return Ok();
  const std::vector<std::string_view> valid(names.begin(), names.end());
  return Fail(Code::kInvalid,
              fmt::format("{} has no keyspace \"{}\"; {}", options.http.text(), options.keyspace,
                          config::Suggest(options.keyspace, valid)));
}

}  // namespace

Result<Advice> AdviseLive(const LiveOptions& options, env::Clock& clock) {
  if (!options.keyspace.empty()) SLUICE_TRY(CheckKeyspace(options, clock));
  std::map<std::string, Seen> seen;
  const uint64_t until_us = clock.MonotonicUs() + uint64_t{options.seconds} * 1'000'000;
  // What is there at the beginning may be of long ago.
  uint64_t last = 0;
  for (bool first = true; first || clock.MonotonicUs() < until_us; first = false) {
    SLUICE_ASSIGN(const std::string page,
                  HttpGet(options.http, "/api/v1/samples", clock, kAnswerMs));
    std::map<std::string, Seen> before;
    SLUICE_ASSIGN(last, AddPage(page, last, first ? before : seen));
    poll(nullptr, 0, kLookMs);
  }
  const auto most = std::max_element(seen.begin(), seen.end(), [](const auto& a, const auto& b) {
    return a.second.rows() < b.second.rows();
  });
  const auto chosen = options.keyspace.empty() ? most : seen.find(options.keyspace);
  if (chosen == seen.end() || chosen->second.rows() == 0) {
    return Fail(Code::kUnavailable,
                fmt::format("{} took no write{} in {} s", options.http.text(),
                            options.keyspace.empty() ? "" : " of keyspace " + options.keyspace,
                            options.seconds));
  }
  SLUICE_ASSIGN(Advice advice, chosen->second.Judge(options.advice));
  advice.source = fmt::format("keyspace {} of {}", chosen->first, options.http.text());
  return advice;
}

}  // namespace sluice::cli
