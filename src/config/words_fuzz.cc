// The small languages inside a configuration: sizes, durations, addresses, shard specs, templates.
#include <fmt/format.h>

#include <string>
#include <string_view>

#include "base/check.h"
#include "base/fuzz_test.h"
#include "config/key_template.h"
#include "config/quantity.h"
#include "config/rate.h"
#include "config/read.h"
#include "config/shard_spec.h"

namespace sluice::config {
namespace {

void CheckQuantities(std::string_view text) {
  if (const auto size = ParseSize(text)) SLUICE_CHECK(*ParseSize(FormatSize(*size)) == *size);
  if (const auto time = ParseDuration(text)) {
    SLUICE_CHECK(*ParseDuration(FormatDuration(*time)) == *time);
  }
  if (const auto address = ParseAddress(text)) {
    const auto again = ParseAddress(address->Text());
    SLUICE_CHECK(again.has_value() && *again == *address);
  }
}

// What is accepted is within its bounds, and is written in one way only.
void CheckRate(std::string_view text) {
  const auto rate = ParseRate(text);
  if (!rate.has_value()) return;
  SLUICE_CHECK(rate->writes >= 1 && rate->writes <= kRateWritesMost && rate->burst >= 1);
  SLUICE_CHECK(rate->burst == 1 ||
               rate->burst * rate->period_s <= rate->writes * kBurstSecondsMost);
  const auto unit = rate->period_s == 1 ? 's' : rate->period_s == 60 ? 'm' : 'h';
  const auto again = ParseRate(fmt::format("{}/{} burst {}", rate->writes, unit, rate->burst));
  SLUICE_CHECK(again.has_value() && *again == *rate);
}

void CheckSpec(std::string_view text) {
  const auto spec = ParseShardSpec(text);
  if (!spec.has_value()) return;
  SLUICE_CHECK(spec->parts.size() == (spec->IsGeo() ? 2 : 1));
  for (const SpecPart& part : spec->parts) SLUICE_CHECK(!part.segments.empty());
}

// Two templates and a key: a common key is one of both; where there is none, no key is.
void CheckTemplates(std::string_view one_text, std::string_view other_text, std::string_view key) {
  const auto one = ParseTemplate(one_text), other = ParseTemplate(other_text);
  if (one.has_value() && Accepts(*one, key)) {
    for (size_t i = 0; i <= key.size(); ++i) SLUICE_CHECK(CanBeginWith(*one, key.substr(0, i)));
  }
  if (!one.has_value() || !other.has_value()) return;
  const auto common = CommonKey(*one, *other);
  if (common.has_value()) {
    SLUICE_CHECK(Accepts(*one, *common) && Accepts(*other, *common));
  } else {
    SLUICE_CHECK(!Accepts(*one, key) || !Accepts(*other, key));
  }
}

}  // namespace
}  // namespace sluice::config

SLUICE_FUZZ(config_words) {
  using namespace sluice;
  using namespace sluice::config;
  CheckQuantities(bytes);
  CheckRate(bytes);
  CheckSpec(bytes);
  Reader reader(bytes);
  const std::string_view one = TakePiece(reader, 30), other = TakePiece(reader, 30);
  CheckTemplates(one, other, reader.rest().substr(0, 60));
}
